"""The model files of one folder as a walk saw them, and what tells whether they are the same."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

Place = tuple[str, str]
"""A folder's absolute path and the name of a file in it."""

FileState = tuple[int, int, int]
"""Size in bytes, mtime in nanoseconds, inode; the inode is 0 where a scan cannot see it."""

INODE_BITS = (1 << 63) - 1
"""What of an inode fits a database's integer."""

_FIELDS = 3


class FolderListing:
    """The model files of a folder: ``path`` is absolute, ``prefix`` begins their relative paths.

    A prefix is POSIX and ends with a slash, or is empty. ``is_whole`` says that the index can hold
    exactly these files: one that was left out later, or kept unseen, makes the listing partial.
    """

    def __init__(self, path: str, prefix: str) -> None:
        self.path = path
        self.prefix = prefix
        self.names: list[str] = []
        self.is_whole = True
        self._numbers = array("q")
        self._positions: dict[str, int] | None = None

    def fill(self, names: list[str], numbers: list[int]) -> None:
        """Set the files: their names, and their states one after another."""
        self.names = names
        self._numbers = array("q", numbers)
        self._positions = None

    def states(self) -> Iterator[tuple[str, FileState]]:
        """Yield every name with its state."""
        numbers = iter(self._numbers)
        return zip(self.names, zip(numbers, numbers, numbers, strict=True), strict=True)

    def state(self, name: str) -> FileState | None:
        """Return the state of a file, None where it is not there."""
        return self.known_state(name) if name in self._by_name() else None

    def known_state(self, name: str) -> FileState:
        """Return the state of a file that is there."""
        position = self._by_name()[name] * _FIELDS
        size, mtime, inode = self._numbers[position : position + _FIELDS]
        return size, mtime, inode

    def _by_name(self) -> dict[str, int]:
        if self._positions is None:
            self._positions = {name: position for position, name in enumerate(self.names)}
        return self._positions

    def drop(self, name: str) -> None:
        """Leave a file out after all."""
        position = self._by_name()[name]
        del self.names[position]
        del self._numbers[position * _FIELDS : (position + 1) * _FIELDS]
        self._positions = None
        self.is_whole = False

    def digest(self) -> bytes | None:
        """Return what changes with any name or state here; None for a partial listing.

        The files count in the order in which the system names them, which only changes with the
        folder: sorting would cost more than looking again at a folder that was reordered.
        """
        if not self.is_whole:
            return None
        # No name holds a slash, so that no two lists of names give the same text.
        names = "/".join(self.names).encode()
        return blake3(names).update(b"//").update(self._numbers.tobytes()).digest()


def path_of(place: Place) -> Path:
    """Return the absolute path of a place."""
    return Path(*place)


def state_of(status: os.stat_result) -> FileState:
    """Return what tells whether a file is still the same."""
    return status.st_size, status.st_mtime_ns, status.st_ino & INODE_BITS


def is_unchanged(path: Path, state: FileState) -> bool:
    """Whether the file is there as ``state`` says; an inode of 0 says nothing (Windows)."""
    try:
        size, mtime, inode = state_of(path.stat())
    except OSError:
        return False
    return (size, mtime) == state[:2] and state[2] in (0, inode)
