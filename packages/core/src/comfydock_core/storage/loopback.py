"""Asking a program of ours at 127.0.0.1: no proxy, no other host, bounded in time and size.

``storage/http.py`` keeps away from this address on purpose, and is a library's import dearer.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from comfydock_core.errors import NetworkError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a loopback port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Tell whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def loopback_answer(port: int, path: str, *, seconds: float, size: int) -> bytes:
    """Return the body of a GET.

    NetworkError when nobody answers with 200 and at most ``size`` bytes within ``seconds``.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=seconds)
    deadline = time.monotonic() + seconds
    late = NetworkError(f"`{path}` is not answered in {seconds:g} s", subject=path)
    try:
        connection.connect()
        with _cut_off(connection.sock, seconds):
            connection.request("GET", path)
            body = _body(connection.getresponse(), path, size)
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= deadline:
            raise late from error
        raise NetworkError(f"`{path}` is not answered", cause=str(error), subject=path) from error
    finally:
        connection.close()
    if time.monotonic() >= deadline:
        raise late
    return body


@contextmanager
def _cut_off(connection: socket.socket, seconds: float) -> Iterator[None]:
    """End a connection after so long: its own timeout begins anew with every byte."""

    def cut() -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _body(answer: http.client.HTTPResponse, path: str, size: int) -> bytes:
    if answer.status != http.client.OK:
        raise NetworkError(f"`{path}` answers with status {answer.status}", subject=path)
    body = answer.read(size + 1)
    if len(body) > size:
        raise NetworkError(f"the answer of `{path}` is over {size >> 20} MiB", subject=path)
    return body
