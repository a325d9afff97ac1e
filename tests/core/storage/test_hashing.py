from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from comfydock_core.errors import StorageError
from comfydock_core.storage.hashing import (
    SHORT_HASH_SCHEME,
    FullHashes,
    full_hashes,
    full_hashes_of_many,
    short_hash,
)

from tests.core.storage.model_files import MIB, write_model, write_sparse, write_twins

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


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.bin"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, tmp_path / "absent.bin"):
        for read in (short_hash, full_hashes):
            with pytest.raises(StorageError) as caught:
                read(path)
            assert str(path) in caught.value.sentence


def test_a_file_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    contents = {tmp_path / f"{n}.safetensors": os.urandom(n * MIB // 2) for n in range(5)}
    for path, content in contents.items():
        write_model(path, content)
    absent = tmp_path / "absent.safetensors"
    progress: dict[Path, int] = {}
    results = dict(full_hashes_of_many([absent, *contents], progress.__setitem__))
    assert isinstance(results.pop(absent), StorageError)
    assert results == {path: _digests(content) for path, content in contents.items()}
    assert progress == {path: len(content) for path, content in contents.items() if content}


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one file at a time here")
def test_leaving_early_stops_the_file_under_way(tmp_path: Path) -> None:
    large = write_sparse(tmp_path / "large.safetensors", 512 * MIB)
    small = write_model(tmp_path / "small.safetensors")
    begun, leaving = threading.Event(), threading.Event()
    last: dict[Path, int] = {}

    def progress(path: Path, done: int) -> None:
        last[path] = done
        if path == large:
            begun.set()
            leaving.wait(30)
        else:
            begun.wait(30)

    results = full_hashes_of_many([large, small], progress)
    assert next(results)[0] == small
    leaving.set()
    results.close()
    assert last[large] < 512 * MIB
