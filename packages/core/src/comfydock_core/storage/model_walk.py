"""The folders of the model library -> which model files lie there, what was left out and why."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.models import ModelRoot
from comfydock_core.domain.names import MODEL_EXTENSIONS
from comfydock_core.storage.folder_listing import INODE_BITS, FileState, FolderListing, Place
from comfydock_core.storage.user_paths import user_path

# Each of these, as a file's ending or beside a file of that name, means "not whole yet":
# curl-like tools, aria2, Stability Matrix, the Hugging Face client.
UNFINISHED_MARKS = (".part", ".aria2", ".dl-meta", ".incomplete")

_KIND = 0o170000
_REGULAR = 0o100000


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedFile:
    """A file or folder that was left out. ``path`` is printable even if the real name is not."""

    path: str
    reason: str


class Walk:
    """What lies in the library now: ``listings`` by the folder's absolute path.

    ``unseen`` are paths that could not be looked at, mostly of folders: nothing is known of what
    is there or below.
    """

    def __init__(self) -> None:
        self.listings: dict[str, FolderListing] = {}
        self.skipped: list[SkippedFile] = []
        self.unseen: list[str] = []

    def skip(self, path: str, reason: str) -> None:
        """Note that ``path`` was left out."""
        printable = os.fsencode(path).decode("utf-8", "backslashreplace")
        self.skipped.append(SkippedFile(path=printable, reason=reason))

    def cannot_see(self, path: str, error: OSError) -> None:
        """Note a folder (or a file, or what a link leads to) that could not be looked at."""
        self.skip(path, f"cannot be read: {error.strerror or error}")
        self.unseen.append(path)

    def may_hold(self, path: str) -> bool:
        """Whether ``path`` is, or is below, what could not be looked at."""
        return any(
            path == unseen or path.startswith(f"{unseen.rstrip(os.sep)}{os.sep}")
            for unseen in self.unseen
        )

    def state(self, place: Place) -> FileState | None:
        """Return the state of a file, None where it is not there."""
        listing = self.listings.get(place[0])
        return listing.state(place[1]) if listing else None

    def known_state(self, place: Place) -> FileState:
        """Return the state of a file that is there."""
        return self.listings[place[0]].known_state(place[1])

    def relative_path(self, place: Place) -> str:
        """Return the path below its models directory of a file in a folder that was seen."""
        return self.listings[place[0]].prefix + place[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Folder:
    """A folder to look into; ``prefix`` begins the relative paths in it, with its slash."""

    path: str
    prefix: str


def whole_place(folder: str | Path) -> str:
    """Say what makes ``folder`` too much to be looked through for models; ``""`` for any other.

    A typing error in a path, or a ``base_path`` alone, comes to the whole disk easily.
    """
    place = os.path.realpath(folder)
    if place == Path(place).anchor:
        return "is a whole disk, not a folder of models"
    if place == os.path.realpath(user_path("~")):
        return "is your home folder, not a folder of models"
    return ""


def walk_models(roots: Iterable[ModelRoot]) -> Walk:
    """List every model file of the library, each folder once however many links lead to it.

    A root, or a link, that leads to a whole disk or to the user's home folder is left out.
    A folder belongs to the nearest root above it; of roots that are the same folder, to the first
    that has a category. Real folders come before linked ones, so that the same tree always gives
    the same paths.
    """
    walk = Walk()
    visited: set[tuple[int, int]] = set()
    pending = [folder for folder in _folders_of(roots) if _is_entered(folder, visited, walk)]
    linked: list[_Folder] = []
    while pending or linked:
        if not pending:
            link = linked.pop(0)
            pending = [link] if _is_entered(link, visited, walk) else []
            continue
        folder = pending.pop()
        try:
            with os.scandir(folder.path) as entries:
                inner, links = _look_into(folder, list(entries), walk)
        except OSError as error:
            walk.cannot_see(folder.path, error)
            continue
        pending += [below for below in inner if _is_new(below, visited, walk)]
        if links:
            linked = sorted(linked + links, key=lambda link: link.path)
    return walk


def _folders_of(roots: Iterable[ModelRoot]) -> list[_Folder]:
    folders: dict[str, _Folder] = {}
    for root in sorted(roots, key=lambda root: not root.category):
        path = os.path.normpath(Path(root.path).absolute())
        prefix = f"{root.category}/" if root.category else ""
        folders.setdefault(path, _Folder(path=path, prefix=prefix))
    return list(folders.values())


def _is_entered(folder: _Folder, visited: set[tuple[int, int]], walk: Walk) -> bool:
    """Whether to look into a root or a linked folder."""
    if reason := whole_place(folder.path):
        walk.skip(folder.path, reason)
        return False
    return _is_new(folder, visited, walk)


def _is_new(folder: _Folder, visited: set[tuple[int, int]], walk: Walk) -> bool:
    """Whether this folder, by its identity, was not met before; from now on it was."""
    try:
        status = Path(folder.path).stat()
    except OSError as error:
        walk.cannot_see(folder.path, error)
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
    named: list[os.DirEntry[str]] = []
    others: list[os.DirEntry[str]] = []
    for entry in entries:
        name = entry.name
        (named if name[name.rfind(".") :].lower() in MODEL_EXTENSIONS else others).append(entry)
    marks = [entry.name for entry in others if _is_mark(entry)]
    whole = _without_unfinished(folder, named, marks, walk) if marks else named
    listing = FolderListing(folder.path, folder.prefix)
    others += _fill(listing, whole, walk)
    walk.listings[folder.path] = listing
    return _folders_among(others, folder.prefix)


def _is_mark(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(UNFINISHED_MARKS) and not _leads_to(entry.is_dir)


def _leads_to(is_kind: Callable[[], bool]) -> bool:
    """Ask an entry for its kind; a link in a circle is of no kind, and no reason to stop."""
    try:
        return is_kind()
    except OSError:
        return False


def _without_unfinished(
    folder: _Folder, files: list[os.DirEntry[str]], marks: list[str], walk: Walk
) -> list[os.DirEntry[str]]:
    """Leave out the files that a mark lies beside (``x.safetensors.aria2``, ``x.part``)."""
    marked = {mark.rpartition(".")[0]: mark for mark in marks}
    whole, explained = [], set()
    for entry in files:
        mark = marked.get(entry.name) or marked.get(entry.name.rpartition(".")[0])
        if mark is None or _leads_to(entry.is_dir):
            whole.append(entry)
        else:
            explained.add(mark)
            walk.skip(entry.path, f"is still being written: `{mark}` lies beside it")
    for mark in sorted(set(marks) - explained):
        walk.skip(str(Path(folder.path, mark)), "is still being written")
    return whole


def _fill(
    listing: FolderListing, entries: list[os.DirEntry[str]], walk: Walk
) -> list[os.DirEntry[str]]:
    """Put the files among ``entries`` into the listing; return those that are folders."""
    names: list[str] = []
    numbers: list[int] = []
    folders: list[os.DirEntry[str]] = []
    for entry in entries:
        try:
            status = entry.stat()
        except OSError as error:
            walk.cannot_see(entry.path, error)
            continue
        if status.st_mode & _KIND == _REGULAR and status.st_size:
            names.append(entry.name)
            numbers += (status.st_size, status.st_mtime_ns, status.st_ino & INODE_BITS)
        elif stat.S_ISDIR(status.st_mode):
            folders.append(entry)
        else:
            empty = stat.S_ISREG(status.st_mode)
            walk.skip(entry.path, "is empty" if empty else "is no regular file")
    listing.fill(names, numbers)
    if not _is_text(listing.path + "".join(names)):
        _leave_out_unreadable_names(listing, walk)
    return folders


def _leave_out_unreadable_names(listing: FolderListing, walk: Walk) -> None:
    """Drop what cannot be stored as text: on Linux a name may be any bytes."""
    is_text = _is_text(listing.path)
    states = [(name, state) for name, state in listing.states() if is_text and _is_text(name)]
    kept = {name for name, _ in states}
    for name in listing.names:
        if name not in kept:
            walk.skip(str(Path(listing.path, name)), "has a name that is not valid text")
    listing.fill([name for name, _ in states], [number for _, state in states for number in state])


def _is_text(name: str) -> bool:
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _folders_among(
    entries: list[os.DirEntry[str]], prefix: str
) -> tuple[list[_Folder], list[_Folder]]:
    """Return the real folders and the linked ones."""
    inner: list[_Folder] = []
    links: list[_Folder] = []
    for entry in entries:
        folder = _Folder(path=entry.path, prefix=f"{prefix}{entry.name}/")
        if _leads_to(entry.is_dir):
            (links if entry.is_symlink() else inner).append(folder)
        elif entry.is_symlink() and not _leads_to(entry.is_file):
            # Perhaps a folder on a disk that is not there now: its files are not gone for good.
            links.append(folder)
    return inner, links
