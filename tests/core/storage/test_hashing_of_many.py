from __future__ import annotations

import hashlib
import os
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest
from blake3 import blake3
from comfydock_core.errors import StorageError
from comfydock_core.storage.hashing import FullHashes, full_hashes_of_many

from tests.core.storage.model_files import MIB, write_model, write_sparse

HUGE = 30 * 1024 * MIB
two_cores = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one file at a time here")


def _write_models(folder: Path, sizes: list[int]) -> dict[Path, FullHashes]:
    expected = {}
    for number, size in enumerate(sizes):
        content = os.urandom(size)
        path = write_model(folder / f"{number}.safetensors", content)
        expected[path] = FullHashes(
            blake3=blake3(content).hexdigest(),
            sha256=hashlib.sha256(content).hexdigest(),
            size=size,
        )
    return expected


def _hashing_threads() -> set[str]:
    return {each.name for each in threading.enumerate() if each.name.startswith("hashing")}


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [0],
        [n * MIB // 2 for n in range(6)],
        [9 * MIB + 1, 2 * MIB, 5 * MIB - 1],
        [4096] * 50,
    ],
)
def test_every_file_is_digested_and_one_that_fails_does_not_stop_the_others(
    tmp_path: Path, sizes: list[int]
) -> None:
    expected = _write_models(tmp_path, sizes)
    absent = tmp_path / "absent.safetensors"
    progress: dict[Path, int] = {}
    results = dict(full_hashes_of_many([absent, *expected], progress.__setitem__))
    failure = results.pop(absent)
    assert isinstance(failure, StorageError)
    assert failure.subject == str(absent)
    assert results == expected
    assert progress == {path: each.size for path, each in expected.items() if each.size}


@two_cores
def test_the_last_file_gets_the_cores_of_those_that_are_done(tmp_path: Path) -> None:
    # One of as many files as there are cores is done first; only then a ring may begin.
    count = os.cpu_count() or 1
    expected = _write_models(tmp_path, [*[12 * MIB] * (count - 1), 4096])
    small = list(expected)[-1]
    seen = threading.Event()
    before: set[str] = set()
    later: set[str] = set()

    def progress(path: Path, done: int) -> None:
        if path != small and done == MIB:
            before.update(_hashing_threads())
            seen.wait(30)
        elif path != small:
            later.update(_hashing_threads())

    results = full_hashes_of_many(expected, progress)
    first = next(results)
    seen.set()
    assert {first[0]: first[1], **dict(results)} == expected
    assert first[0] == small
    assert "hashing-sha256" not in before
    assert "hashing-sha256" in later


@two_cores
def test_closing_keeps_what_is_done_and_stops_the_rest(tmp_path: Path) -> None:
    huge = write_sparse(tmp_path / "huge.safetensors", HUGE)
    expected = _write_models(tmp_path / "small", [4096])
    reached: list[int] = []
    under_way = threading.Event()

    def progress(path: Path, count: int) -> None:
        if path == huge:
            reached.append(count)
            if count >= 8 * MIB:
                under_way.set()

    with closing(full_hashes_of_many([huge, *expected], progress)) as results:
        assert dict([next(results)]) == expected
        assert under_way.wait(30)
    assert reached[-1] < HUGE // 10
    assert not _hashing_threads()


@pytest.mark.parametrize("huge_files", [1, 2], ids=["in a ring", "in turn"])
def test_an_interrupt_stops_every_file_under_way(tmp_path: Path, huge_files: int) -> None:
    huge = [write_sparse(tmp_path / f"{n}.safetensors", HUGE) for n in range(huge_files)]
    reached: dict[Path, int] = {}
    main = threading.main_thread().ident or 0

    def progress(path: Path, count: int) -> None:
        reached[path] = count
        if path == huge[0] and count == 16 * MIB:
            signal.pthread_kill(main, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        dict(full_hashes_of_many(huge, progress))
    assert max(reached.values()) < HUGE // 10
    assert not _hashing_threads()
