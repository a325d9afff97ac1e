"""A gzip file of one member, compressed by several threads; equal input gives equal bytes.

Each piece of the input becomes deflate blocks of its own that end at a byte, so that the pieces
can be made in any order. What is not worth compressing goes into stored blocks of the same stream
(RFC 1951, 3.2.4).
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import BinaryIO, Self

from isal import isal_zlib

from comfydock_core.storage.archive import CHUNK

# RFC 1952: deflate, no name, no time, unknown system.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# A last block with nothing in it.
_END = b"\x03\x00"
_LEVEL = 3
_WAITING = 8
_MOST_THREADS = 4
_MAX_BLOCK = 0xFFFF
# Whole blocks: what a piece would leave over has a header of its own.
_STORED_PIECE = 16 * _MAX_BLOCK


class GzipWriter:
    """Compresses what is written to ``file``; ``finish`` makes it whole.

    Use it as a context manager: leaving it ends the threads, finished or not.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._crc = 0
        self._length = 0
        self._pending = bytearray()
        self._storing = False
        self._waiting: deque[Future[None]] = deque()
        self._compressors = ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS))
        self._writer = ThreadPoolExecutor(1)
        file.write(_HEADER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The writer first: what it waits for is still being compressed.
        self._writer.shutdown(cancel_futures=True)
        self._compressors.shutdown(cancel_futures=True)

    def write(self, data: bytes) -> None:
        """Take ``data`` to be compressed; an error of the disk may come out at a later call."""
        self._switch(storing=False)
        self._cut(data, CHUNK)

    def store(self, data: bytes) -> None:
        """Take ``data`` as it is; otherwise like ``write``."""
        self._switch(storing=True)
        self._cut(data, _STORED_PIECE)

    def finish(self) -> None:
        """Compress what is left and write the trailer."""
        self._hand_over()
        while self._waiting:
            self._waiting.popleft().result()
        self._file.write(_END)
        # RFC 1952: the length modulo 2**32, however long the contents are.
        self._file.write(struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))

    def _switch(self, *, storing: bool) -> None:
        if storing != self._storing:
            self._hand_over()
            self._storing = storing

    def _cut(self, data: bytes, size: int) -> None:
        """Cut pieces of one size, however the data came: where they end shows in the output."""
        left = memoryview(data)
        while len(self._pending) + len(left) >= size:
            room = size - len(self._pending)
            self._pending += left[:room]
            left = left[room:]
            self._hand_over()
        self._pending += left

    def _hand_over(self) -> None:
        if not self._pending:
            return
        if len(self._waiting) >= _WAITING:
            self._waiting.popleft().result()
        piece = self._pending
        work: Callable[[], None]
        if self._storing:
            work = partial(self._store, piece)
        else:
            deflated = self._compressors.submit(_deflated, piece)
            work = partial(self._write_deflated, piece, deflated)
        self._waiting.append(self._writer.submit(work))
        self._pending = bytearray()

    def _write_deflated(self, piece: bytearray, deflated: Future[bytes]) -> None:
        self._count(piece)
        self._file.write(deflated.result())

    def _store(self, piece: bytearray) -> None:
        self._count(piece)
        view = memoryview(piece)
        for start in range(0, len(piece), _MAX_BLOCK):
            block = view[start : start + _MAX_BLOCK]
            length = len(block)
            self._file.write(struct.pack("<BHH", 0, length, length ^ _MAX_BLOCK))
            self._file.write(block)

    def _count(self, piece: bytearray) -> None:
        self._crc = isal_zlib.crc32(piece, self._crc)
        self._length += len(piece)


def _deflated(piece: bytearray) -> bytes:
    deflater = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -15)
    blocks: bytes = deflater.compress(piece) + deflater.flush(isal_zlib.Z_SYNC_FLUSH)
    return blocks
