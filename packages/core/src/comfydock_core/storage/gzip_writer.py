"""A gzip file of one member, compressed on a thread of its own; equal input gives equal bytes."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO, Self

from isal import isal_zlib

from comfydock_core.storage.archive import CHUNK

# RFC 1952: deflate, no name, no time, unknown system.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LEVEL = 3
_WAITING = 8


class GzipWriter:
    """Compresses what is written to ``file``; ``finish`` makes it whole.

    Use it as a context manager: leaving it ends the thread, finished or not.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._deflater = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -15)
        self._crc = 0
        self._length = 0
        self._pending = bytearray()
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1)
        file.write(_HEADER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def write(self, data: bytes) -> None:
        """Take ``data``; an error of the disk may come out at a later call."""
        # Pieces of one size, however the data came: where they end shows in the output.
        left = memoryview(data)
        while len(self._pending) + len(left) >= CHUNK:
            room = CHUNK - len(self._pending)
            self._pending += left[:room]
            left = left[room:]
            self._hand_over()
        self._pending += left

    def finish(self) -> None:
        """Compress what is left and write the trailer."""
        self._hand_over()
        while self._waiting:
            self._waiting.popleft().result()
        self._file.write(self._deflater.flush())
        self._file.write(self._crc.to_bytes(4, "little"))
        self._file.write((self._length & 0xFFFFFFFF).to_bytes(4, "little"))

    def _hand_over(self) -> None:
        if len(self._waiting) >= _WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._compress, self._pending))
        self._pending = bytearray()

    def _compress(self, piece: bytearray) -> None:
        self._crc = isal_zlib.crc32(piece, self._crc)
        self._length += len(piece)
        self._file.write(self._deflater.compress(piece))
