"""A program in the background that never outlives us: its output kept, its end made sure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from comfydock_core.storage import process_watch

SECONDS_TO_STOP = 5.0
"""How long a program may take over an interrupt before it is killed."""

_SECONDS_FOR_THE_WATCH = 10.0
_SECONDS_FOR_A_DUMP = 5.0
_HEAD, _TAIL = 4 << 20, 256 << 10
_CHUNK = 64 << 10


class WatchedProcess:
    """A program under ``storage/process_watch.py``: it ends when this process does, at the latest.

    Of what it prints the first 4 MiB and the last 256 KiB are kept.
    """

    def __init__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
    ) -> None:
        watch = (sys.executable, "-I", str(Path(process_watch.__file__)), str(SECONDS_TO_STOP))
        self._process = subprocess.Popen(
            [*watch, *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._head, self._tail = bytearray(), bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ended(self, seconds: float) -> bool:
        """Wait for its end, at most so long; tell whether it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    @property
    def exit_code(self) -> int | None:
        """How it ended, 128 + N for signal N; None while it runs."""
        return self._process.poll()

    def say_where(self) -> None:
        """End it by an abort, upon which Python's fault handler prints where it stood."""
        with suppress(OSError, ValueError):
            if self._process.stdin:
                self._process.stdin.write(b"?")
                self._process.stdin.flush()
        self.ended(_SECONDS_FOR_A_DUMP)

    def end(self) -> None:
        """End it and everything it started; ended again it stays ended."""
        with suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        if not self.ended(SECONDS_TO_STOP + _SECONDS_FOR_THE_WATCH):
            with suppress(OSError):
                _kill_group(self._process)
            self._process.wait()
        self._reader.join(_SECONDS_FOR_A_DUMP)
        if self._process.stdout and not self._reader.is_alive():
            self._process.stdout.close()

    def output(self) -> bytes:
        """Return what it printed; where some of it was dropped a line says so."""
        if len(self._tail) < _TAIL:
            return bytes(self._head + self._tail)
        return bytes(self._head) + b"\n(...)\n" + bytes(self._tail)

    def _read(self) -> None:
        stream = self._process.stdout
        while stream and (chunk := os.read(stream.fileno(), _CHUNK)):
            room = _HEAD - len(self._head)
            self._head += chunk[:room]
            self._tail += chunk[room:]
            del self._tail[:-_TAIL]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def watched_process(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> Iterator[WatchedProcess]:
    """Have a program run in the background until the block ends, in whatever way that is.

    OSError when not even its watch can be started.
    """
    process = WatchedProcess(command, folder=folder, environment=environment)
    try:
        yield process
    finally:
        process.end()
