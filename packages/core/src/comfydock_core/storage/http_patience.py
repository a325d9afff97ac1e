"""Nobody waits for ever: a socket's own timeout begins anew with each byte that trickles in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from socket import SHUT_RDWR

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_TRICKLE = 16 * 1024
_USUAL_SECONDS = 30.0


class Watch:
    """Tells whether what was watched was given up."""

    is_late = False

    def __init__(
        self, give_up: Callable[[], object], seconds: float, received: Callable[[], int]
    ) -> None:
        self.due = time.monotonic() + seconds
        self._give_up = give_up
        self._seconds = seconds
        self._received = received
        self._before = 0

    def look(self) -> None:
        """Give up if next to nothing came since the last look, else say when to look again."""
        now = self._received()
        if now - self._before < _TRICKLE:
            self.is_late = True
            with suppress(OSError, RuntimeError, ValueError):  # it may have ended by itself
                self._give_up()
        self.due, self._before = time.monotonic() + self._seconds, now


class _Watchman:
    """One thread that looks after all that is watched; it goes when there is nothing left."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._changed = threading.Condition()
        self._next_look = 0.0
        self._thread: threading.Thread | None = None

    def begin(self, watch: Watch) -> None:
        with self._changed:
            self._watches.add(watch)
            # In a process that was forked off the thread is gone.
            if self._thread is None or not self._thread.is_alive():
                self._next_look = watch.due
                self._thread = threading.Thread(
                    target=self._look_around, name="http-patience", daemon=True
                )
                self._thread.start()
            elif watch.due < self._next_look:
                self._changed.notify()

    def end(self, watch: Watch) -> None:
        """After this nothing is given up any more."""
        with self._changed:
            self._watches.discard(watch)

    def _look_around(self) -> None:
        with self._changed:
            while self._watches:
                self._next_look = min(watch.due for watch in tuple(self._watches))
                wait = self._next_look - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
                self._look_at_what_is_due()
            self._thread = None

    def _look_at_what_is_due(self) -> None:
        for watch in tuple(self._watches):
            if watch.due <= self._next_look:
                watch.look()
                if watch.is_late:
                    self._watches.discard(watch)


_WATCHMAN = _Watchman()


@contextmanager
def watched(
    give_up: Callable[[], object], seconds: float, received: Callable[[], int] = lambda: 0
) -> Iterator[Watch]:
    """Call ``give_up`` from another thread once next to nothing was ``received`` for ``seconds``.

    ``received`` counts the bytes so far; without it all that is done in the block has to be over
    in that time. Neither of them may wait for anything.
    """
    watch = Watch(give_up, seconds, received)
    _WATCHMAN.begin(watch)
    try:
        yield watch
    finally:
        _WATCHMAN.end(watch)


def use_patience(manager: urllib3.PoolManager) -> None:
    """Have the heads of all answers that a manager gets arrive within the read timeout."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


@contextmanager
def _head_in_time(connection: HTTPConnection) -> Iterator[None]:
    def give_up() -> None:
        if connection.sock is not None:
            connection.sock.shutdown(SHUT_RDWR)

    seconds = connection.timeout
    with watched(give_up, seconds if isinstance(seconds, float) else _USUAL_SECONDS) as watch:
        try:
            yield
        except (OSError, HTTPException) as error:
            if watch.is_late:
                raise TimeoutError("timed out") from error
            raise
        if watch.is_late:
            # A head that was cut off by force can look like a whole one.
            raise TimeoutError("timed out")


class _Connection(HTTPConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with _head_in_time(self):
            return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def _tunnel(self) -> None:
        """Ask a proxy to lead on; its answer is a head as well."""
        with _head_in_time(self):
            super()._tunnel()

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with _head_in_time(self):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
