from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from comfydock_core.errors import NetworkError
from comfydock_core.storage.loopback import free_port, is_taken, loopback_answer

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(raw: bytes, *, for_ever: bool = False) -> Iterator[int]:
    """Answer one request with bytes as they are, for ever again and again."""

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            try:
                connection.sendall(raw)
                while for_ever:
                    connection.sendall(b"x")
                    time.sleep(0.01)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=answer, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\nhi", b"hi"),
        (OK + b"\r\nhi", b"hi"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi"),
    ],
)
def test_the_body_is_returned(raw: bytes, body: bytes) -> None:
    with answering(raw) as port:
        assert loopback_answer(port, "/x", seconds=10, size=2) == body


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "`/x` answers with status 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://h.org/\r\n\r\n", "`/x` answers with status 302"),
        (OK + b"Content-Length: 3\r\n\r\nhey", "the answer of `/x` is over 0 MiB"),
        (b"SSH-2.0\r\n", "`/x` is not answered"),
        (b"", "`/x` is not answered"),
    ],
)
def test_anything_else_is_an_error(raw: bytes, sentence: str) -> None:
    with answering(raw) as port, pytest.raises(NetworkError) as failure:
        loopback_answer(port, "/x", seconds=10, size=2)
    assert failure.value.sentence == sentence


@pytest.mark.parametrize("raw", [OK + b"\r\n", b"HTTP/1.1 200 OK\r\nX-Endless: "])
def test_an_answer_that_never_ends_is_given_up(raw: bytes) -> None:
    begun = time.monotonic()
    with answering(raw, for_ever=True) as port, pytest.raises(NetworkError):
        loopback_answer(port, "/x", seconds=0.3, size=1 << 20)
    assert time.monotonic() - begun < 5


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with answering(OK + b"Content-Length: 2\r\n\r\nhi") as port:
        assert loopback_answer(port, "/x", seconds=10, size=2) == b"hi"


def test_a_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert not is_taken(port)
    with socket.create_server(("127.0.0.1", port)):
        assert is_taken(port)
