"""New files below one folder, and nowhere else.

Where the system can, every step goes through a descriptor of the folder above, so that nobody who
swaps a folder for a link meanwhile can lead the next file out of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from comfydock_core.errors import StorageError
from comfydock_core.storage.archive import ArchiveMember
from comfydock_core.storage.durable_files import storage_error

_FOLDER_MODE = 0o755
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_DIRECTORY", 0)


class MemberTree(Protocol):
    """A folder that takes new files; use it as a context manager.

    ``open_new`` returns a descriptor to write to, never of a file that was there before. Paths
    are POSIX, relative and already checked.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def open_new(self, path: str, mode: int) -> int: ...


class DescriptorTree:
    """Opens each folder below the descriptor of the one above; keeps the latest branch open."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _FOLDER)
        self._branch: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(0)
        os.close(self._root)

    def open_new(self, path: str, mode: int) -> int:
        """Create ``path`` and the folders above it; return its descriptor."""
        *folders, name = path.split("/")
        kept = 0
        while kept < min(len(folders), len(self._branch)) and (
            folders[kept] == self._branch[kept][0]
        ):
            kept += 1
        self._leave(kept)
        for folder in folders[kept:]:
            self._branch.append((folder, self._enter_folder(folder)))
        return os.open(name, _NEW_FILE, mode, dir_fd=self._here())

    def _here(self) -> int:
        return self._branch[-1][1] if self._branch else self._root

    def _enter_folder(self, name: str) -> int:
        above = self._here()
        try:
            return os.open(name, _FOLDER, dir_fd=above)
        except FileNotFoundError:
            os.mkdir(name, _FOLDER_MODE, dir_fd=above)
            return os.open(name, _FOLDER, dir_fd=above)

    def _leave(self, depth: int) -> None:
        while len(self._branch) > depth:
            os.close(self._branch.pop()[1])


class PathTree:
    """The same by full paths, for systems without folder descriptors (Windows)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held open."""

    def open_new(self, path: str, mode: int) -> int:
        """Create ``path`` and the folders above it; return its descriptor."""
        place = self._root.joinpath(*path.split("/"))
        place.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        return os.open(place, _NEW_FILE, mode)


def open_tree(root: Path) -> MemberTree:
    """Return the safest tree that this system has, below the existing folder ``root``."""
    if os.supports_dir_fd >= {os.open, os.mkdir}:
        return DescriptorTree(root)
    return PathTree(root)


def write_member(
    tree: MemberTree, path: str, mode: int, chunks: Iterable[bytes | memoryview]
) -> ArchiveMember:
    """Write ``chunks`` to the new file ``path``; return what was written."""
    descriptor = _open_new(tree, path, mode)
    try:
        return measure_member(path, mode, _written(descriptor, path, chunks))
    finally:
        os.close(descriptor)


def measure_member(path: str, mode: int, chunks: Iterable[bytes | memoryview]) -> ArchiveMember:
    """Return what ``write_member`` would write, without writing."""
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return ArchiveMember(path=path, size=size, mode=mode, sha256=digest.hexdigest())


def _written(
    descriptor: int, path: str, chunks: Iterable[bytes | memoryview]
) -> Iterator[bytes | memoryview]:
    """Pass ``chunks`` on once they are written."""
    for chunk in chunks:
        try:
            _write_all(descriptor, chunk)
        except OSError as error:
            # The error itself has no name, and the archive that is read is not what is full.
            raise storage_error(Path(path), error) from error
        yield chunk


def _open_new(tree: MemberTree, path: str, mode: int) -> int:
    try:
        return tree.open_new(path, mode)
    except UnicodeEncodeError as error:
        raise StorageError(
            f"`{path}` has a name that this system cannot write",
            hint="run the command under a UTF-8 locale",
            subject=path,
        ) from error


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
