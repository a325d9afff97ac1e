"""The right to bring one file: had by one of all threads and processes, gone with a killed one.

Its file is deleted while it is held: whoever waits on a deleted file starts over with a new one.
A call of the system's own is a tenth of the work of a FileLock, which is there for Windows. Some
file systems lock nothing; there whoever makes the file has it, and a killed process leaves it.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from comfydock_core.errors import StorageError

_OPEN_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK})
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})
_NOTE = b"from "
_LONGEST_NOTE = 16 * 1024
_SILENT_SECONDS = 300.0


class PartLock:
    """A lock on ``path``, whose folder is there. What the system refuses is an OSError.

    ``noted`` is the last that the holder who was waited for has noted, known at the next try to
    take the lock; it stays empty where the system has no flock.
    """

    def __init__(self, path: Path) -> None:
        self.noted = ""
        self._path = path
        self._held: int | None = None
        self._awaited: int | None = None
        self._identity = (0, 0)
        self._file_lock: BaseFileLock | None = FileLock(path) if sys.platform == "win32" else None

    def take(self) -> bool:
        """Take it if nobody else has it, without waiting; whether it is had now.

        StorageError where a file says that another has it, but nothing happens any more.
        """
        self._hear()
        if self._file_lock is None:
            try:
                return self._take_directly()
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            self._file_lock = SoftFileLock(self._path)
        return self._take_otherwise(self._file_lock)

    def note(self, text: str) -> None:
        """Let those who wait know ``text``, one line; they can do without it."""
        if self._held is not None:
            with suppress(OSError):
                os.pwrite(self._held, _NOTE + text.encode() + b"\n", 0)

    def give_back(self) -> None:
        """Let others have it, its file deleted; without it, wait for it no longer."""
        self._hear()
        if self._held is not None:
            with suppress(OSError):
                if _identity(os.lstat(self._path)) == self._identity:
                    self._path.unlink()
            os.close(self._held)
            self._held = None
        if self._file_lock is not None:
            self._file_lock.release()

    def _take_directly(self) -> bool:
        descriptor, is_new = _opened(self._path)
        try:
            _lock(descriptor)
            status = os.fstat(descriptor)
            if status.st_nlink:
                _clear(descriptor, status.st_size)
                self._held, self._identity = descriptor, _identity(status)
        except OSError as error:
            if error.errno in _TAKEN:
                self._awaited = descriptor
                return False
            if is_new:
                # To a SoftFileLock this file would say that somebody has it.
                self._path.unlink(missing_ok=True)
            raise
        finally:
            if descriptor not in (self._held, self._awaited):
                os.close(descriptor)
        return self._held is not None

    def _hear(self) -> None:
        """Read what the holder noted: it can be read in its file even when that is deleted."""
        if self._awaited is None:
            return
        with suppress(OSError):
            self.noted = _note_in(self._awaited) or self.noted
        os.close(self._awaited)
        self._awaited = None

    def _take_otherwise(self, lock: BaseFileLock) -> bool:
        # A file with a note is that of a process which can lock it, on another machine.
        if not isinstance(lock, SoftFileLock) or not _has_note(self._path):
            with suppress(Timeout):
                lock.acquire(timeout=0)
        if isinstance(lock, SoftFileLock) and not lock.is_locked:
            self._require_sign_of_life()
        return lock.is_locked

    def _require_sign_of_life(self) -> None:
        """Refuse to wait for one who neither took the lock lately nor writes to the file."""
        times = []
        for path in (self._path, self._path.with_suffix("")):
            with suppress(FileNotFoundError):
                times.append(path.lstat().st_mtime)
        if times and time.time() - max(times) > _SILENT_SECONDS:
            raise StorageError(
                f"`{self._path}` says that another process downloads this file, "
                f"but nothing has happened for {_SILENT_SECONDS / 60:.0f} minutes",
                hint="delete that file unless such a process runs, then try again",
                subject=str(self._path),
            )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _opened(path: Path) -> tuple[int, bool]:
    """Open a lock's file and say whether it is a new one."""
    while True:
        try:
            return os.open(path, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, 0o644), True
        except FileExistsError:
            with suppress(FileNotFoundError):
                return os.open(path, _OPEN_FLAGS), False


def _clear(descriptor: int, size: int) -> None:
    """Delete the note of a killed holder; a file with anything else in it is a SoftFileLock's."""
    if size:
        if os.pread(descriptor, len(_NOTE), 0) != _NOTE:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        os.ftruncate(descriptor, 0)


def _note_in(descriptor: int) -> str:
    """Return a whole note; one that is being written is none yet."""
    line, end, _ = os.pread(descriptor, _LONGEST_NOTE, 0).partition(b"\n")
    return line[len(_NOTE) :].decode(errors="replace") if end and line.startswith(_NOTE) else ""


def _has_note(path: Path) -> bool:
    with suppress(FileNotFoundError), path.open("rb") as file:
        return file.read(len(_NOTE)) == _NOTE
    return False


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
