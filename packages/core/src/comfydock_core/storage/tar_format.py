"""ustar records, bytes to values and back: the subset that bundles are made of.

The format is POSIX.1-1988 ustar, with the two ways of giving a long path: a pax ``x`` record
(POSIX.1-2001) or a GNU ``L`` record. A size of 8 GiB or more, for which octal has no room, stands
there in base 256, as GNU writes it: the bit 0x80, then a big-endian number. What readers are known
to disagree on is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from comfydock_core.errors import BundleError
from comfydock_core.storage.member_rules import refused_member, shown

BLOCK = 512
END = bytes(2 * BLOCK)
MAX_MTIME = 8**11 - 1
_MAX_OCTAL = 8**11 - 1
_SIZE_FIELD = 12
_BINARY = b"\x80"
FILE_KINDS = (b"0", b"\0")
FOLDER_KIND = b"5"
PAX_KIND = b"x"
GNU_NAME_KIND = b"L"
_KINDS = (*FILE_KINDS, FOLDER_KIND, PAX_KIND, GNU_NAME_KIND)
_POSIX = b"ustar\x0000"
_GNU = b"ustar  \x00"
_NAME_FIELD = 100
_PREFIX_FIELD = 155
_REFUSED_KINDS = {
    b"1": "is a hard link",
    b"2": "is a symbolic link",
    b"3": "is a device",
    b"4": "is a device",
    b"6": "is a named pipe",
    b"7": "is a contiguous file",
    b"g": "is a header for all members",
    b"K": "is a record of a link's target",
    b"S": "is a sparse file",
}
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_TIMES = frozenset({b"mtime", b"atime", b"ctime"})
_PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,5}) ")


@dataclass(frozen=True, kw_only=True, slots=True)
class TarRecord:
    """One header block; ``size`` in bytes, ``mode`` as it stands there.

    ``path`` is as the archive spells it; bytes that are not UTF-8 are surrogates in it.
    """

    path: str
    kind: bytes
    size: int
    mode: int


def padding_of(size: int) -> int:
    """Return how many bytes fill up the last block of ``size`` bytes."""
    return -size % BLOCK


def text_of(raw: bytes) -> str:
    """Return a name as text, with surrogates for what is not UTF-8 (the name rules refuse them)."""
    return raw.decode("utf-8", "surrogateescape")


def parse_record(block: bytes, archive: str) -> TarRecord:
    """Read one header block of the file named ``archive``; anything unusual is a BundleError."""
    name = text_of(block[:_NAME_FIELD].partition(b"\0")[0])
    kind = block[156:157]
    if rule := _broken_header(block) or _refused_kind(kind) or _unwanted_field(block):
        raise refused_member(archive, name, rule)
    prefix = block[345:500].rstrip(b"\0")
    return TarRecord(
        path=f"{text_of(prefix)}/{name}" if prefix else name,
        kind=kind,
        size=_size(block[124:136]),
        mode=_number(block[100:108]),
    )


def pax_path(data: bytes, archive: str) -> str:
    """Return the path that the pax records ``data`` give; they may give nothing else."""
    paths = [value for _, value in _pax_records(data, archive, frozenset({b"path"}))]
    if len(paths) != 1:
        raise _bad_extension(archive, f"gives {len(paths)} paths")
    return text_of(paths[0])


def timed_pax_path(data: bytes, archive: str) -> str | None:
    """Do the same where times may be given too; None where there is nothing but times."""
    records = _pax_records(data, archive, _TIMES | {b"path"})
    paths = [value for key, value in records if key == b"path"]
    if not records or len(paths) > 1:
        raise _bad_extension(archive, f"gives {len(paths)} paths")
    return text_of(paths[0]) if paths else None


def _pax_records(data: bytes, archive: str, allowed: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    records = []
    position = 0
    while position < len(data):
        length = _PAX_LENGTH.match(data, position)
        end = position + int(length[1]) if length else 0
        if not length or not length.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise _bad_extension(archive, "cannot be read")
        key, equals, value = data[length.end() : end - 1].partition(b"=")
        if key not in allowed or not equals:
            raise _bad_extension(archive, f"has `{shown(text_of(key))}`; only a path may be there")
        records.append((key, value))
        position = end
    return records


def gnu_path(data: bytes, archive: str) -> str:
    """Return the path that the contents of an ``L`` record give."""
    name, end, rest = data.partition(b"\0")
    if not end or rest:
        raise _bad_extension(archive, "cannot be read")
    return text_of(name)


def file_header(path: str, size: int, mode: int, mtime: int) -> bytes:
    """Return the header blocks of a file: one, or three where ustar has no room for the path.

    A path that is not ASCII is given by a pax record too: ustar names no encoding.
    """
    fields = _name_fields(path)
    if fields is not None:
        return _header(*fields, kind=b"0", numbers=(mode, size, mtime))
    record = _pax_record(path)
    # Readers that know no pax get a name that is safe, if not the right one.
    stand_in = re.sub(rb"[^A-Za-z0-9._-]", b"_", path.encode("ascii", "replace"))[-_NAME_FIELD:]
    return b"".join(
        (
            _header(b"././@PaxHeader", b"", kind=PAX_KIND, numbers=(0o644, len(record), 0)),
            record,
            bytes(padding_of(len(record))),
            _header(stand_in, b"", kind=b"0", numbers=(mode, size, mtime)),
        )
    )


def _broken_header(block: bytes) -> str:
    """Say what is wrong with a header block, as the end of a sentence; ``""`` for nothing."""
    if block[257:265] not in (_POSIX, _GNU):
        return "has a header that is not ustar"
    size = block[124:136]
    if not all(map(_OCTAL.fullmatch, (block[148:156], block[100:108]))) or not (
        _OCTAL.fullmatch(size) or _is_binary_size(size)
    ):
        return "has a header with a checksum, size or mode that is no plain octal number"
    if _number(block[148:156]) != _checksum(block):
        return "has a header with a wrong checksum"
    return ""


def _refused_kind(kind: bytes) -> str:
    if kind in _KINDS:
        return ""
    unknown = f"is a record of the unknown type `{shown(text_of(kind))}`"
    return _REFUSED_KINDS.get(kind, unknown)


def _unwanted_field(block: bytes) -> str:
    """Say which field of a sound header no bundle has; ``""`` for none."""
    if not (_ends_clean(block[:_NAME_FIELD]) and _ends_clean(block[345:500])):
        return "has a name with something behind its end"
    if block[157:257].strip(b"\0"):
        return "has the target of a link"
    # GNU keeps times and sparse maps where POSIX keeps the first half of a long path.
    own_use = block[345:] if block[257:265] == _GNU else block[500:]
    return "has a header with fields that no bundle has" if own_use.strip(b"\0") else ""


def _is_binary_size(field: bytes) -> bool:
    """Whether a size is in base 256 because it has to be, and no larger than a file can be."""
    return field[:1] == _BINARY and _MAX_OCTAL < int.from_bytes(field[1:], "big") < 2**63


def _size(field: bytes) -> int:
    return int.from_bytes(field[1:], "big") if field[:1] == _BINARY else _number(field)


def _size_field(size: int) -> bytes:
    if size > _MAX_OCTAL:
        return _BINARY + size.to_bytes(_SIZE_FIELD - 1, "big")
    return b"%011o\0" % size


def _number(field: bytes) -> int:
    return int(field.strip(b" \0"), 8)


def _checksum(block: bytes) -> int:
    """Sum the bytes of a header with its checksum field counted as spaces."""
    return sum(block) - sum(block[148:156]) + 8 * ord(" ")


def _ends_clean(field: bytes) -> bool:
    return not field.partition(b"\0")[2].strip(b"\0")


def _bad_extension(archive: str, what: str) -> BundleError:
    return BundleError(f"`{shown(archive)}`: an extended header {what}", subject=shown(archive))


def _name_fields(path: str) -> tuple[bytes, bytes] | None:
    """Split an ASCII path into ustar's name and prefix; None where it has no room."""
    if not path.isascii():
        return None
    raw = path.encode("ascii")
    if len(raw) <= _NAME_FIELD:
        return raw, b""
    slash = raw.find(b"/", len(raw) - _NAME_FIELD - 1)
    if slash < 0 or slash > _PREFIX_FIELD:
        return None
    return raw[slash + 1 :], raw[:slash]


def _pax_record(path: str) -> bytes:
    """Return ``LENGTH path=PATH LF``, where the length counts its own digits."""
    body = b" path=" + path.encode() + b"\n"
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def _header(name: bytes, prefix: bytes, *, kind: bytes, numbers: tuple[int, int, int]) -> bytes:
    """Return one block of owner 0 and no names; ``numbers`` are mode, size and mtime."""
    mode, size, mtime = numbers
    block = b"".join(
        (
            name.ljust(_NAME_FIELD, b"\0"),
            b"%07o\0%07o\0%07o\0%s%011o\0" % (mode, 0, 0, _size_field(size), mtime),
            b" " * 8,
            kind.ljust(101, b"\0"),
            _POSIX.ljust(72, b"\0"),
            b"%07o\0%07o\0" % (0, 0),
            prefix.ljust(BLOCK - 345, b"\0"),
        )
    )
    return b"%s%06o\0 %s" % (block[:148], sum(block), block[156:])
