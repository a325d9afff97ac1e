"""Whether bytes come, over one connection and over all of a file: nobody waits for ever."""

from __future__ import annotations

import time

from comfydock_core.storage.download_asking import Stream
from comfydock_core.storage.http import BodyCutError

_DRY_FACTOR = 1.6
_BUSY = 0.5
"""From this share of one core on, it is the machine and not the line that is the bottleneck."""
_TRICKLE = 16 * 1024


class Flow:
    """Watches whether anything comes at all, over any lane."""

    def __init__(self, done: int, patience: float) -> None:
        self._first = self._done = done
        self._patience = patience * _DRY_FACTOR
        self._begun = self._last = time.monotonic()
        self._used = time.process_time()

    def invites_more(self, done: int) -> bool:
        """Whether bytes are coming, and the line is slower than this machine."""
        now = time.monotonic()
        if done == self._done:
            return False
        self._done, self._last = done, now
        return (time.process_time() - self._used) / (now - self._begun) < _BUSY

    @property
    def speed(self) -> float:
        """Bytes a second since the beginning."""
        return (self._done - self._first) / max(time.monotonic() - self._begun, 0.001)

    @property
    def has_dried_up(self) -> bool:
        """Whether nothing has come for longer than one connection may be silent."""
        return time.monotonic() - self._last > self._patience


class Trickle:
    """Reads, and gives up a connection that brings next to nothing for as long as a silent one."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waited = 0.0
        self._count = 0

    def read(self, stream: Stream, limit: int) -> bytes:
        begun = time.monotonic()
        chunk = stream.read_some(limit)
        self._waited += time.monotonic() - begun
        self._count += len(chunk)
        if self._waited > self._patience:
            if self._count < min(_TRICKLE, limit) and chunk:
                raise BodyCutError(
                    f"`{stream.answer.service}` sent only {self._count} bytes "
                    f"in {self._waited:.0f} seconds",
                    hint="try again later: what has arrived is kept",
                )
            self._waited, self._count = 0.0, 0
        return chunk
