"""Both digests of bytes while they arrive: a thread feeds sha256, the slower one of the two."""

from __future__ import annotations

import hashlib
import queue
import threading
from types import TracebackType
from typing import Self

from blake3 import blake3

from comfydock_core.storage.hashing import FullHashes

_CHUNKS_WAITING = 8


class ArrivingDigests:
    """Feed bytes in order inside a ``with`` block, then ask for the digests once.

    At most eight chunks wait, so memory stays bounded when hashing is the slower side.
    """

    def __init__(self) -> None:
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._blake3 = blake3()
        self._chunks: queue.Queue[bytes | None] = queue.Queue(_CHUNKS_WAITING)
        self._thread = threading.Thread(target=self._hash, name="comfydock-digests", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def feed(self, chunk: bytes) -> None:
        """Hash ``chunk`` after all earlier ones; it must not be changed afterwards."""
        self._size += len(chunk)
        self._chunks.put(chunk)
        self._blake3.update(chunk)

    def result(self) -> FullHashes:
        """Wait for the last chunk and return what all of them are."""
        self._stop()
        return FullHashes(
            blake3=self._blake3.hexdigest(), sha256=self._sha256.hexdigest(), size=self._size
        )

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._chunks.put(None)
            self._thread.join()

    def _hash(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            self._sha256.update(chunk)
