"""The SQLite file below the model index: opened when first needed, migrated, guarded.

The index can always be made anew from the files it describes, so a damaged or foreign file is
moved aside (never deleted: it may hold sources that a user typed in) and an empty one begun.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from filelock import BaseFileLock, FileLock, Timeout

from comfydock_core.errors import BusyError, ComfydockError, DiskFullError, StorageError
from comfydock_core.events import Notice, Reporter, SilentReporter
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.model_schema import APPLICATION_ID, MIGRATIONS, MISTYPED, TABLES

_WAIT_SECONDS = 30.0
_QUIET_SECONDS = 1.0
_CACHE_KIB = 16 * 1024
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NO_SPACE = 64 * 1024
_UNDECODABLE = "Could not decode to UTF-8"
_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

# Takes the lock that every question takes.
_PROBE = "SELECT 1 FROM sqlite_master LIMIT 1"

_Answer = TypeVar("_Answer")


class BrokenIndexError(StorageError):
    """The index file was damaged or not ours; it lies aside now, and an empty one can be begun."""

    code = "broken-index"


class IndexDatabase:
    """One SQLite file, shared by threads and processes; each piece of work holds it briefly.

    Where another process holds it, this one waits for up to ``patience`` seconds; after the first
    of them a Notice says so.
    """

    def __init__(
        self, path: Path, reporter: Reporter | None = None, *, patience: float = _WAIT_SECONDS
    ) -> None:
        self._path = path
        self._queue = _Queue(path, reporter or SilentReporter(), patience)
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] = (0, 0)
        self._one_at_a_time = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._one_at_a_time:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def session(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread at a time.

        Raises BrokenIndexError once the file was moved aside, BusyError when another process
        holds it for too long, StorageError for everything else that SQLite refuses.
        """
        with self._one_at_a_time:
            try:
                if self._connection is None:
                    self._connection = self._queue.wait(lambda: _open(self._path, self._queue))
                    self._identity = _identity(self._path)
                connection = self._connection
                self._queue.wait(lambda: connection.execute(_PROBE).fetchone())
                yield connection
            except sqlite3.Error as error:
                if not _is_damage(error):
                    raise _refusal(self._path, error) from error
                self.close()
                with self._queue.alone():
                    raise _set_aside(self._path, self._identity, error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the index for writing: all of the body's changes are stored, or none."""
        with self.session() as connection:
            self._queue.wait(lambda: connection.execute("BEGIN IMMEDIATE"))
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.execute("COMMIT")


class _Queue:
    """Waits for other processes, says so once it takes longer, and gives up in the end."""

    def __init__(self, path: Path, reporter: Reporter, patience: float) -> None:
        self._path = path
        self._reporter = reporter
        self._patience = patience

    def wait(self, step: Callable[[], _Answer]) -> _Answer:
        """Take a step that SQLite refuses while another process holds the file.

        SQLite itself waits for a second each time, see ``_connect``.
        """
        begun = time.monotonic()
        is_said = False
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                if not _is_held(error) or time.monotonic() - begun >= self._patience:
                    raise
            if not is_said:
                self._say()
                is_said = True

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to create, migrate or replace the file."""
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{self._path}.lock")
            try:
                lock.acquire(timeout=min(_QUIET_SECONDS, self._patience))
            except Timeout:
                self._say()
                self._acquire_late(lock)
            try:
                yield
            finally:
                lock.release()

    def _acquire_late(self, lock: BaseFileLock) -> None:
        try:
            lock.acquire(timeout=max(0.0, self._patience - _QUIET_SECONDS))
        except Timeout as error:
            raise _busy(self._path) from error

    def _say(self) -> None:
        self._reporter.report(
            Notice(text=f"waiting for another process that holds the model index `{self._path}`")
        )


def _open(path: Path, queue: _Queue) -> sqlite3.Connection:
    """Open an index that is ready to use; create, migrate or replace it if it is not."""
    if path.is_file() and path.stat().st_size:
        connection = _connect(path)
        try:
            if _version(connection) == len(MIGRATIONS):
                _check_types(connection)
                _configure(connection)
                return connection
        except sqlite3.Error as error:
            if not _is_damage(error):
                connection.close()
                raise
        connection.close()
    return _prepare(path, queue)


def _prepare(path: Path, queue: _Queue) -> sqlite3.Connection:
    """Create, migrate or replace under a lock, so that of two processes only one finds work."""
    with queue.alone():
        connection = _connect(path)
        try:
            _bring_up_to_date(connection, path)
            _check_types(connection)
            _configure(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error) and _is_damage(error):
                raise _set_aside(path, _identity(path), error) from error
            raise
        return connection


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the missing migrations in one transaction: a cut leaves the old version whole."""
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise StorageError(
            f"the model index `{path}` was written by a newer comfydock",
            hint="update comfydock, or move the file away and run `comfydock model index scan`",
            subject=str(path),
        )
    if version == len(MIGRATIONS):
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=_QUIET_SECONDS, isolation_level=None, check_same_thread=False
    )


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    # Hashes come in no order, so that a scan comes back to the same pages again and again.
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


class _ForeignFileError(sqlite3.DatabaseError):
    """A sound SQLite file that somebody else made, or wrote into."""


def _version(connection: sqlite3.Connection) -> int:
    """Return the schema version, 0 for a new file; raises _ForeignFileError for another's."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if application == APPLICATION_ID and tables >= TABLES:
        return int(version)
    if application or version or tables:
        raise _ForeignFileError("the file is no model index")
    return 0


def _check_types(connection: sqlite3.Connection) -> None:
    if connection.execute(MISTYPED).fetchone() != (0,):
        raise _ForeignFileError("it has bytes in the place of texts")


def _is_damage(error: sqlite3.Error) -> bool:
    if isinstance(error, _ForeignFileError) or _primary_code(error) in _DAMAGED:
        return True
    # Python's own, and without a code: a text that is none.
    return _primary_code(error) == 0 and _UNDECODABLE in str(error)


def _is_held(error: sqlite3.Error) -> bool:
    return _primary_code(error) in _HELD


def _primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's own code; errors that Python raised itself have none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_dev, status.st_ino


def _set_aside(path: Path, identity: tuple[int, int], cause: sqlite3.Error) -> BrokenIndexError:
    """Move the damaged file away, unless another process already put a new one in its place.

    The write-ahead log goes first: left beside a new file, SQLite might apply it there.
    """
    aside = _free_name(path)
    if _identity(path) == identity:
        for ending in ("-wal", "-shm", ""):
            part = Path(f"{path}{ending}")
            if part.exists():
                part.rename(f"{aside}{ending}")
    return BrokenIndexError(
        f"the model index `{path}` was damaged or not ours and lies in `{aside.name}` now",
        hint="run `comfydock model index scan` to make a new one",
        cause=str(cause),
        subject=str(path),
    )


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.broken-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def _busy(path: Path) -> BusyError:
    return BusyError(
        f"the model index `{path}` is held by another process",
        hint="wait until its scan is done, then run the same command again",
        subject=str(path),
    )


def _is_full(folder: Path) -> bool:
    """Tell whether next to no space is left: SQLite calls that an I/O error at times."""
    with suppress(OSError):
        return shutil.disk_usage(folder).free < _NO_SPACE
    return False


def _refusal(path: Path, error: sqlite3.Error) -> ComfydockError:
    if _is_held(error):
        return _busy(path)
    sentence = f"the model index `{path}` could not be used"
    if _primary_code(error) == sqlite3.SQLITE_FULL or _is_full(path.parent):
        return DiskFullError(sentence, cause=str(error), subject=str(path))
    return StorageError(
        sentence,
        hint="check that its folder can be written and that the disk is not full",
        cause=str(error),
        subject=str(path),
    )
