"""One HTTP server on a free loopback port, in a thread, for the length of a ``with`` block."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenRequest:
    """A request as it arrived; header names are in lower case, ``target`` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str]


class Exchange(BaseHTTPRequestHandler):
    """One request and the means to answer it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    pace = 0
    """Bytes a second of this answer's body; 0 is as fast as it goes."""

    @property
    def path_asked(self) -> str:
        """The path, percent-decoded, without the query."""
        return unquote(urlsplit(self.path).path)

    @property
    def query(self) -> Mapping[str, str]:
        """The query's values, the last one of each name."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def body(self) -> bytes:
        """Read the request's body, plain or chunked."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status line and all headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.start(status, {**(headers or {}), "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, status: int, value: object) -> None:
        """Send a whole answer of JSON."""
        self.reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def cut(self) -> None:
        """Close the connection as a crashed host would, in the middle of whatever was sent."""
        with suppress(OSError):  # the client may be gone already
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name it has)
        """Keep the test output quiet."""


class Served:
    """A running server: where it is and what it was asked.

    A request that ``admit`` denies is cut off without an answer, as by a network that went away.
    """

    def __init__(self, port: int, scheme: str) -> None:
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.admit: Callable[[Exchange], bool] = self.admits_all
        self._seen: list[SeenRequest] = []
        self._arrival = threading.Condition()

    @staticmethod
    def admits_all(_: Exchange) -> bool:
        """Let every request through."""
        return True

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """All requests so far, in the order of their arrival."""
        with self._arrival:
            return tuple(self._seen)

    def asked(self, method: str, path: str) -> tuple[SeenRequest, ...]:
        """The requests of one method whose path ends with ``path``."""
        return tuple(
            seen
            for seen in self.requests
            if seen.method == method and seen.target.partition("?")[0].endswith(path)
        )

    def note(self, seen: SeenRequest) -> None:
        """Record a request."""
        with self._arrival:
            self._seen.append(seen)
            self._arrival.notify_all()

    def wait_for_requests(self, count: int, seconds: float = 20) -> None:
        """Return when ``count`` requests have arrived; TimeoutError when they do not."""
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self._seen) >= count, seconds):
                raise TimeoutError(f"{len(self._seen)} of {count} requests arrived")


class Host:
    """What answers requests; ``served`` is set while it is being served."""

    served: Served

    @property
    def url(self) -> str:
        """The base address."""
        return self.served.url

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """Everything that was asked so far."""
        return self.served.requests


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is what many tests are about."""


@contextmanager
def serving(
    answer: Callable[[Exchange], None], tls: ssl.SSLContext | None = None
) -> Iterator[Served]:
    """Serve every request with ``answer`` until the block ends."""

    class Handler(Exchange):
        def _handle(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            served.note(SeenRequest(method=self.command, target=self.path, headers=headers))
            if served.admit(self):
                answer(self)
            else:
                self.cut()

        do_GET = do_HEAD = do_POST = _handle

    server = _Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    served = Served(server.server_address[1], "https" if tls else "http")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
