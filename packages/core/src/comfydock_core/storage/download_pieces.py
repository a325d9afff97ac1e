"""Which bytes of a file are there, and which connection brings which of the others.

A *run* is a range of bytes that one connection is bringing. Runs are handed out in the order of the
file and never overlap, so every byte is written exactly once. When nothing is left to hand out,
an idle connection takes over as much of the slowest run as lets both end together: half of one
that is as fast, all of one that has stalled.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect, insort
from collections.abc import Callable, Iterable, Sequence

from comfydock_core.storage.arriving_digests import ArrivingDigests

Span = tuple[int, int]
"""First byte, and the byte after the last."""

ENDLESS = 1 << 62
"""The end of a file whose size is not known."""

PIECE = 8 * 1024 * 1024
_GRID = 64 * 1024
_STALLED_SECONDS = 1.0
_WORTH_TAKING_SECONDS = 0.25
_UNSAVED_BYTES = 512 * 1024
_UNSAVED_SECONDS = 1.0
_SHARES = 8


class Run:
    """The bytes ``at`` to ``end`` that a connection is yet to bring; all else of it is written."""

    def __init__(self, at: int, end: int) -> None:
        self.at = at
        self.end = end
        self._first = at
        self._begun = self._last = time.monotonic()

    def advance(self, count: int) -> None:
        """Note that ``count`` more bytes have come."""
        self.at += count
        self._last = time.monotonic()

    def speed(self) -> float:
        """Bytes a second since the run began; 0 when nothing has come for a while."""
        now = time.monotonic()
        if now - self._last > _STALLED_SECONDS:
            return 0.0
        return (self.at - self._first) / max(now - self._begun, 0.001)

    def seconds_left(self) -> float:
        """How long it will take; a run that has just begun is not yet judged."""
        speed, left = self.speed(), self.end - self.at
        if speed:
            return left / speed
        stalled = time.monotonic() - self._last > _STALLED_SECONDS
        return float("inf") if stalled and left else 0.0


class Pieces:
    """The bytes of one file, for all the threads that bring them.

    ``save`` is called with all spans that are there whenever some more have come, so that a kill
    loses little; a file that is there before that is never saved. ``digests`` are fed in the order
    of the file. Both happen under the lock.
    """

    def __init__(
        self,
        size: int | None,
        arrived: Iterable[Span],
        digests: ArrivingDigests,
        save: Callable[[Sequence[Span]], None],
    ) -> None:
        self.changed = threading.Condition()
        self._end = ENDLESS if size is None else size
        self._arrived = list(arrived)
        self._free = _gaps(self._arrived, self._end)
        self._runs: list[Run] = []
        self._digests = digests
        self._save = save
        self._unsaved = 0
        self._saved_at = time.monotonic()
        self._is_small_loss = True
        self._writing = 0
        self._closed = False
        if self._front:
            digests.feed_range(0, self._front)

    @property
    def size(self) -> int | None:
        """The size of the whole in bytes, where it is known."""
        return None if self._end == ENDLESS else self._end

    @property
    def done(self) -> int:
        """How many bytes are there."""
        with self.changed:
            return sum(end - start for start, end in self._arrived)

    @property
    def left(self) -> int:
        """How many bytes are missing; a very large number where the size is not known."""
        return self._end - self.done

    @property
    def is_complete(self) -> bool:
        """Whether every byte is there."""
        return self._front == self._end

    @property
    def _front(self) -> int:
        return self._arrived[0][1] if self._arrived and self._arrived[0][0] == 0 else 0

    def claim(self, length: int, speed: float) -> Run | None:
        """Hand out about ``length`` bytes, or what a slower run can spare for one of ``speed``."""
        with self.changed:
            if self._closed:
                return None
            run = self._next_free(length) if self._free else _taken_over(self._runs, speed)
            if run:
                self._runs.append(run)
            return run

    def extend(self, run: Run, length: int) -> bool:
        """Let a run go on where nobody else has begun; False when it cannot."""
        with self.changed:
            return not self._closed and self._lengthen(run, length)

    def take_in(
        self, run: Run, chunk: bytes, write: Callable[[int, bytes | memoryview], None]
    ) -> int:
        """Write the next bytes of a run and return how many of them it still had a right to."""
        with self.changed:
            count = 0 if self._closed else min(len(chunk), run.end - run.at)
            if not count:
                return 0
            offset = run.at
            run.advance(count)
            self._writing += 1
        mine = chunk if count == len(chunk) else memoryview(chunk)[:count]
        written = False
        try:
            write(offset, mine)
            written = True
        finally:
            with self.changed:
                self._writing -= 1
                if written:
                    self._note(offset, mine)
                if self._closed or self.is_complete:
                    self.changed.notify_all()
        self._digests.wait_for_room()
        return count

    def end_here(self, run: Run) -> None:
        """Note that a file of unknown size ends with this run."""
        with self.changed:
            self._end = run.end = run.at
            self._free = []
            self.changed.notify_all()

    def release(self, run: Run) -> None:
        """Let others have what a run has not brought."""
        with self.changed:
            self._runs.remove(run)
            if run.at < run.end:
                insort(self._free, (run.at, run.end))
            self.changed.notify_all()

    def close(self) -> tuple[Span, ...]:
        """Let nobody write any more, save what is there and return it."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()
            self.changed.wait_for(lambda: not self._writing)
            if not (self._is_small_loss and self.is_complete):
                self._save(self._arrived)
            return tuple(self._arrived)

    def _next_free(self, length: int) -> Run:
        start = self._free[0][0]
        run = Run(start, start)
        self._lengthen(run, length)
        return run

    def _lengthen(self, run: Run, length: int) -> bool:
        """Give a run more of the hole that it borders on, in shares that leave enough for all."""
        for place, (start, end) in enumerate(self._free):
            if start == run.end:
                fair = sum(b - a for a, b in self._free) // _SHARES
                wish = start + min(length, max(PIECE, fair))
                run.end = end if wish >= end else max(wish // _GRID * _GRID, start + 1)
                self._free[place : place + 1] = [(run.end, end)] if run.end < end else []
                return True
        return False

    def _note(self, offset: int, chunk: bytes | memoryview) -> None:
        front, end = self._front, offset + len(chunk)
        self._arrived = _with_span(self._arrived, offset, end)
        if offset == front:
            self._digests.feed(chunk)
            if self._front > end:
                self._digests.feed_range(end, self._front)
        self._unsaved += len(chunk)
        now = time.monotonic()
        if self._unsaved >= _UNSAVED_BYTES or now - self._saved_at >= _UNSAVED_SECONDS:
            self._unsaved, self._saved_at, self._is_small_loss = 0, now, False
            self._save(self._arrived)


def _taken_over(runs: Iterable[Run], speed: float) -> Run | None:
    """Split the run that will take longest, so that one of ``speed`` ends when it does."""
    victim = max(runs, key=Run.seconds_left, default=None)
    if victim is None or victim.end == ENDLESS:
        return None
    if victim.seconds_left() < _WORTH_TAKING_SECONDS:
        return None
    slow = victim.speed()
    share = slow / (slow + (speed or slow)) if slow else 0.0
    start = victim.at + int((victim.end - victim.at) * share)
    run = Run(start, victim.end)
    victim.end = start
    return run


def _gaps(arrived: Iterable[Span], end: int) -> list[Span]:
    gaps, at = [], 0
    for start, stop in arrived:
        if at < start:
            gaps.append((at, start))
        at = stop
    return [*gaps, (at, end)] if at < end else gaps


def _with_span(spans: list[Span], start: int, end: int) -> list[Span]:
    """Add a span that overlaps none of the sorted ``spans``, joined with its neighbours."""
    place = bisect(spans, (start, end))
    first, last = place, place
    if place and spans[place - 1][1] == start:
        first, start = place - 1, spans[place - 1][0]
    if place < len(spans) and spans[place][0] == end:
        last, end = place + 1, spans[place][1]
    return [*spans[:first], (start, end), *spans[last:]]
