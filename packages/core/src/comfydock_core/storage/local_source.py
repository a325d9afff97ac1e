"""A file of this machine as a source: it is read as the body of an answer is."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from comfydock_core.errors import DownloadError, NetworkError
from comfydock_core.storage.http_answers import HttpAnswer

LOCAL = "file://"
THIS_MACHINE = "this machine"
"""Who gives what a ``file://`` address names."""
_BLOCK = 1 << 20


class LocalStream:
    """A file that is open for reading, with the face of an ``HttpStream``."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        path = _path_of(url)
        try:
            self._file = stack.enter_context(path.open("rb", buffering=0))
            size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise _unreadable(path, error) from error
        self.route = None
        self.answer = HttpAnswer(
            status=200,
            url=url,
            public=url,
            service=THIS_MACHINE,
            headers={"content-length": str(size)},
        )

    def read_some(self, limit: int) -> bytes:
        """Return the next bytes, at most ``limit``; nothing at the end."""
        try:
            return self._file.read(limit)
        except OSError as error:
            raise _unreadable(Path(self._file.name), error) from error

    def abort(self) -> None:
        """Do nothing: a disk does not keep anybody waiting."""


def is_same_as_local(url: str, path: Path) -> bool:
    """Whether ``path`` has, byte for byte, what a ``file://`` address names.

    Not for any other address, nor where one of the two cannot be read.
    """
    try:
        if not url.startswith(LOCAL):
            return False
        with path.open("rb") as one, _path_of(url).open("rb") as other:
            if os.path.sameopenfile(one.fileno(), other.fileno()):
                return True
            return _size(one) == _size(other) and _have_equal_bytes(one, other)
    except (OSError, NetworkError):
        return False


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _have_equal_bytes(one: BinaryIO, other: BinaryIO) -> bool:
    while (block := one.read(_BLOCK)) == other.read(_BLOCK):
        if not block:
            return True
    return False


def _path_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise DownloadError(
            f"`{url}` names a file of another machine",
            hint="write it as file:///path/to/file",
            subject=url,
        )
    return Path(url2pathname(parts.path))


def _unreadable(path: Path, error: OSError) -> NetworkError:
    return DownloadError(
        f"`{path}` could not be read",
        cause=error.strerror or str(error),
        hint="check the address",
        subject=str(path),
    )
