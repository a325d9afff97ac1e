"""A good bundle and the ways of changing it: its files, its records, its bytes.

Whatever a change does to the files, manifest.json lists what is there then, so that nothing is
refused for a wrong digest before the rule that a case is about.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.core.storage.archive_bytes import END, gz, member, pax, pax_record

PROJECT, LOCK, PYTHON, MANIFEST = "pyproject.toml", "uv.lock", ".python-version", "manifest.json"
Files = dict[str, bytes]
Change = Callable[[Files], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is done to a good bundle, and how it is refused.

    ``named`` is in the member, key or file that the refusal has in backticks, ``rule`` in what it
    says of it. ``inspected`` is False for what only an import refuses.
    """

    make: Callable[[Files], bytes]
    named: str
    rule: str
    inspected: bool = True


def files_of(bundle: bytes) -> Files:
    """Take a bundle apart."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as old:
        return {m.name: content.read() for m in old if (content := old.extractfile(m))}


def listed(files: Files) -> Files:
    """Return the files with a manifest.json that lists them, if it can be read at all."""
    rest = {name: data for name, data in files.items() if name != MANIFEST}
    try:
        manifest: dict[str, Any] = json.loads(files[MANIFEST])
    except (KeyError, ValueError, RecursionError):
        return files
    if manifest.get("files"):
        manifest["files"] = {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in rest.items()
        }
    return rest | {MANIFEST: json.dumps(manifest).encode()}


def record(name: str | bytes, data: bytes) -> bytes:
    """Return the records of a file, with its name in a pax record where ustar has no room."""
    raw = name if isinstance(name, bytes) else name.encode()
    if len(raw) <= 100:
        return member(raw, data)
    return pax(pax_record(b"path", raw)) + member(raw[:100], data)


def records(files: Files) -> bytes:
    """Return the records of all files, without the end of the archive."""
    return b"".join(record(name, data) for name, data in sorted(files.items()))


def packed(files: Files) -> bytes:
    """Return the bundle of these files."""
    return gz(records(files) + END)


def changed(change: Change, files: Files) -> Files:
    """Return what the files are after a change."""
    after = dict(files)
    change(after)
    return after


def case(change: Change, named: str, rule: str, *, inspected: bool = True) -> Case:
    """A case whose files differ; manifest.json lists them as they are."""
    return Case(
        make=lambda files: packed(listed(changed(change, files))),
        named=named,
        rule=rule,
        inspected=inspected,
    )


def told(change: Change, named: str, rule: str) -> Case:
    """A case whose manifest.json is left as the change made it."""
    return Case(make=lambda files: packed(changed(change, listed(files))), named=named, rule=rule)


def extra(records_: bytes, named: str, rule: str) -> Case:
    """A case with records more, behind all others."""
    return Case(
        make=lambda files: gz(records(listed(files)) + records_ + END), named=named, rule=rule
    )


def bytes_of(change: Callable[[bytes], bytes], named: str, rule: str) -> Case:
    """A case whose tar or gzip bytes differ: ``change`` gets the plain tar."""
    return Case(make=lambda files: change(records(listed(files)) + END), named=named, rule=rule)


def swap(name: str, old: str, new: str) -> Change:
    """Replace ``old``, which must be there, in one member."""

    def act(files: Files) -> None:
        assert old.encode() in files[name], old
        files[name] = files[name].replace(old.encode(), new.encode())

    return act


def write(name: str, text: str | bytes) -> Change:
    """Add a member, or write another text into it."""

    def act(files: Files) -> None:
        files[name] = text if isinstance(text, bytes) else text.encode()

    return act


def append(name: str, text: str) -> Change:
    """Write at the end of a member."""

    def act(files: Files) -> None:
        files[name] += text.encode()

    return act


def drop(name: str) -> Change:
    """Leave a member out."""

    def act(files: Files) -> None:
        del files[name]

    return act


def tell(**values: object) -> Change:
    """Have manifest.json say something else; None takes a key away."""

    def act(files: Files) -> None:
        document: dict[str, object] = json.loads(files[MANIFEST]) | values
        kept = {key: value for key, value in document.items() if value is not None}
        files[MANIFEST] = json.dumps(kept).encode()

    return act


def both(*changes: Change) -> Change:
    """Do one change after the other."""

    def act(files: Files) -> None:
        for change in changes:
            change(files)

    return act
