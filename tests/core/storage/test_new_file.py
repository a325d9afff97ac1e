from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.new_file import new_file


def test_the_file_appears_whole_when_the_block_is_done(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with new_file(target, replace=False) as part:
        part.write_bytes(b"whole")
        assert part.parent == tmp_path
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("written", [True, False])
def test_a_block_that_fails_leaves_nothing(tmp_path: Path, written: bool) -> None:
    def fill(part: Path) -> None:
        if written:
            part.write_bytes(b"half")
        raise KeyError

    with pytest.raises(KeyError), new_file(tmp_path / "file", replace=False) as part:
        fill(part)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "file"

    def fill(part: Path) -> None:
        part.write_bytes(b"ours")
        target.write_bytes(b"theirs")

    with (
        pytest.raises(StorageError, match="exists already"),
        new_file(target, replace=False) as part,
    ):
        fill(part)
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_in_the_way_and_can_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.symlink_to("nowhere")
    with pytest.raises(StorageError), new_file(target, replace=False):
        pytest.fail("the block must not begin")
    with new_file(target, replace=True) as part:
        part.write_bytes(b"whole")
    assert not target.is_symlink()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("replace", [True, False])
def test_a_pipe_or_device_is_never_replaced(tmp_path: Path, replace: bool) -> None:
    target = tmp_path / "pipe"
    os.mkfifo(target)
    with pytest.raises(StorageError), new_file(target, replace=replace):
        pytest.fail("the block must not begin")
    assert target.is_fifo()
    assert list(tmp_path.iterdir()) == [target]
