"""Nobody waits for ever: a socket's own timeout begins anew with each byte that trickles in."""

from __future__ import annotations

import threading
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


@contextmanager
def watched(
    give_up: Callable[[], object], seconds: float, received: Callable[[], int] = lambda: 0
) -> Iterator[Watch]:
    """Call ``give_up`` from another thread once next to nothing was ``received`` for ``seconds``.

    ``received`` counts the bytes so far; without it all that is done in the block has to be over
    in that time.
    """
    watch, over = Watch(), threading.Event()

    def look() -> None:
        before = 0
        while not over.wait(seconds):
            now = received()
            if now - before < _TRICKLE:
                watch.is_late = True
                with suppress(OSError, RuntimeError, ValueError):  # it may have ended by itself
                    give_up()
                return
            before = now

    threading.Thread(target=look, name="http-patience", daemon=True).start()
    try:
        yield watch
    finally:
        over.set()


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
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with _head_in_time(self):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
