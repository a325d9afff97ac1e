from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.hashing import full_hashes, short_hash
from comfydock_core.storage.steady_file import steady_file

from tests.core.storage.model_files import write_model

NOBODY = 65534


@pytest.fixture
def closed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that this process may not read; root becomes somebody for whom that is so."""
    write_model(tmp_path / "closed.safetensors").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above may be closed as well
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield Path("closed.safetensors")
    finally:
        if root:
            os.seteuid(0)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("read", [short_hash, full_hashes])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Path.mkdir, "is no regular file"),
        (_pipe, "is no regular file"),
        (_socket, "is no regular file"),
        (_device, "is no regular file"),
        (lambda path: None, "could not be read"),
        (lambda path: path.symlink_to(path), "could not be read"),
    ],
    ids=["folder", "pipe", "socket", "device", "absent", "link to itself"],
)
def test_what_is_no_file_is_refused_by_name_and_never_waited_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    said: str,
    read: Callable[[Path], object],
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    path = tmp_path / "m.safetensors"
    make(path)
    with pytest.raises(StorageError) as caught:
        read(path)
    assert caught.value.sentence == f"`{path}` {said}"
    assert caught.value.subject == str(path)


@pytest.mark.parametrize("read", [short_hash, full_hashes])
def test_a_closed_file_is_refused_by_name(
    closed_file: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(StorageError, match=closed_file.name) as caught:
        read(closed_file)
    assert "Permission denied" in caught.value.cause


def test_a_file_that_becomes_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path, file, pipe = (tmp_path / name for name in ("m.safetensors", "file", "pipe"))
    write_model(file)
    os.mkfifo(pipe)
    path.symlink_to(file)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for target in (pipe, file):
                aside = tmp_path / "aside"
                aside.symlink_to(target)
                aside.replace(path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcomes = set()
    try:
        for _ in range(1000):
            try:
                short_hash(path)
            except StorageError as error:
                outcomes.add(error.sentence)
    finally:
        over.set()
        swapping.join()
    assert outcomes <= {
        f"`{path}` is no regular file",
        f"`{path}` changed while it was read",
    }


def test_a_range_is_read_where_it_lies_and_up_to_the_end(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors", bytes(range(100)))
    with steady_file(path) as file:
        assert file.size == 100
        assert file.read_at(10, 5) == bytes(range(10, 15))
        assert file.read_at(95, 50) == bytes(range(95, 100))
        file.move_to(50)
        buffer = memoryview(bytearray(4))
        assert (file.read_into(buffer), bytes(buffer)) == (4, bytes(range(50, 54)))
