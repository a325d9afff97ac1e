"""A host that is never the bottleneck: ``python -m benchmarks.download_host ROOT CAP RTT SLOW``.

It serves the files below ROOT with ranges over keep-alive connections, sent by the kernel. Each
connection is held to CAP bytes a second (0: no cap), each answer waits RTT seconds, and every
SLOW-th connection (0: none) gets 1 MB/s only. The port is the one line that it prints.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_SLICE = 128 * 1024
_SLOW_CAP = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """What the line to the host is like: see the module's text."""

    cap: int = 0
    rtt: float = 0.0
    slow: int = 0


@contextmanager
def download_host(root: Path, conditions: Conditions) -> Iterator[str]:
    """Run the host in a process of its own and give its address."""
    wishes = [str(root), str(conditions.cap), str(conditions.rtt), str(conditions.slow)]
    command = [sys.executable, "-m", "benchmarks.download_host", *wishes]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def _serve(root: Path, conditions: Conditions) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        print(server.getsockname()[1], flush=True)
        for number in itertools.count(1):
            connection, _ = server.accept()
            is_slow = conditions.slow and number % conditions.slow == 0
            cap = _SLOW_CAP if is_slow else conditions.cap
            threading.Thread(
                target=_talk, args=(connection, root, cap, conditions.rtt), daemon=True
            ).start()


def _talk(connection: socket.socket, root: Path, cap: int, rtt: float) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(ConnectionError), connection, connection.makefile("rb") as reader:
        while (line := reader.readline()).strip():
            headers = b"".join(iter(reader.readline, b"\r\n")).decode("latin-1")
            time.sleep(rtt)
            _answer(connection, root / line.split()[1].decode().lstrip("/"), headers, cap)


def _answer(connection: socket.socket, path: Path, headers: str, cap: int) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        match = re.search(r"^range: bytes=(\d+)-(\d*)", headers, re.IGNORECASE | re.MULTILINE)
        start = int(match[1]) if match else 0
        end = min(int(match[2]) + 1, size) if match and match[2] else size
        status = "206 Partial Content" if match else "200 OK"
        connection.sendall(
            f"HTTP/1.1 {status}\r\nContent-Length: {end - start}\r\nAccept-Ranges: bytes\r\n"
            f'ETag: "{path.name}-{size}"\r\nContent-Range: bytes {start}-{end - 1}/{size}\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
        )
        _send(connection, descriptor, (start, end), cap)
    finally:
        os.close(descriptor)


def _send(connection: socket.socket, descriptor: int, span: tuple[int, int], cap: int) -> None:
    (at, end), begun, sent = span, time.monotonic(), 0
    while at < end:
        count = os.sendfile(
            connection.fileno(), descriptor, at, min(_SLICE if cap else 1 << 24, end - at)
        )
        at, sent = at + count, sent + count
        if cap:
            time.sleep(max(0.0, begun + sent / cap - time.monotonic()))


if __name__ == "__main__":
    _serve(
        Path(sys.argv[1]),
        Conditions(cap=int(sys.argv[2]), rtt=float(sys.argv[3]), slow=int(sys.argv[4])),
    )
