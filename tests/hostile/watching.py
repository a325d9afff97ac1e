"""What a bundle must not do while it is looked at, seen from inside and from outside.

Python tells every connection, look-up and process to its audit hooks, from every thread and
library, so that nothing has to be replaced to see them.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ACTS = (
    *("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"),
    *("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
    *("os.system", "pickle.find_class", "shutil.unpack_archive"),
    *("os.symlink", "os.link"),
)


class _Watch:
    """The acts since it was started; hooks cannot be removed, so there is one for a process."""

    def __init__(self) -> None:
        self.acts: list[str] = []
        self.on = False
        self.installed = False

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        """Note what is forbidden."""
        if self.on and event in _ACTS:
            self.acts.append(f"{event} {arguments!r}"[:300])


_WATCH = _Watch()


@contextmanager
def watched() -> Iterator[list[str]]:
    """Give the list of forbidden acts, which fills up while the block runs."""
    if not _WATCH.installed:
        sys.addaudithook(_WATCH.hook)
        _WATCH.installed = True
    _WATCH.acts = []
    _WATCH.on = True
    try:
        yield _WATCH.acts
    finally:
        _WATCH.on = False


def signs(folder: Path, ours: Path) -> dict[str, tuple[int, ...]]:
    """Return what a change leaves behind of everything below a folder: kinds, identities, times.

    A folder's time tells also of what came and went; those of our workspace ``ours`` may, and a
    database and a lock are written to for being opened.
    """
    found = {}
    folders = [folder]
    while folders:
        place = folders.pop()
        for path in place.iterdir():
            status = path.lstat()
            is_folder = stat.S_ISDIR(status.st_mode)
            if is_folder:
                folders.append(path)
            is_ours = path.is_relative_to(ours)
            if is_ours and (path.name.startswith("index.db") or path.suffix == ".lock"):
                continue
            times = () if is_ours and is_folder else (status.st_size, status.st_mtime_ns)
            found[str(path)] = (status.st_mode, status.st_ino, *times)
    return found


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode (with the kind) and content of everything below a folder, by its path.

    The index of models is left out: a database is written to for being opened.
    """
    found = {}
    for path in folder.rglob("*"):
        if path.name.startswith("index.db"):
            continue
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[path.relative_to(folder).as_posix()] = (status.st_mode, content)
    return found
