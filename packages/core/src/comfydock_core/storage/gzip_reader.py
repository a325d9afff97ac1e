"""A gzip file decoded to its true end: one member, its checksum and length, and nothing behind it.

The format is RFC 1952. The raw deflate stream goes to isal; header and trailer are read here,
because decoders differ in what they let pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO, Self, cast

from isal import isal_zlib

from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import CHUNK
from comfydock_core.storage.member_rules import shown

# isal's stub declares an instance where the class is meant.
INFLATE_ERROR = cast(type[Exception], isal_zlib.error)
MAGIC = b"\x1f\x8b"
_INPUT = 256 << 10
_FIXED_HEADER = 10
_DEFLATE = 8
_FLAG_NAME = 0x08
_MAX_NAME = 1024
_TRAILER = 8
_CUT_SHORT = "fetch or copy the file again: it is not whole"


class GzipReader:
    """The decoded bytes of ``file``, in order, at most two chunks of them in memory.

    ``name`` is the file's name as errors show it. Everything wrong is a BundleError. Use it as a
    context manager: the next chunk is decoded on a thread, which ends when the reader is left.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = shown(name)
        self._inflater = isal_zlib.decompressobj(-15)
        self._input = self._after_header()
        self._output = memoryview(b"")
        self._crc = 0
        self._length = 0
        self._ended = False
        self._thread = ThreadPoolExecutor(1)
        self._ahead = self._thread.submit(self._decode)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def read(self, size: int) -> bytes:
        """Return exactly ``size`` bytes."""
        return b"".join(self.chunks(size))

    def chunks(self, size: int) -> Iterator[memoryview]:
        """Yield exactly ``size`` bytes in pieces; each is valid for as long as it is held."""
        while size:
            if not self._output and not self._refill():
                raise self._damaged("its contents end too early", hint=_CUT_SHORT)
            piece = self._output[:size]
            self._output = self._output[size:]
            size -= len(piece)
            yield piece

    def rest(self) -> Iterator[memoryview]:
        """Yield what is left; when this is exhausted, the file is known to be whole."""
        while self._output or self._refill():
            yield self._output
            self._output = memoryview(b"")

    def _after_header(self) -> bytes:
        """Read the gzip header; return the bytes of the file that were read beyond it."""
        start = self._file.read(_INPUT)
        if start[:2] != MAGIC:
            hint = "a bundle is a .tar.gz file that `comfydock export` writes"
            raise BundleError(
                f"`{self._name}` is not a comfydock bundle: it is not a gzip file",
                hint=hint,
                subject=self._name,
            )
        if len(start) < _FIXED_HEADER:
            raise self._damaged("it ends in its gzip header", hint=_CUT_SHORT)
        if start[2] != _DEFLATE or start[3] & ~_FLAG_NAME:
            raise self._damaged("its gzip header has fields that no bundle has")
        if not start[3] & _FLAG_NAME:
            return start[_FIXED_HEADER:]
        end = start.find(b"\0", _FIXED_HEADER, _FIXED_HEADER + _MAX_NAME)
        if end < 0:
            raise self._damaged("the file name in its gzip header has no end")
        return start[end + 1 :]

    def _refill(self) -> bool:
        """Take what was decoded meanwhile; False at the end of a file that is whole."""
        produced = self._ahead.result()
        if produced:
            self._ahead = self._thread.submit(self._decode)
        self._output = memoryview(produced)
        return bool(produced)

    def _decode(self) -> bytes:
        """Return the next chunk; nothing at the end of a file that is whole."""
        while not self._ended:
            if not self._input:
                self._input = self._file.read(_INPUT)
            produced = self._inflate()
            if self._inflater.eof:
                self._ended = True
                self._check_end()
            if produced:
                return produced
        return b""

    def _inflate(self) -> bytes:
        given = self._input
        try:
            produced: bytes = self._inflater.decompress(given, CHUNK)
        except INFLATE_ERROR as error:
            raise self._damaged("its compressed data cannot be read", hint=_CUT_SHORT) from error
        self._input = self._inflater.unconsumed_tail
        if not given and not produced:
            raise self._damaged("it ends in its compressed data", hint=_CUT_SHORT)
        self._crc = isal_zlib.crc32(produced, self._crc)
        self._length += len(produced)
        return produced

    def _check_end(self) -> None:
        found = self._inflater.unused_data
        found += self._file.read(_TRAILER + len(MAGIC) - min(len(found), _TRAILER + len(MAGIC)))
        trailer, behind = found[:_TRAILER], found[_TRAILER:]
        if len(trailer) < _TRAILER:
            raise self._damaged("it ends in its gzip trailer", hint=_CUT_SHORT)
        if int.from_bytes(trailer[:4], "little") != self._crc:
            raise self._damaged("its contents do not have the checksum in its gzip trailer")
        if int.from_bytes(trailer[4:], "little") != self._length & 0xFFFFFFFF:
            raise self._damaged("its contents do not have the length in its gzip trailer")
        if behind.startswith(MAGIC):
            raise self._damaged("it has a second gzip member")
        if behind:
            raise self._damaged("it has bytes behind its gzip trailer")

    def _damaged(self, what: str, *, hint: str = "") -> BundleError:
        return BundleError(f"`{self._name}` is damaged: {what}", hint=hint, subject=self._name)
