"""Unpacks the ZIP of a registry node under the same rules as a bundle.

The format is PKWARE's APPNOTE 6.3, without ZIP64, encryption and parts. The central directory is
the truth, and each local header has to agree with it; sizes are believed only once the data has
been inflated to its end.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import BinaryIO

from isal import isal_zlib

from comfydock_core.domain.path_rules import is_made_anew
from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import (
    CHUNK,
    DEFAULT_LIMITS,
    KIBIBYTE,
    ArchiveLimits,
    ArchiveMember,
    kept_mode,
)
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.gzip_reader import INFLATE_ERROR
from comfydock_core.storage.member_rules import MemberGate, refused_member, shown
from comfydock_core.storage.member_tree import open_tree, write_member

_END = struct.Struct("<4s4H2IH")
_END_MAGIC = b"PK\x05\x06"
_ENTRY = struct.Struct("<4s6H3I5H2I")
_ENTRY_MAGIC = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_MAGIC = b"PK\x03\x04"
_MAX_COMMENT = 0xFFFF
_MAX_ENTRY = KIBIBYTE
_ZIP64 = 0xFFFFFFFF
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_STORED = 0
_DEFLATED = 8
_FOLDER_BIT = 0x10


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """One entry of the central directory; ``offset`` is where its local header begins."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int

    @property
    def name(self) -> str:
        """The name as text; bytes that are not UTF-8 are surrogates, which the rules refuse."""
        return self.raw_name.decode("utf-8", "surrogateescape")

    @property
    def unix_mode(self) -> int:
        """Type and permissions as Unix keeps them; 0 where the archiver knew none."""
        return self.attributes >> 16

    @property
    def is_folder(self) -> bool:
        """Whether the entry is a folder's own record."""
        return self.raw_name.endswith(b"/")


def extract_zip(
    archive: Path, destination: Path, *, limits: ArchiveLimits = DEFAULT_LIMITS
) -> tuple[ArchiveMember, ...]:
    """Unpack ``archive`` into the fresh, private folder ``destination``; return its files, sorted.

    Bytecode and virtual environments are passed over: registries hold archives that were packed
    with them, and every machine makes its own. Everything else that is not a plain file or
    folder under the name rules is a BundleError, which names the member and the rule; files that
    were written before it stay in ``destination``, which is the caller's to remove.
    """
    with storage_errors(archive), archive.open("rb") as file, open_tree(destination) as tree:
        reading = _ZipReading(file, archive.name, limits)
        members = [
            write_member(tree, entry.name, kept_mode(entry.unix_mode), reading.contents(entry))
            for entry in reading.files()
        ]
    return tuple(sorted(members, key=lambda member: member.path))


class _ZipReading:
    """One pass over an archive in the order of its data."""

    def __init__(self, file: BinaryIO, archive: str, limits: ArchiveLimits) -> None:
        self._file = file
        self._archive = archive
        self._limits = limits
        self._gate = MemberGate(archive, limits)
        self._directory = 0
        self._read_up_to = 0

    def files(self) -> Iterator[_Entry]:
        """Yield each file to unpack once it is checked, its data not yet."""
        entries = sorted(self._entries(), key=lambda entry: entry.offset)
        for entry in entries:
            path = entry.name.removesuffix("/") if entry.is_folder else entry.name
            self._gate.check_name(path)
            if is_made_anew(path):
                continue
            self._check_kind(entry)
            if entry.is_folder:
                self._gate.admit_folder(path)
            else:
                self._gate.admit_file(path, entry.size)
                yield entry

    def contents(self, entry: _Entry) -> Iterator[bytes]:
        """Yield the bytes of a file; length and checksum are checked on the way."""
        start = self._data_start(entry)
        end = start + entry.packed
        if entry.offset < self._read_up_to or end > self._directory:
            raise self._refused(entry, "shares its data with another part of the archive")
        self._read_up_to = end
        self._file.seek(start)
        packed = self._packed(entry)
        length = crc = 0
        for chunk in packed if entry.method == _STORED else self._inflated(entry, packed):
            length += len(chunk)
            if length > entry.size:
                raise self._refused(entry, "has more data than its size says")
            crc = isal_zlib.crc32(chunk, crc)
            yield chunk
        if length != entry.size:
            raise self._refused(entry, "has less data than its size says")
        if crc != entry.crc:
            raise self._refused(entry, "does not have the checksum that the archive gives")

    def _entries(self) -> Iterator[_Entry]:
        """Read the central directory, which must fill the space up to its end record exactly."""
        count, size, offset = self._end_record()
        if count > self._limits.members:
            raise self._broken(f"has {count:,} members; {self._limits.members:,} are allowed")
        if size > count * _MAX_ENTRY:
            raise self._broken("has a directory that is too large for its members")
        self._directory = offset
        self._file.seek(offset)
        directory = self._file.read(size)
        position = 0
        for _ in range(count):
            entry, position = self._entry(directory, position)
            yield entry
        if position != size:
            raise self._broken("has a directory with something behind its last member")

    def _end_record(self) -> tuple[int, int, int]:
        """Return the directory's number of members, size and offset."""
        length = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, length - _END.size - _MAX_COMMENT))
        tail = self._file.read()
        place = tail.rfind(_END_MAGIC)
        if place < 0 or place + _END.size > len(tail):
            raise self._broken("is no ZIP archive, or is cut short")
        _, disk, first, here, count, size, offset, comment = _END.unpack_from(tail, place)
        end = length - len(tail) + place
        if (disk, first, here) != (0, 0, count) or _ZIP64 in (size, offset):
            raise self._broken("is in parts or in the ZIP64 form, which no node needs")
        if offset + size != end or end + _END.size + comment != length:
            raise self._broken("has bytes that belong to no member")
        return count, size, offset

    def _entry(self, directory: bytes, position: int) -> tuple[_Entry, int]:
        """Return the entry at ``position`` and the position behind it."""
        start = position + _ENTRY.size
        if start > len(directory) or not directory.startswith(_ENTRY_MAGIC, position):
            raise self._broken("has a directory that cannot be read")
        fields = _ENTRY.unpack_from(directory, position)
        name, extra, comment = fields[10:13]
        end = start + name + extra + comment
        if end > len(directory):
            raise self._broken("has a directory that cannot be read")
        entry = _Entry(
            raw_name=directory[start : start + name],
            flags=fields[3],
            method=fields[4],
            crc=fields[7],
            packed=fields[8],
            size=fields[9],
            attributes=fields[15],
            offset=fields[16],
        )
        return entry, end

    def _check_kind(self, entry: _Entry) -> None:
        if entry.flags & _ENCRYPTED:
            raise self._refused(entry, "is encrypted")
        if entry.method not in (_STORED, _DEFLATED):
            raise self._refused(entry, f"is compressed in a way (method {entry.method}) not known")
        kind = S_IFMT(entry.unix_mode)
        if kind not in (0, S_IFDIR if entry.is_folder else S_IFREG):
            raise self._refused(entry, "is a link, a device or another special file")
        if entry.attributes & _FOLDER_BIT and not entry.is_folder:
            raise self._refused(entry, "is both a file and a folder")
        if entry.is_folder and entry.size:
            raise self._refused(entry, "is a folder with contents of its own")

    def _data_start(self, entry: _Entry) -> int:
        """Return where the data of ``entry`` begins, after comparing its local header."""
        self._file.seek(entry.offset)
        header = self._file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
            raise self._refused(entry, "has no header of its own")
        fields: tuple[int, ...] = _LOCAL.unpack(header)[1:]
        flags, method, name, extra = fields[1], fields[2], fields[8], fields[9]
        if (flags & _ENCRYPTED, method) != (0, entry.method) or (
            self._file.read(name) != entry.raw_name
        ):
            raise self._refused(entry, "has a header that differs from the directory")
        return entry.offset + _LOCAL.size + name + extra

    def _packed(self, entry: _Entry) -> Iterator[bytes]:
        left = entry.packed
        while left:
            chunk = self._file.read(min(left, CHUNK))
            if not chunk:
                raise self._refused(entry, "is cut short")
            left -= len(chunk)
            yield chunk

    def _inflated(self, entry: _Entry, packed: Iterator[bytes]) -> Iterator[bytes]:
        """Inflate to the end of the deflate stream, which must be the end of ``packed``."""
        inflater = isal_zlib.decompressobj(-15)
        waiting = b""
        while not inflater.eof:
            given = waiting or next(packed, b"")
            try:
                produced = inflater.decompress(given, CHUNK)
            except INFLATE_ERROR as error:
                raise self._refused(entry, "has compressed data that cannot be read") from error
            if not given and not produced:
                raise self._refused(entry, "has compressed data without an end")
            waiting = inflater.unconsumed_tail
            yield produced
        if inflater.unused_data or next(packed, b""):
            raise self._refused(entry, "has bytes behind its compressed data")

    def _refused(self, entry: _Entry, rule: str) -> BundleError:
        return refused_member(self._archive, entry.name, rule)

    def _broken(self, rule: str) -> BundleError:
        name = shown(self._archive)
        return BundleError(f"`{name}` {rule}", subject=name)
