"""Models directories -> which model files lie there, and what was left out and why."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.names import MODEL_EXTENSIONS

# Each of these, as a file's ending or beside a file of that name, means "not whole yet":
# curl-like tools, aria2, Stability Matrix, the Hugging Face client.
UNFINISHED_MARKS = (".part", ".aria2", ".dl-meta", ".incomplete")

Place = tuple[str, str]
"""Models directory (absolute) and path below it (POSIX)."""

FileState = tuple[int, int, int]
"""Size in bytes, mtime in nanoseconds, inode; the inode is 0 where a scan cannot see it."""

_INODE_BITS = (1 << 63) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedFile:
    """A file or folder that was left out. ``path`` is printable even if the real name is not."""

    path: str
    reason: str


class Walk:
    """What lies in the models directories now.

    ``unseen`` are places that could not be looked at, mostly folders: nothing is known of what is
    there or below. The path below a models directory is empty for the directory itself.
    """

    def __init__(self) -> None:
        self.files: dict[Place, FileState] = {}
        self.skipped: list[SkippedFile] = []
        self.unseen: list[Place] = []

    def skip(self, path: str, reason: str) -> None:
        """Note that ``path`` was left out."""
        printable = os.fsencode(path).decode("utf-8", "backslashreplace")
        self.skipped.append(SkippedFile(path=printable, reason=reason))

    def cannot_see(self, folder: _Folder, error: OSError) -> None:
        """Note a folder (or a file, or what a link leads to) that could not be looked at."""
        self.skip(folder.path, f"cannot be read: {error.strerror or error}")
        self.unseen.append((folder.root, folder.prefix.rstrip("/")))

    def may_hold(self, place: Place) -> bool:
        """Whether ``place`` is, or is below, what could not be looked at."""
        directory, relative = place
        return any(
            directory == root and (not unseen or f"{relative}/".startswith(f"{unseen}/"))
            for root, unseen in self.unseen
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Folder:
    """A folder to look into; ``prefix`` begins the relative paths in it, with its slash."""

    root: str
    path: str
    prefix: str


def path_of(place: Place) -> Path:
    """Return the absolute path of a place."""
    return Path(*place)


def state_of(status: os.stat_result) -> FileState:
    """Return what tells whether a file is still the same; the inode fits a database's integer."""
    return status.st_size, status.st_mtime_ns, status.st_ino & _INODE_BITS


def is_unchanged(path: Path, state: FileState) -> bool:
    """Whether the file is there as ``state`` says; an inode of 0 says nothing (Windows)."""
    try:
        size, mtime, inode = state_of(path.stat())
    except OSError:
        return False
    return (size, mtime) == state[:2] and state[2] in (0, inode)


def walk_models(directories: Iterable[Path]) -> Walk:
    """List every model file below the directories, each folder once however many links lead to it.

    A file belongs to the nearest of the directories. Real folders come before linked ones, so
    that the same tree always gives the same relative paths.
    """
    walk = Walk()
    names = dict.fromkeys(os.path.normpath(directory.absolute()) for directory in directories)
    visited: set[tuple[int, int]] = set()
    roots = [_Folder(root=name, path=name, prefix="") for name in names]
    pending = [root for root in roots if _is_new(root, visited, walk)]
    linked: list[_Folder] = []
    while pending or linked:
        if not pending:
            link = linked.pop(0)
            pending = [link] if _is_new(link, visited, walk) else []
            continue
        folder = pending.pop()
        try:
            with os.scandir(folder.path) as entries:
                inner, links = _look_into(folder, list(entries), walk)
        except OSError as error:
            walk.cannot_see(folder, error)
            continue
        pending += [below for below in inner if _is_new(below, visited, walk)]
        linked = sorted(linked + links, key=lambda link: link.path)
    return walk


def _is_new(folder: _Folder, visited: set[tuple[int, int]], walk: Walk) -> bool:
    """Whether this folder, by its identity, was not met before; from now on it was."""
    try:
        status = Path(folder.path).stat()
    except OSError as error:
        walk.cannot_see(folder, error)
        return False
    identity = (status.st_dev, status.st_ino)
    if identity in visited:
        return False
    visited.add(identity)
    return True


def _look_into(
    folder: _Folder, entries: list[os.DirEntry[str]], walk: Walk
) -> tuple[list[_Folder], list[_Folder]]:
    """Note the model files of one folder; return its real folders and its linked ones."""
    inner: list[_Folder] = []
    links: list[_Folder] = []
    files: list[os.DirEntry[str]] = []
    marks: list[str] = []
    for entry in entries:
        name = entry.name
        if _leads_to(entry.is_dir):
            (links if entry.is_symlink() else inner).append(_folder_in(folder, entry))
        elif name[name.rfind(".") :].lower() in MODEL_EXTENSIONS:
            files.append(entry)
        elif name.endswith(UNFINISHED_MARKS):
            marks.append(name)
        elif entry.is_symlink() and not _leads_to(entry.is_file):
            # Perhaps a folder on a disk that is not there now: its files are not gone for good.
            links.append(_folder_in(folder, entry))
    whole = _without_unfinished(folder, files, marks, walk) if marks else files
    _note_files(folder, whole, walk)
    return inner, links


def _leads_to(is_kind: Callable[[], bool]) -> bool:
    """Ask an entry for its kind; a link in a circle is of no kind, and no reason to stop."""
    try:
        return is_kind()
    except OSError:
        return False


def _folder_in(folder: _Folder, entry: os.DirEntry[str]) -> _Folder:
    return _Folder(root=folder.root, path=entry.path, prefix=f"{folder.prefix}{entry.name}/")


def _without_unfinished(
    folder: _Folder, files: list[os.DirEntry[str]], marks: list[str], walk: Walk
) -> list[os.DirEntry[str]]:
    """Leave out the files that a mark lies beside (``x.safetensors.aria2``, ``x.part``)."""
    marked = {mark.rpartition(".")[0]: mark for mark in marks}
    whole, explained = [], set()
    for entry in files:
        mark = marked.get(entry.name) or marked.get(entry.name.rpartition(".")[0])
        if mark is None:
            whole.append(entry)
        else:
            explained.add(mark)
            walk.skip(entry.path, f"is still being written: `{mark}` lies beside it")
    for mark in sorted(set(marks) - explained):
        walk.skip(str(Path(folder.path, mark)), "is still being written")
    return whole


def _note_files(folder: _Folder, entries: list[os.DirEntry[str]], walk: Walk) -> None:
    root, prefix, files = folder.root, folder.prefix, walk.files
    is_text = _is_text(folder.path)
    for entry in entries:
        try:
            status = entry.stat()
        except OSError as error:
            walk.cannot_see(_folder_in(folder, entry), error)
            continue
        if not stat.S_ISREG(status.st_mode):
            walk.skip(entry.path, "is no regular file")
        elif not status.st_size:
            walk.skip(entry.path, "is empty")
        elif is_text and _is_text(entry.name):
            files[(root, prefix + entry.name)] = state_of(status)
        else:
            walk.skip(entry.path, "has a name that is not valid text")


def _is_text(name: str) -> bool:
    """Whether a name can be stored: on Linux a name may be any bytes."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
