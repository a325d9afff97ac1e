"""The partial file and its state."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.partial_file import PartialFile, PartState, is_of_this_boot

STATE = PartState(url="https://host.example/a.bin", validator='"tag"', size=30)


@pytest.fixture
def part(tmp_path: Path) -> PartialFile:
    (tmp_path / "models").mkdir()
    return PartialFile(tmp_path / "models" / "a.bin")


def state_file(part: PartialFile) -> Path:
    return part.target.with_name("a.bin.part.json")


def test_what_is_saved_is_what_is_read(part: PartialFile) -> None:
    with part.begun(STATE) as opened:
        opened.write(20, b"0123456789")
        opened.save([(0, 10), (20, 30)])
        opened.save([(20, 30)])
    found = part.state()
    assert found is not None
    assert (found.url, found.validator, found.size) == (STATE.url, '"tag"', 30)
    assert (found.arrived, found.done) == (((20, 30),), 10)
    assert is_of_this_boot(found)
    assert json.loads(state_file(part).read_text())["arrived"] == [[20, 30]]


def test_bytes_are_read_back_from_where_they_are(part: PartialFile) -> None:
    with part.begun(STATE) as opened:
        opened.write(5, memoryview(b"middle"))
        buffer = bytearray(4)
        assert opened.read_back(memoryview(buffer), 6) == 4
    assert buffer == b"iddl"


def test_a_state_is_always_whole_json(part: PartialFile) -> None:
    with part.begun(STATE) as opened:
        for count in (500, 3, 400):
            opened.save([(n * 1000, n * 1000 + 1) for n in range(count)])
            assert len(json.loads(state_file(part).read_text())["arrived"]) == count


def test_beginning_anew_forgets_what_was_there(part: PartialFile) -> None:
    with part.begun(STATE) as opened:
        opened.write(0, b"old")
        opened.save([(0, 3)])
    with part.begun(STATE):
        assert part.state() is None
    assert part.path.read_bytes() == b""


def test_a_link_in_its_place_is_not_written_through(part: PartialFile, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    part.path.symlink_to(precious)
    state_file(part).write_text(json.dumps({"url": "", "validator": "", "size": 4}))
    assert part.state() is None
    with part.begun(STATE) as opened:
        opened.write(0, b"new")
    assert precious.read_bytes() == b"mine"


def test_a_file_that_is_not_the_one_written_to_is_never_placed(part: PartialFile) -> None:
    for exchanged in (b"", b"y" * 30, None):
        with part.begun(STATE) as opened:
            opened.write(0, b"x" * 30)
        part.path.rename(part.path.with_name("away"))
        if exchanged is not None:
            part.path.write_bytes(exchanged)
        with pytest.raises(StorageError, match="removed or exchanged"):
            part.place(30)
        assert not part.target.exists()


def test_a_file_without_all_its_bytes_is_never_placed(part: PartialFile) -> None:
    with part.begun(STATE) as opened:
        opened.write(0, b"x" * 30)
    os.truncate(part.path, 29)
    with pytest.raises(StorageError, match="removed or exchanged"):
        part.place(30)
    assert not part.target.exists()


def test_a_shorter_state_takes_the_place_of_a_longer_one(part: PartialFile) -> None:
    size = 2_000_000
    with part.begun(replace(STATE, size=size)) as opened:
        opened.write(size - 1, b"x")
        opened.save([(n * 1000, n * 1000 + 1) for n in range(1000)])
    found = part.state()
    assert found is not None
    with part.opened(found) as opened:
        opened.save([(0, 10)])
    again = part.state()
    assert again is not None
    assert again.arrived == ((0, 10),)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_pipe_in_its_place_keeps_nobody_waiting(part: PartialFile) -> None:
    part.path.write_bytes(b"x")
    os.mkfifo(state_file(part))
    assert part.state() is None


def test_a_file_takes_its_place_once(part: PartialFile) -> None:
    for _ in range(2):
        with part.begun(STATE) as opened:
            opened.write(0, b"x" * 30)
        if not part.target.exists():
            part.place(30)
    assert part.target.read_bytes() == b"x" * 30
    with pytest.raises(StorageError, match="appeared while"):
        part.place(30)
