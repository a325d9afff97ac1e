"""One of all threads and processes brings a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from comfydock_core.storage.part_lock import PartLock
from filelock import FileLock, Timeout


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
    program = (
        "import sys, pathlib; from comfydock_core.storage.part_lock import PartLock\n"
        "lock = PartLock(pathlib.Path(sys.argv[1])); print(lock.take(), flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        assert not PartLock(path).take()
        process.kill()
    lock = PartLock(path)
    assert lock.take()
    lock.give_back()
