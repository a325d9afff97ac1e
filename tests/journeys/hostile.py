"""Bundles of a stranger: a good one taken apart, changed, and written again with true digests."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

Files = dict[str, bytes]
Change = Callable[[Files], None]


def changed(bundle: bytes, change: Change) -> bytes:
    """Return the bundle after ``change``; manifest.json lists what is there then."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as old:
        files = {m.name: content.read() for m in old if (content := old.extractfile(m))}
    change(files)
    manifest: dict[str, Any] = json.loads(files.pop("manifest.json"))
    manifest["files"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    }
    files["manifest.json"] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as new:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            new.addfile(member, io.BytesIO(data))
    return out.getvalue()


def swap(name: str, old: str, new: str) -> Change:
    """Replace ``old``, which must be there, in one member."""

    def act(files: Files) -> None:
        assert old.encode() in files[name], old
        files[name] = files[name].replace(old.encode(), new.encode())

    return act


def write(name: str, text: str) -> Change:
    """Add a member, or write another text into it."""

    def act(files: Files) -> None:
        files[name] = text.encode()

    return act


def append(name: str, text: str) -> Change:
    """Write at the end of a member."""

    def act(files: Files) -> None:
        files[name] += text.encode()

    return act


def tell(**values: object) -> Change:
    """Have manifest.json say something else."""

    def act(files: Files) -> None:
        files["manifest.json"] = json.dumps(json.loads(files["manifest.json"]) | values).encode()

    return act
