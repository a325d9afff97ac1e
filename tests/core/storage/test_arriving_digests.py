"""Digests of bytes in the order in which they arrive."""

from __future__ import annotations

import hashlib
import threading

import pytest
from blake3 import blake3
from comfydock_core.storage.arriving_digests import ArrivingDigests
from comfydock_core.storage.hashing import FullHashes


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (5, 0, 100_000, 3), (70_000,) * 40])
def test_chunks_of_any_size_give_the_digests_of_the_whole(sizes: tuple[int, ...]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    whole = b"".join(chunks)
    with ArrivingDigests() as digests:
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
        with ArrivingDigests() as digests:
            digests.feed(b"x" * 100_000)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert threading.active_count() == before
