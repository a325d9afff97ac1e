"""Both digests of a file while it arrives: a thread follows the front, unless the file is small.

The front is the first byte that is not there yet. What arrives exactly there is handed over in
memory; what arrived ahead of it is read back from the file when the front reaches it, so that no
memory is held for it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from blake3 import blake3

from comfydock_core.errors import StorageError
from comfydock_core.storage.hashing import FullHashes

_BYTES_WAITING = 3 * 1024 * 1024
_READ_BACK = 512 * 1024
_SMALL = 256 * 1024

ReadBack = Callable[[memoryview, int], int]
"""Fills a buffer from an offset of the file and returns the number of bytes read."""

_Bytes = bytes | memoryview


class ArrivingDigests:
    """Feed bytes and ranges in the order of the file inside a ``with`` block, then ask once.

    Feeding never waits, so it can be done under a lock; ``wait_for_room`` afterwards keeps memory
    bounded when hashing is the slower side.
    """

    def __init__(self, read_back: ReadBack) -> None:
        self._read_back = read_back
        self._blake3, self._sha256 = blake3(), hashlib.sha256()
        self._size = 0
        self._items: deque[_Bytes | range] = deque()
        self._waiting = 0
        self._is_ended = self._is_dropped = False
        self._failure: StorageError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._follow, name="download-digests", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_dropped = kind is not None
        self._end()

    def feed(self, chunk: _Bytes) -> None:
        """Hash ``chunk`` after all that came before; it must not be changed afterwards."""
        self._put(chunk, len(chunk))

    def feed_range(self, start: int, end: int) -> None:
        """Hash the bytes ``start`` to ``end`` of the file, which are there already."""
        self._put(range(start, end), 0)

    def wait_for_room(self) -> None:
        """Return when little enough is waiting in memory."""
        if self._waiting > _BYTES_WAITING:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting <= _BYTES_WAITING or self._is_ended)

    def result(self) -> FullHashes:
        """Wait for the last byte and return what all of them are."""
        self._end()
        if self._failure:
            raise self._failure
        return FullHashes(
            blake3=self._blake3.hexdigest(), sha256=self._sha256.hexdigest(), size=self._size
        )

    def _put(self, item: _Bytes | range, waiting: int) -> None:
        with self._changed:
            self._items.append(item)
            self._waiting += waiting
            self._changed.notify_all()
            is_much = isinstance(item, range) or self._waiting > _SMALL
            if is_much and not self._is_ended and self._thread.ident is None:
                self._thread.start()

    def _end(self) -> None:
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()
        if self._thread.ident is None:
            self._follow()
        else:
            self._thread.join()

    def _follow(self) -> None:
        try:
            while (item := self._next()) is not None:
                if isinstance(item, range):
                    self._hash_back(item)
                else:
                    self._hash(item)
                    self._forget(len(item))
        except StorageError as error:
            self._failure = error
            self._forget(self._waiting)

    def _next(self) -> _Bytes | range | None:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_ended)
            return self._items.popleft() if self._items and not self._is_dropped else None

    def _forget(self, count: int) -> None:
        with self._changed:
            self._waiting -= count
            self._changed.notify_all()

    def _hash_back(self, span: range) -> None:
        buffer = memoryview(bytearray(min(_READ_BACK, len(span))))
        at = span.start
        while at < span.stop and not self._is_dropped:
            count = self._read_back(buffer[: span.stop - at], at)
            if not count:
                raise StorageError("a file that is being downloaded became shorter meanwhile")
            self._hash(buffer[:count])
            at += count

    def _hash(self, data: _Bytes) -> None:
        self._sha256.update(data)
        self._blake3.update(data)
        self._size += len(data)
