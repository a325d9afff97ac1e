from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.errors import BusyError, StorageError
from comfydock_core.events import Event, Notice, SilentReporter
from comfydock_core.storage.index_database import BrokenIndexError, IndexDatabase
from comfydock_core.storage.model_index import ModelIndex
from comfydock_core.storage.model_schema import APPLICATION_ID, MIGRATIONS
from filelock import FileLock

from tests.core.storage.model_files import Recorder, roots, write_model


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for number in range(300):
        write_model(tmp_path / "models" / f"{number}.safetensors", b"%d" % number)
    return tmp_path / "models"


def _text(path: Path) -> None:
    path.write_text("this is no database at all\n" * 100)


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE somebody_elses (thing TEXT)")
    connection.close()


def _damaged(path: Path) -> None:
    """Keep SQLite's first page and overwrite all others."""
    with ModelIndex(path) as index:
        index.scan(roots(path.parent / "models"), SilentReporter())
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def _cut(path: Path) -> None:
    with ModelIndex(path) as index:
        index.scan(roots(path.parent / "models"), SilentReporter())
    path.write_bytes(path.read_bytes()[:10000])


def _without_a_table(path: Path) -> None:
    ModelIndex(path).all()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE sources")
    connection.close()


def _written_into(change: str) -> Callable[[Path], None]:
    """Return what writes into an index of ours as nobody should."""

    def spoil(path: Path) -> None:
        with ModelIndex(path) as index:
            index.scan(roots(path.parent / "models"), SilentReporter())
            index.add_source(index.all()[0].hash, "custom", "https://h.org/x")
        with sqlite3.connect(path) as connection:
            connection.execute(f"UPDATE OR REPLACE {change}")
        connection.close()

    return spoil


BYTES = tuple(
    _written_into(change)
    for change in (
        "models SET hash = x'00ff' WHERE size > 1",
        "models SET short_hash = x'00ff' WHERE size > 1",
        "models SET blake3 = x'00ff'",
        "models SET sha256 = CAST('text' AS BLOB)",
        "models SET size = 'large'",
        "folders SET path = CAST(path AS BLOB)",
        "folders SET prefix = x'00ff'",
        "locations SET hash = CAST(hash AS BLOB)",
        "locations SET filename = CAST(filename AS BLOB)",
        "sources SET hash = CAST(hash AS BLOB)",
        "sources SET url = x'00ff'",
    )
)
NO_TEXT = _written_into("locations SET filename = CAST(x'ff' AS TEXT) WHERE size = 1")
BROKEN = (_text, _foreign, _damaged, _cut, _without_a_table, *BYTES)


@pytest.mark.parametrize("spoil", BROKEN)
def test_a_scan_replaces_a_broken_index_and_says_so(
    tmp_path: Path, library: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "index.db"
    spoil(path)
    spoilt = path.read_bytes()
    recorder = Recorder()
    with ModelIndex(path) as index:
        assert index.scan(roots(library), recorder).added == 300
        assert len(index.all()) == 300
    (notice,) = [event for event in recorder.events if isinstance(event, Notice)]
    assert "`index.db.broken-1`" in notice.text
    assert (tmp_path / "index.db.broken-1").read_bytes() == spoilt


@pytest.mark.parametrize("spoil", [*BROKEN, NO_TEXT])
def test_a_question_to_a_broken_index_says_what_to_do(
    tmp_path: Path, library: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "index.db"
    (tmp_path / "index.db.broken-1").write_text("an older one")
    spoil(path)
    with ModelIndex(path) as index:
        with pytest.raises(BrokenIndexError) as caught:
            index.all()
        assert "`index.db.broken-2`" in caught.value.sentence
        assert "model index scan" in caught.value.hint
        assert index.all() == ()


def test_the_log_of_a_broken_index_goes_with_it(tmp_path: Path, library: Path) -> None:
    path = tmp_path / "index.db"
    _damaged(path)
    holder = sqlite3.connect(path)
    holder.execute("PRAGMA user_version").fetchone()
    assert (tmp_path / "index.db-wal").exists()
    with ModelIndex(path) as index, pytest.raises(BrokenIndexError):
        index.all()
    assert not (tmp_path / "index.db-wal").exists()
    assert (tmp_path / "index.db.broken-1-wal").exists()
    holder.close()


def test_an_index_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with ModelIndex(path) as index:
        index.all()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with ModelIndex(path) as index, pytest.raises(StorageError, match="newer comfydock"):
        index.all()
    assert [entry.name for entry in tmp_path.glob("*broken*")] == []


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "index.db"
    with ModelIndex(path) as index:
        assert not path.exists()
        assert index.all() == ()
    connection = sqlite3.connect(path)
    pragmas = ("application_id", "user_version", "journal_mode")
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    (schema,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'models'").fetchone()
    connection.close()
    assert found == [APPLICATION_ID, len(MIGRATIONS), "wal"]
    assert "blake3-sampled-1" in schema


def test_an_empty_file_becomes_an_index(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    path.touch()
    with ModelIndex(path) as index:
        assert index.all() == ()


INSERT = "INSERT INTO models (hash, short_hash, size) VALUES (?, ?, 1)"


def _add_then_stop(database: IndexDatabase) -> None:
    with database.transaction() as connection:
        connection.execute(INSERT, ("a", "a"))
        raise KeyboardInterrupt


def test_a_transaction_is_whole_or_not_there(tmp_path: Path) -> None:
    with IndexDatabase(tmp_path / "index.db") as database:
        with pytest.raises(KeyboardInterrupt):
            _add_then_stop(database)
        with database.transaction() as connection:
            connection.execute(INSERT, ("b", "b"))
        with database.session() as connection:
            assert connection.execute("SELECT hash FROM models").fetchall() == [("b",)]


def test_a_scan_waits_for_another_process_that_writes(tmp_path: Path, library: Path) -> None:
    path = tmp_path / "index.db"
    with ModelIndex(path) as index:
        index.all()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        added: list[int] = []
        scan = threading.Thread(
            target=lambda: added.append(index.scan(roots(library), SilentReporter()).added)
        )
        scan.start()
        scan.join(0.2)
        assert scan.is_alive()
        other.execute("COMMIT")
        scan.join(30)
        other.close()
    assert added == [300]


def _held_by_a_transaction(path: Path) -> Callable[[], None]:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def _held_by_a_migration(path: Path) -> Callable[[], None]:
    path.unlink()
    lock = FileLock(f"{path}.lock", thread_local=False)
    lock.acquire()
    return lock.release


class _Releaser:
    """Ends the wait as soon as it is told of it."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.release: Callable[[], None] = lambda: None

    def report(self, event: Event) -> None:
        assert isinstance(event, Notice)
        self.notices.append(event)
        self.release()


@pytest.mark.parametrize("hold", [_held_by_a_transaction, _held_by_a_migration])
def test_waiting_for_another_process_is_said(
    tmp_path: Path, hold: Callable[[Path], Callable[[], None]]
) -> None:
    path = tmp_path / "index.db"
    with IndexDatabase(path) as database, database.session():
        pass
    releaser = _Releaser()
    releaser.release = hold(path)
    with IndexDatabase(path, releaser) as database, database.transaction() as connection:
        connection.execute(INSERT, ("a", "a"))
    (notice,) = releaser.notices
    assert f"`{path}`" in notice.text


@pytest.mark.parametrize("hold", [_held_by_a_transaction, _held_by_a_migration])
def test_waiting_for_another_process_has_an_end(
    tmp_path: Path, hold: Callable[[Path], Callable[[], None]]
) -> None:
    path = tmp_path / "index.db"
    with IndexDatabase(path) as database, database.session():
        pass
    release = hold(path)
    with IndexDatabase(path, patience=0.1) as database:
        with pytest.raises(BusyError) as caught, database.transaction():
            pass
        assert f"`{path}`" in caught.value.sentence
        release()
        with database.transaction() as connection:
            connection.execute(INSERT, ("a", "a"))


def test_reading_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    recorder = Recorder()
    with ModelIndex(path, recorder) as index:
        assert index.all() == ()
        release = _held_by_a_transaction(path)
        assert index.all() == ()
        release()
    assert recorder.events == []


@pytest.mark.skipif(sys.platform != "linux", reason="folders that nobody can write, even root")
@pytest.mark.parametrize("path", [Path("/sys/kernel/index.db"), Path("/proc/self/new/index.db")])
def test_a_folder_that_cannot_be_written_is_named(path: Path) -> None:
    with ModelIndex(path) as index, pytest.raises(StorageError) as caught:
        index.all()
    assert str(path.parent) in caught.value.sentence


@pytest.mark.parametrize("in_the_way", ["folder", "file"])
def test_a_place_that_cannot_hold_an_index_is_named(tmp_path: Path, in_the_way: str) -> None:
    path = tmp_path / "index.db"
    if in_the_way == "folder":
        path.mkdir()
    else:
        path = write_model(tmp_path / "file") / "index.db"
    with ModelIndex(path) as index, pytest.raises(StorageError) as caught:
        index.all()
    assert str(tmp_path) in caught.value.sentence
