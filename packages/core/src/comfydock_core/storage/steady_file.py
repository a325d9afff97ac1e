"""Reading a file that another program may be writing: all of one version of it, or a refusal."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Literal

from comfydock_core.errors import StorageError


class SteadyFile:
    """A regular file open for reading, ``size`` bytes long when it was opened."""

    def __init__(self, path: Path, file: FileIO, size: int) -> None:
        self.path = path
        self.size = size
        self._file = file

    def read_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` from where the last read ended and return the count, 0 at the end.

        Raises StorageError.
        """
        with _named_failures(self.path):
            return self._file.readinto(buffer)

    def read_at(self, offset: int, length: int) -> memoryview:
        """Return ``length`` bytes from ``offset``, fewer only at the end. Raises StorageError."""
        data, done = memoryview(bytearray(length)), 0
        self.move_to(offset)
        while done < length and (count := self.read_into(data[done:])):
            done += count
        return data[:done]

    def move_to(self, offset: int) -> None:
        """Let the next read begin at ``offset``. Raises StorageError."""
        with _named_failures(self.path):
            self._file.seek(offset)

    def advise(
        self,
        how: Literal["SEQUENTIAL", "RANDOM", "WILLNEED", "DONTNEED"],
        offset: int = 0,
        length: int = 0,
    ) -> None:
        """Tell the system how a range (without a length: up to the end) is read, if it listens."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                advice = getattr(os, f"POSIX_FADV_{how}")
                os.posix_fadvise(self._file.fileno(), offset, length, advice)


@contextmanager
def steady_file(path: Path) -> Iterator[SteadyFile]:
    """Open a regular file for the time of the block; a pipe or a device is never waited for.

    Raises StorageError, with the file's name, for what is no regular file or cannot be read, and
    at the end of the block for a file that was changed or replaced since its beginning.
    """
    with _named_failures(path):
        before = path.stat()
    if not stat.S_ISREG(before.st_mode):
        raise StorageError(f"`{path}` is no regular file", subject=str(path))
    with _named_failures(path):
        file = FileIO(path, opener=open_without_waiting)
    with file:
        _expect_same(path, before, os.fstat(file.fileno()))
        yield SteadyFile(path, file, before.st_size)
    with _named_failures(path):
        after = path.stat()
    _expect_same(path, before, after)


def changed_while_read(path: Path) -> StorageError:
    """The refusal of a file whose bytes are of more than one version."""
    return StorageError(
        f"`{path}` changed while it was read",
        hint="wait until the program that writes it is done, then try again",
        subject=str(path),
    )


def _expect_same(path: Path, one: os.stat_result, other: os.stat_result) -> None:
    if _version(one) != _version(other):
        raise changed_while_read(path)


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def open_without_waiting(path: str, flags: int) -> int:
    """Open at once even what became a pipe a moment ago; Windows has no such pipes in folders."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def _named_failures(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"`{path}` could not be read", cause=str(error), subject=str(path)
        ) from error
