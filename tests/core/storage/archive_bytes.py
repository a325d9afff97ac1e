"""Archives made by hand, byte by byte, so that they can be wrong in every way."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

BLOCK = 512
END = bytes(2 * BLOCK)


def header(
    name: bytes,
    size: int = 0,
    kind: bytes = b"0",
    *,
    mode: bytes = b"0000644\0",
    magic: bytes = b"ustar\x0000",
    fields: Mapping[int, bytes] | None = None,
) -> bytes:
    """Return one tar header with a right checksum; ``fields`` are bytes to put at an offset."""
    block = bytearray(BLOCK)
    written = {0: name, 100: mode, 124: b"%011o\0" % size, 156: kind, 257: magic}
    for offset, data in (written | dict(fields or {})).items():
        block[offset : offset + len(data)] = data
    if 148 not in (fields or {}):
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: bytes, data: bytes = b"", kind: bytes = b"0") -> bytes:
    """Return a header, its data and the padding."""
    return header(name, len(data), kind) + data + bytes(-len(data) % BLOCK)


def pax(data: bytes) -> bytes:
    """Return a pax ``x`` record that holds ``data``."""
    return member(b"PaxHeader", data, b"x")


def pax_record(key: bytes, value: bytes) -> bytes:
    """Return ``LENGTH key=value LF``."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return b"%d" % length + body


def tar(*members: bytes, end: bytes = END) -> bytes:
    """Return a whole tar of ``members``."""
    return b"".join(members) + end


def gz(data: bytes, level: int = 1) -> bytes:
    """Return ``data`` as one gzip member without name or time."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = deflater.compress(data) + deflater.flush()
    trailer = struct.pack("<2I", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + trailer


@dataclass(frozen=True, kw_only=True)
class ZipEntry:
    """One entry of a ZIP; what is None follows from ``data``."""

    name: bytes
    data: bytes = b""
    method: int = 8
    flags: int = 0
    unix_mode: int = 0o100644
    size: int | None = None
    crc: int | None = None
    packed: bytes | None = None
    local_name: bytes | None = None
    attributes: int = 0

    def packed_data(self) -> bytes:
        """Return the bytes as they lie in the archive."""
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.data
        deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
        return deflater.compress(self.data) + deflater.flush()

    def numbers(self) -> tuple[int, int, int]:
        """Return checksum, packed size and size as both headers give them."""
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        size = len(self.data) if self.size is None else self.size
        return crc, len(self.packed_data()), size

    def local(self) -> bytes:
        """Return the local header and the data."""
        name = self.name if self.local_name is None else self.local_name
        fixed = struct.pack(
            "<4s5H3I2H",
            b"PK\x03\x04",
            *(20, self.flags, self.method, 0, 0),
            *self.numbers(),
            *(len(name), 0),
        )
        return fixed + name + self.packed_data()

    def central(self, offset: int) -> bytes:
        """Return the entry of the central directory."""
        fixed = struct.pack(
            "<4s6H3I5H2I",
            b"PK\x01\x02",
            *(0x0314, 20, self.flags, self.method, 0, 0),
            *self.numbers(),
            *(len(self.name), 0, 0, 0, 0),
            *(self.unix_mode << 16 | self.attributes, offset),
        )
        return fixed + self.name


def zip_bytes(*entries: ZipEntry, count: int | None = None, between: bytes = b"") -> bytes:
    """Return a ZIP of ``entries``; ``between`` stands before the end record."""
    body = directory = b""
    for entry in entries:
        directory += entry.central(len(body))
        body += entry.local()
    number = len(entries) if count is None else count
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, number, number, len(directory), len(body), 0)
    return body + directory + between + end
