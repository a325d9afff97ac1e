"""One of all threads and processes brings a file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.part_lock import PartLock
from filelock import FileLock, Timeout

from tests.core.storage.refused_calls import FLOCK, refusing

TAKER = """
import sys, pathlib
from comfydock_core.storage.part_lock import PartLock
lock = PartLock(pathlib.Path(sys.argv[1]))
for word in sys.stdin:
    print(lock.take() if word == "take\\n" else lock.give_back(), flush=True)
"""
"""Takes a lock and gives it back, as told, and prints what came of it."""


class Taker:
    """A process that takes a lock when it is told to; ``python`` is the command it begins with."""

    def __init__(self, path: Path, python: list[str]) -> None:
        command = [*python, "-c", TAKER, str(path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def told(self, word: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{word}\n")
        return self.process.stdout.readline().strip()

    def killed(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_one_at_a_time_has_it_and_its_file_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    one, other = PartLock(path), PartLock(path)
    assert (one.take(), other.take()) == (True, False)
    one.give_back()
    assert not path.exists()
    assert (other.take(), one.take()) == (True, False)
    other.give_back()
    assert list(tmp_path.iterdir()) == []


def test_older_versions_of_this_program_respect_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    ours, theirs = PartLock(path), FileLock(path)
    assert ours.take()
    with pytest.raises(Timeout):
        theirs.acquire(timeout=0)
    ours.give_back()
    theirs.acquire(timeout=1)
    assert not ours.take()
    theirs.release()


def test_a_killed_process_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    taker = Taker(path, [sys.executable])
    try:
        assert taker.told("take") == "True"
        assert not PartLock(path).take()
    finally:
        taker.killed()
    lock = PartLock(path)
    assert lock.take()
    lock.give_back()


def test_who_waits_learns_what_the_holder_noted_last(tmp_path: Path) -> None:
    one, other = PartLock(tmp_path / "a.lock"), PartLock(tmp_path / "a.lock")
    assert one.take()
    assert (other.take(), other.noted) == (False, "")
    one.note("https://models.example/first.bin")
    assert (other.take(), other.noted) == (False, "https://models.example/first.bin")
    one.note("https://models.example/2")
    one.give_back()
    assert (other.take(), other.noted) == (True, "https://models.example/2")
    other.give_back()


def test_what_a_killed_holder_noted_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.write_bytes(b"from https://models.example/a.bin\n")
    one, other = PartLock(path), PartLock(path)
    assert (one.take(), other.take(), other.take(), other.noted) == (True, False, False, "")
    one.give_back()
    other.give_back()


def test_the_file_of_another_holder_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    one, other = PartLock(path), PartLock(path)
    assert one.take()
    path.unlink()
    assert other.take()
    one.give_back()
    assert not PartLock(path).take()
    other.give_back()
    assert not path.exists()


@pytest.mark.skipif(not FLOCK, reason="how to refuse flock is known of Linux only")
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_where_the_system_locks_nothing_one_at_a_time_has_it(tmp_path: Path, error: int) -> None:
    path = tmp_path / "a.lock"
    one, other = (Taker(path, refusing(FLOCK, error)) for _ in range(2))
    try:
        assert (one.told("take"), other.told("take")) == ("True", "False")
        assert not PartLock(path).take()
        one.told("give back")
        assert (other.told("take"), one.told("take")) == ("True", "False")
        other.killed()
        assert one.told("take") == "True"
        one.told("give back")
    finally:
        one.killed()
        other.killed()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not FLOCK, reason="how to refuse flock is known of Linux only")
def test_the_system_s_lock_is_respected_by_who_cannot_see_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    lock, other = PartLock(path), Taker(path, refusing(FLOCK, errno.ENOLCK))
    try:
        assert lock.take()
        lock.note("https://models.example/a.bin")
        assert other.told("take") == "False"
        lock.give_back()
        assert other.told("take") == "True"
    finally:
        other.killed()


def test_a_file_that_a_machine_left_does_not_keep_others_waiting(tmp_path: Path) -> None:
    path = tmp_path / "a.part.lock"
    path.write_text("4711\nanother-machine\n")
    lock = PartLock(path)
    assert not lock.take()
    os.utime(path, (0, 0))
    (tmp_path / "a.part").write_bytes(b"still growing")
    assert not lock.take()
    os.utime(tmp_path / "a.part", (0, 0))
    with pytest.raises(StorageError, match=r"a\.part\.lock.* nothing has happened for 5 min"):
        lock.take()
    assert path.exists()
