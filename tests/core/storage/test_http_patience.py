"""Hosts that send a byte now and then: every answer is given up, whatever it is that drips."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import NetworkError
from comfydock_core.storage.http import HttpClient, HttpLimits

LOOPBACK = HostSettings(allowed=frozenset({"127.0.0.1"}))
LIMITS = HttpLimits(connect_timeout=0.5, read_timeout=0.5, attempts=2, first_wait=0.01)
OK = b"HTTP/1.1 200 OK\r\n"
DRIPS: dict[str, tuple[bytes, bytes, str]] = {
    "a status line": (b"HTTP/1.1 200 ", b"K", "did not answer in time"),
    "headers": (OK, b"X-More: a\r\n", "did not answer in time"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "did not answer in time"),
    "a body": (OK + b"Content-Length: 9999\r\n\r\n", b"1", "sent nothing more"),
    "a body without an end": (OK + b"\r\n", b"1", "sent nothing more"),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n1\r\n", "sent nothing more"),
    "a chunk's size": (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x", "sent nothing more"),
    "the body of a refusal": (
        b"HTTP/1.1 503 No\r\nRetry-After: 0\r\nContent-Length: 900\r\n\r\n",
        b"x",
        "is in trouble",
    ),
}


@contextmanager
def dripping(first: bytes, drop: bytes) -> Iterator[int]:
    """Answer every connection with ``first``, then ``drop`` ten times a second; yield the port."""

    def drip(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            connection.recv(65536)
            connection.sendall(first)
            while True:
                connection.sendall(drop)
                time.sleep(0.1)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize("what", DRIPS)
def test_what_drips_is_given_up(what: str) -> None:
    first, drop, said = DRIPS[what]
    begun = time.monotonic()
    with (
        dripping(first, drop) as port,
        closing(HttpClient(LOOPBACK, {}, LIMITS)) as client,
        pytest.raises(NetworkError) as caught,
    ):
        client.get_json(f"http://127.0.0.1:{port}/x")
    assert said in caught.value.sentence
    assert time.monotonic() - begun < 10


def test_a_proxy_that_drips_its_leave_to_go_on_is_given_up() -> None:
    begun = time.monotonic()
    with dripping(OK, b"X-More: a\r\n") as port:
        environment = {"https_proxy": f"http://127.0.0.1:{port}"}
        with (
            closing(HttpClient(LOOPBACK, environment, LIMITS)) as client,
            pytest.raises(NetworkError, match="did not answer in time"),
        ):
            client.get_json("https://127.0.0.1:1/x")
    assert time.monotonic() - begun < 10
