"""Runs: handed out in order, never twice, taken over from who is slow."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence

import pytest
from comfydock_core.storage.arriving_digests import ArrivingDigests
from comfydock_core.storage.download_pieces import PIECE, Pieces, Run, Span

SIZE = 40 * 1024 * 1024


class Place:
    """A file in memory."""

    def __init__(self) -> None:
        self.data = bytearray(SIZE)
        self.saved: list[Span] = []

    def write(self, offset: int, chunk: bytes | memoryview) -> None:
        self.data[offset : offset + len(chunk)] = chunk

    def read_back(self, buffer: memoryview, offset: int) -> int:
        buffer[:] = self.data[offset : offset + len(buffer)]
        return len(buffer)

    def save(self, arrived: Sequence[Span]) -> None:
        self.saved = list(arrived)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def digests(place: Place) -> Iterator[ArrivingDigests]:
    with ArrivingDigests(place.read_back) as digests:
        yield digests


def bring(pieces: Pieces, place: Place, run: Run, count: int) -> None:
    while count > 0:
        chunk = bytes([run.at % 251]) * min(count, 1_000_000)
        taken = pieces.take_in(run, chunk, place.write)
        assert taken
        count -= taken


def claimed(pieces: Pieces, length: int = PIECE, speed: float = 0.0) -> Run:
    run = pieces.claim(length, speed)
    assert run is not None
    return run


def span(run: Run) -> Span:
    return run.at, run.end


def test_runs_come_in_order_and_leave_enough_for_others(
    place: Place, digests: ArrivingDigests
) -> None:
    pieces = Pieces(SIZE, (), digests, place.save)
    assert span(claimed(pieces)) == (0, PIECE)
    assert span(claimed(pieces, 100 * PIECE)) == (PIECE, 2 * PIECE)
    unknown = Pieces(None, (), digests, place.save)
    assert span(claimed(unknown)) == (0, PIECE)


def test_only_holes_are_handed_out(place: Place, digests: ArrivingDigests) -> None:
    pieces = Pieces(SIZE, [(100, 200), (PIECE, SIZE)], digests, place.save)
    assert [span(claimed(pieces)) for _ in range(2)] == [(0, 100), (200, PIECE)]
    assert pieces.left == PIECE - 100


def test_a_run_goes_on_while_nobody_has_begun_there(place: Place, digests: ArrivingDigests) -> None:
    pieces = Pieces(SIZE, (), digests, place.save)
    first = claimed(pieces)
    assert pieces.extend(first, PIECE)
    assert span(first) == (0, 2 * PIECE)
    assert span(claimed(pieces)) == (2 * PIECE, 3 * PIECE)
    assert not pieces.extend(first, PIECE)


def test_what_a_run_has_not_brought_is_handed_out_again(
    place: Place, digests: ArrivingDigests
) -> None:
    pieces = Pieces(SIZE, (), digests, place.save)
    run = claimed(pieces)
    bring(pieces, place, run, 1000)
    pieces.release(run)
    assert span(claimed(pieces)) == (1000, PIECE)


def test_bytes_beyond_a_run_are_not_taken(place: Place, digests: ArrivingDigests) -> None:
    pieces = Pieces(SIZE, [(10, SIZE)], digests, place.save)
    assert pieces.take_in(claimed(pieces), b"x" * 100, place.write) == 10
    assert place.data[:11] == b"x" * 10 + b"\0"
    assert pieces.is_complete


def test_a_stalled_run_is_taken_over_whole(place: Place, digests: ArrivingDigests) -> None:
    pieces = Pieces(PIECE, (), digests, place.save)
    stalled = claimed(pieces)
    assert pieces.claim(PIECE, 1e6) is None
    bring(pieces, place, stalled, 1000)
    assert not threading.Event().wait(1.05)  # a stall is a matter of time
    thief = claimed(pieces, speed=1e6)
    assert (span(thief), span(stalled)) == ((1000, PIECE), (1000, 1000))
    assert pieces.take_in(stalled, b"late", place.write) == 0


def test_a_slow_run_is_shared_by_speed(place: Place, digests: ArrivingDigests) -> None:
    pieces = Pieces(PIECE, (), digests, place.save)
    slow = claimed(pieces)
    assert not threading.Event().wait(0.1)  # a speed needs time
    bring(pieces, place, slow, 100_000)  # at most 1 MB/s
    thief = claimed(pieces, speed=1e9)
    assert slow.end == thief.at
    assert slow.end - slow.at < 100_000
    assert thief.end == PIECE


def test_the_digest_is_that_of_the_file_whatever_came_first(
    place: Place, digests: ArrivingDigests
) -> None:
    pieces = Pieces(SIZE, (), digests, place.save)
    runs = [claimed(pieces, PIECE) for _ in range(5)]
    for run in (runs[2], runs[0], runs[4], runs[1], runs[3]):
        bring(pieces, place, run, PIECE)
        pieces.release(run)
    assert pieces.close() == ((0, SIZE),)
    assert place.saved == [(0, SIZE)]
    assert digests.result().sha256 == hashlib.sha256(place.data).hexdigest()


def test_what_was_there_is_hashed_again(place: Place, digests: ArrivingDigests) -> None:
    place.data[:] = b"k" * SIZE
    assert Pieces(SIZE, [(0, SIZE)], digests, place.save).is_complete
    assert digests.result().sha256 == hashlib.sha256(place.data).hexdigest()


def test_an_endless_file_ends_where_its_source_ends(place: Place, digests: ArrivingDigests) -> None:
    pieces = Pieces(None, (), digests, place.save)
    run = claimed(pieces)
    bring(pieces, place, run, 1000)
    assert (pieces.size, pieces.is_complete) == (None, False)
    pieces.end_here(run)
    assert (pieces.size, pieces.is_complete) == (1000, True)


def test_nothing_is_taken_after_the_end(place: Place, digests: ArrivingDigests) -> None:
    pieces = Pieces(SIZE, (), digests, place.save)
    run = claimed(pieces)
    bring(pieces, place, run, 1000)
    assert pieces.close() == ((0, 1000),)
    assert pieces.take_in(run, b"late", place.write) == 0
    assert pieces.claim(PIECE, 0) is None
