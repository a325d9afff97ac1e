"""Bare git repositories out of files, the same commits on every machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.errors import GitError
from comfydock_core.storage.processes import scrubbed_environment

_AUTHOR = "comfydock demo <demo@example.invalid>"

Files = Mapping[str, bytes]
"""A tree of files by POSIX path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One commit with a tag on it; ``time`` in seconds since 1970."""

    tag: str
    time: int
    files: Files


def make_repository(place: Path, releases: Sequence[Release]) -> None:
    """Make a bare repository at ``place`` whose branch ``main`` has the releases, oldest first.

    It can be served as plain files.
    """
    place.mkdir(parents=True)
    _git(place, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    stream = b"".join(_import_stream(releases))
    _git(place, "fast-import", "--quiet", "--date-format=raw", fed=stream)
    _git(place, "update-server-info")


def _import_stream(releases: Sequence[Release]) -> Iterator[bytes]:
    """Yield what git fast-import reads: one commit and one annotated tag for each release."""
    for mark, release in enumerate(releases, start=1):
        who = f"{_AUTHOR} {release.time} +0000"
        yield f"commit refs/heads/main\nmark :{mark}\ncommitter {who}\n".encode()
        yield _data(f"Release {release.tag}\n".encode())
        yield f"from :{mark - 1}\ndeleteall\n".encode() if mark > 1 else b""
        for path, content in sorted(release.files.items()):
            yield f"M 100644 inline {path}\n".encode() + _data(content)
        yield f"tag {release.tag}\nfrom :{mark}\ntagger {who}\n".encode()
        yield _data(f"{release.tag}\n".encode())


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _git(folder: Path, *arguments: str, fed: bytes = b"") -> None:
    environment = scrubbed_environment(os.environ, ("GIT_",)) | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_DIR": str(folder),
    }
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            input=fed,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitError("`git` is not installed", hint="install git, then try again") from error
    if done.returncode:
        cause = done.stderr.decode(errors="replace").strip()
        raise GitError(f"`git {arguments[0]}` failed in `{folder}`", cause=cause)
