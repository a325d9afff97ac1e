"""Files and folders that are either whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from comfydock_core.errors import DiskFullError, StorageError

UNFINISHED = ".unfinished"
"""How the files end that a killed ``write_durably`` leaves behind."""


_SYNCS_AT_ONCE = 16
_FILES_IN_MEMORY = 64
_FOR_ALL = 0o644
FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""What the operating system says of a full disk."""


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` last; a platform that cannot open folders is left alone."""
    with suppress(PermissionError, IsADirectoryError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_durably(path: Path, data: bytes, mode: int = _FOR_ALL) -> None:
    """Replace ``path`` with ``data`` at once: a reader sees the old bytes or the new ones."""
    _replace(path, data, mode)
    with storage_errors(path):
        sync_folder(path.parent)


def write_all_durably(files: Iterable[tuple[Path, bytes]]) -> None:
    """Replace each path with its data as ``write_durably`` does, in no order.

    Syncs that wait side by side share one commit of the file system's journal.
    """
    left, folders = iter(files), set[Path]()
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:
        while batch := list(islice(left, _FILES_IN_MEMORY)):
            folders |= {path.parent for path, _ in batch}
            for _ in pool.map(lambda file: _replace(*file), batch):
                pass
    for folder in folders:
        with storage_errors(folder):
            sync_folder(folder)


def _replace(path: Path, data: bytes, mode: int = _FOR_ALL) -> None:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name may have 255 bytes on most systems, and the longest of ours do.
        prefix = f".{path.name[:50]}."
        descriptor, name = tempfile.mkstemp(UNFINISHED, prefix, path.parent)
        aside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.chmod(mode)
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals around ``path`` into StorageError."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """Say what the operating system refused, in one sentence with a next step."""
    hints = {
        errno.EACCES: "check who owns the folder",
        errno.EROFS: "choose a folder that can be written",
        errno.EXDEV: "keep the whole workspace on one disk: move it, then set COMFYDOCK_HOME to it",
    }
    place = error.filename or path
    if error.errno in FULL:
        return DiskFullError(f"`{place}`: {error.strerror or error}", subject=str(place))
    return StorageError(
        f"`{place}`: {error.strerror or error}",
        hint=hints.get(error.errno or 0, ""),
        subject=str(place),
    )


def remove_folder(folder: Path, trash: Path) -> None:
    """Delete ``folder`` so that it is gone at once, whatever happens while its files go.

    It is renamed into ``trash`` first (same file system); what a killed run left there goes too.
    ``trash`` itself stays: another process may be about to use it.
    """
    left: list[Path] = []
    with storage_errors(folder):
        trash.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            left = [_thrown_away(folder, trash)]
            sync_folder(folder.parent)
        left += trash.iterdir()
    for rest in left:
        shutil.rmtree(rest, onerror=_force_removal)


def _thrown_away(folder: Path, trash: Path) -> Path:
    """Rename ``folder`` into ``trash``, or beside itself where that is another disk."""
    name = f"deleted-{secrets.token_hex(6)}"
    try:
        return folder.rename(trash / name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return folder.rename(folder.with_name(f".{name}"))


def _force_removal(function: Callable[[str], object], path: str, _: object) -> None:
    """Try again with leave to delete: Windows asks the file for it, other systems its folder.

    Never through a link: what it points to is somebody else's.
    """
    with suppress(OSError):
        Path(path).parent.chmod(stat.S_IRWXU)
        if not Path(path).is_symlink():
            Path(path).chmod(stat.S_IRWXU)
        function(path)


@contextmanager
def staging_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Give a private (0700) folder below ``parent`` that is gone afterwards.

    A lock beside it says that its process lives; what a killed process left is swept out here.
    """
    with storage_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        folder = parent / f"{prefix}{secrets.token_hex(6)}"
        lock = FileLock(f"{folder}.lock")
        lock.acquire()
    try:
        with storage_errors(parent):
            folder.mkdir(mode=0o700)
        yield folder
    finally:
        _remove_staging(folder, lock)


def _sweep(parent: Path) -> None:
    for path in parent.glob("*.lock"):
        lock = FileLock(path)
        with suppress(Timeout, OSError):
            lock.acquire(timeout=0)
            _remove_staging(path.with_suffix(""), lock)


def _remove_staging(folder: Path, lock: FileLock) -> None:
    """Remove a staging folder, then its lock's file while the lock is still held."""
    shutil.rmtree(folder, onerror=_force_removal)
    with suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()


def copy_tree(source: Path, destination: Path, ignored: tuple[str, ...] = ()) -> None:
    """Copy a folder; links are copied as links, so nothing outside ``source`` is read."""
    with storage_errors(destination):
        shutil.copytree(source, destination, symlinks=True, ignore=shutil.ignore_patterns(*ignored))
