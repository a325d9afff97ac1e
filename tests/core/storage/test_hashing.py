from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from comfydock_core.errors import StorageError
from comfydock_core.storage.hashing import (
    LARGEST_SAMPLE,
    SHORT_HASH_SCHEME,
    FullHashes,
    full_hashes,
    measured_rate,
    short_hash,
)

from tests.core.storage.model_files import MIB, write_model, write_sparse, write_twins

GIB = 1024 * MIB
SMALL = 1344 * 1024
PATTERN = bytes(range(256))


def _digests(content: bytes) -> FullHashes:
    return FullHashes(
        blake3=blake3(content).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )


def _flip(path: Path, offset: int) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def test_the_scheme_has_a_name_and_its_hashes_stay_what_they_are(tmp_path: Path) -> None:
    # Written down once: a change of these is a new scheme and a migration of every index.
    path = write_model(tmp_path / "m.safetensors", PATTERN * (3 * MIB // 256))
    _flip(path, 2 * MIB)
    assert (SHORT_HASH_SCHEME, short_hash(path)) == (
        "blake3-sampled-1",
        "1c74ebd6f7f9bc69967c28cb12ed4ae7",
    )


@pytest.mark.parametrize("size", [0, 1, 4096, SMALL - 1, SMALL])
def test_a_small_file_is_read_whole(tmp_path: Path, size: int) -> None:
    content = (PATTERN * (size // 256 + 1))[:size]
    path = write_model(tmp_path / "m.safetensors", content)
    expected = blake3(size.to_bytes(8, "little") + content).hexdigest()[:32]
    assert short_hash(path) == expected


@pytest.mark.parametrize("offset", [0, 256 * 1024 - 1, 20 * MIB - 64 * 1024, 20 * MIB - 1])
def test_a_change_at_either_end_is_seen(tmp_path: Path, offset: int) -> None:
    path = write_sparse(tmp_path / "m.safetensors", 20 * MIB)
    before = short_hash(path)
    _flip(path, offset)
    assert short_hash(path) != before


def test_the_size_counts(tmp_path: Path) -> None:
    sizes = (0, 1, SMALL, SMALL + 1, 5 * MIB, 5 * MIB + 1)
    files = [write_sparse(tmp_path / f"{size}.safetensors", size) for size in sizes]
    assert len({short_hash(file) for file in files}) == len(sizes)


@pytest.mark.parametrize("size", [SMALL + 1, 2 * MIB, 50 * MIB + 17])
def test_a_sample_lies_in_every_sixteenth_of_the_middle(tmp_path: Path, size: int) -> None:
    path = write_sparse(tmp_path / "m.safetensors", size)
    start, end = 256 * 1024, size - 64 * 1024
    seen = {short_hash(path)}
    for i in range(16):
        centre = start + (end - start) * (2 * i + 1) // 32
        _flip(path, centre)
        seen.add(short_hash(path))
    assert len(seen) == 17


@pytest.mark.parametrize(("size", "differing"), [(4 * MIB, 4096), (120 * MIB, 5 * MIB)])
def test_twins_share_a_short_hash_and_no_digest(tmp_path: Path, size: int, differing: int) -> None:
    first, second = write_twins(tmp_path, size, differing)
    assert short_hash(first) == short_hash(second)
    one, other = full_hashes(first), full_hashes(second)
    assert one.blake3 != other.blake3
    assert one.sha256 != other.sha256


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 6 * MIB + 3])
def test_both_digests_come_from_one_read(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = write_model(tmp_path / "m.safetensors", content)
    done: list[int] = []
    assert full_hashes(path, done.append) == _digests(content)
    assert done == sorted(set(done))
    assert done[-1:] == ([size] if size else [])


def _append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _cut(path: Path) -> None:
    os.truncate(path, 100)


def _replace(path: Path) -> None:
    aside = write_sparse(path.with_name("aside"), path.stat().st_size)
    os.utime(aside, ns=(0, path.stat().st_mtime_ns))
    aside.replace(path)


@pytest.mark.parametrize("change", [_append, _cut, _replace])
def test_a_file_that_changes_while_it_is_read_is_refused_by_name(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = write_sparse(tmp_path / "m.safetensors", 3 * MIB)
    changes = iter([change])

    def progress(_: int) -> None:
        for once in changes:
            once(path)

    with pytest.raises(StorageError, match="changed while it was read") as caught:
        full_hashes(path, progress)
    assert caught.value.subject == str(path)


def test_a_file_that_never_stops_growing_is_not_read_for_ever(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "m.safetensors", 3 * MIB)
    done: list[int] = []

    def progress(count: int) -> None:
        done.append(count)
        os.truncate(path, 3 * MIB + 2 * count)

    with pytest.raises(StorageError, match="changed while it was read"):
        full_hashes(path, progress)
    assert done[-1] <= 4 * MIB


def test_bytes_that_were_there_for_a_moment_are_not_taken(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "m.safetensors", 3 * MIB)
    status = path.stat()

    def progress(count: int) -> None:
        os.truncate(path, status.st_size + (4096 if count <= status.st_size else 0))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(StorageError, match="changed while it was read"):
        full_hashes(path, progress)


def test_what_progress_raises_is_no_failure_of_the_file(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "m.safetensors", 3 * MIB)

    def closed_pipe(_: int) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        full_hashes(path, closed_pipe)
    assert not _hashing_threads()


def test_a_short_hash_of_a_huge_file_reads_little_of_it(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "m.safetensors", 30 * GIB)
    begun = time.perf_counter()
    short_hash(path)
    assert time.perf_counter() - begun < 2


def test_an_interrupt_stops_a_huge_file_at_once(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "m.safetensors", 30 * GIB)
    done: list[int] = []

    def progress(count: int) -> None:
        done.append(count)
        if count == 16 * MIB:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        full_hashes(path, progress)
    assert done[-1] == 16 * MIB
    assert not _hashing_threads()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "m.safetensors", 64 * MIB)
    tracemalloc.start()
    try:
        full_hashes(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB


@pytest.mark.parametrize("size", [1, 5 * MIB, 30 * GIB])
@pytest.mark.parametrize("sample", [4096, LARGEST_SAMPLE, 30 * GIB])
def test_the_speed_comes_from_a_sample_of_what_can_be_read(
    tmp_path: Path, size: int, sample: int
) -> None:
    path = write_sparse(tmp_path / "m.safetensors", size)
    begun = time.perf_counter()
    rate = measured_rate([tmp_path / "absent", tmp_path, path], sample)
    taken = time.perf_counter() - begun
    assert rate > 0
    assert taken < 3


def test_without_bytes_there_is_no_speed(tmp_path: Path) -> None:
    empty = write_model(tmp_path / "empty.safetensors", b"")
    for paths in ([], [empty], [tmp_path / "absent", tmp_path]):
        with pytest.raises(StorageError, match="no file could be read"):
            measured_rate(paths)


def _hashing_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("hashing")]
