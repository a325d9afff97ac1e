"""What all downloads of one run share: connections per host and in all, and bytes a second."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from comfydock_core.errors import CancelledError

_FULL_SPEED_READ = 1024 * 1024
_SMALLEST_READ = 4 * 1024
_READS_A_SECOND = 8
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadLimits:
    """How much of the line may be used: ``connections`` at once to one host and ``in_all``, and
    ``limit_rate`` bytes a second over all of them together; None is as fast as it goes.
    """

    connections: int = 8
    in_all: int = 16
    limit_rate: int | None = None


class Stop:
    """Says to all threads of a run that it is over."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._endings: list[Callable[[], object]] = []

    @property
    def is_set(self) -> bool:
        """Whether it is over."""
        return self._event.is_set()

    def set(self) -> None:
        """Say so."""
        with self._lock:
            self._event.set()
            endings = tuple(self._endings)
        for end in endings:
            end()

    @contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """Have ``end`` called by whoever says that it is over, or now if it is."""
        with self._lock:
            self._endings.append(end)
            is_over = self._event.is_set()
        try:
            if is_over:
                end()
            yield
        finally:
            with self._lock:
                self._endings.remove(end)

    def require_going(self) -> None:
        """Raise CancelledError when it is over."""
        if self._event.is_set():
            raise CancelledError("the download was stopped; what has arrived is kept")

    def pause(self, seconds: float) -> None:
        """Wait; CancelledError as soon as it is over."""
        self._event.wait(seconds)
        self.require_going()


class _Wish:
    """Somebody who waits for a connection to ``host``."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.granted = threading.Event()


class ConnectionBudget:
    """Hands out the right to hold one connection, and takes it back."""

    def __init__(self, limits: DownloadLimits) -> None:
        self.per_host = max(1, limits.connections)
        self._in_all = max(self.per_host, limits.in_all)
        self._held: Counter[str] = Counter()
        self._wishes: list[_Wish] = []
        self._lock = threading.Lock()

    def take(self, host: str, stop: Stop) -> None:
        """Wait for a connection to ``host``; who waits longest gets the next one."""
        wish = _Wish(host)
        with self._lock:
            self._wishes.append(wish)
            self._grant()
        try:
            while not wish.granted.wait(_LOOK_SECONDS):
                stop.require_going()
        except CancelledError:
            self._withdraw(wish)
            raise

    def take_spare(self, host: str) -> bool:
        """Take one more connection if nobody waits for their first one."""
        with self._lock:
            spare = self._is_free(host) and not self._is_wanted(host)
            self._held[host] += spare
            return spare

    def give_back(self, host: str) -> None:
        """Let others have the connection."""
        with self._lock:
            self._held[host] -= 1
            self._grant()

    def is_wanted(self, host: str) -> bool:
        """Whether somebody waits for what one connection to ``host`` occupies."""
        with self._lock:
            return self._is_wanted(host)

    def _grant(self) -> None:
        """Wake only those who can go on: they may be many who wait."""
        for wish in tuple(self._wishes):
            if self._is_free(wish.host):
                self._held[wish.host] += 1
                self._wishes.remove(wish)
                wish.granted.set()

    def _withdraw(self, wish: _Wish) -> None:
        with self._lock:
            if wish in self._wishes:
                self._wishes.remove(wish)
                return
        self.give_back(wish.host)

    def _is_free(self, host: str) -> bool:
        return self._held[host] < self.per_host and self._held.total() < self._in_all

    def _is_wanted(self, host: str) -> bool:
        if self._held.total() >= self._in_all:
            return bool(self._wishes)
        return any(wish.host == host for wish in self._wishes)


class TransferRate:
    """Keeps all connections together below a number of bytes a second."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._paid_until = 0.0

    @property
    def read_size(self) -> int:
        """How many bytes to read at once, so that a limited line flows instead of jerking."""
        if self._limit is None:
            return _FULL_SPEED_READ
        return min(_FULL_SPEED_READ, max(_SMALLEST_READ, self._limit // _READS_A_SECOND))

    def spend(self, count: int, stop: Stop) -> None:
        """Wait until the ``count`` bytes that were read are within the limit."""
        if self._limit is None:
            return
        with self._lock:
            now = time.monotonic()
            self._paid_until = max(self._paid_until, now) + count / self._limit
            wait = self._paid_until - now
        stop.pause(wait)
