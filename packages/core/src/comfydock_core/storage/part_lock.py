"""The right to bring one file: had by one of all threads and processes, gone with a killed one.

Its file is deleted while it is held: whoever waits on a deleted file starts over with a new one.
A call of the system's own is a tenth of the work of a FileLock, which is there for the others.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

_OPEN_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK})
_NOT_HERE = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


class PartLock:
    """A lock on ``path``, whose folder is there. What the system refuses is an OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._file_lock: FileLock | None = None

    def take(self) -> bool:
        """Take it if nobody else has it, without waiting; whether it is had now."""
        if self._file_lock is None:
            try:
                return self._take_directly()
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
            self._file_lock = FileLock(self._path)
        with suppress(Timeout):
            self._file_lock.acquire(timeout=0)
        return self._file_lock.is_locked

    def give_back(self) -> None:
        """Delete its file, then let others have it."""
        with suppress(OSError):
            self._path.unlink()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._file_lock is not None:
            self._file_lock.release()

    def _take_directly(self) -> bool:
        descriptor = os.open(self._path, _OPEN_FLAGS, 0o644)
        try:
            _lock(descriptor)
            if os.fstat(descriptor).st_nlink:
                self._descriptor = descriptor
                return True
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        finally:
            if self._descriptor is None:
                os.close(descriptor)
        return False


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
