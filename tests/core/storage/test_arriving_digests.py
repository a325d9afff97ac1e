"""Digests of bytes in the order in which they arrive."""

from __future__ import annotations

import hashlib
import threading

import pytest
from blake3 import blake3
from comfydock_core.errors import StorageError
from comfydock_core.storage.arriving_digests import ArrivingDigests
from comfydock_core.storage.hashing import FullHashes


def nothing(buffer: memoryview, offset: int) -> int:
    return 0


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (5, 0, 100_000, 3), (70_000,) * 40])
def test_chunks_of_any_size_give_the_digests_of_the_whole(sizes: tuple[int, ...]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    whole = b"".join(chunks)
    with ArrivingDigests(nothing) as digests:
        for chunk in chunks:
            digests.feed(chunk)
        found = digests.result()
    assert found == FullHashes(
        blake3=blake3(whole).hexdigest(),
        sha256=hashlib.sha256(whole).hexdigest(),
        size=len(whole),
    )


def test_a_failure_leaves_no_thread_behind() -> None:
    before = threading.active_count()

    def fail() -> None:
        with ArrivingDigests(nothing) as digests:
            digests.feed(b"x" * 100_000)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert threading.active_count() == before


def test_ranges_are_read_back_from_the_file() -> None:
    whole = bytes(range(256)) * 10_000

    def read_back(buffer: memoryview, offset: int) -> int:
        buffer[:] = whole[offset : offset + len(buffer)]
        return len(buffer)

    with ArrivingDigests(read_back) as digests:
        digests.feed_range(0, 2_000_000)
        digests.feed(whole[2_000_000:2_100_000])
        digests.feed_range(2_100_000, len(whole))
        assert digests.result().sha256 == hashlib.sha256(whole).hexdigest()


def test_a_range_that_is_not_there_is_a_failure() -> None:
    with ArrivingDigests(nothing) as digests:
        digests.feed_range(0, 10)
        digests.wait_for_room()
        with pytest.raises(StorageError, match="shorter"):
            digests.result()
