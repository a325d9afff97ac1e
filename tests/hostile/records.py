"""Rule 2: links, headers, gzip, and what stands before, between and behind the members."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

from tests.core.storage.archive_bytes import BLOCK, END, gz, header, member, pax, pax_record
from tests.hostile.bundles import Case, Files, bytes_of, changed, extra, listed, packed, write

_NAME = b"dev_nodes/my-dev/evil.py"
_SHOWN = _NAME.decode()
_BINARY = "no plain octal number"
_FILE = "hostile.tar.gz"
_KINDS = {
    b"1": "is a hard link",
    b"2": "is a symbolic link",
    b"3": "is a device",
    b"4": "is a device",
    b"6": "is a named pipe",
    b"7": "is a contiguous file",
    b"g": "is a header for all members",
    b"K": "is a record of a link's target",
    b"S": "is a sparse file",
    b"V": "is a record of the unknown type `V`",
    b"\x1b": r"is a record of the unknown type `\x1b`",
}


def _odd(fields: dict[int, bytes], rule: str, shown: str = _SHOWN) -> Case:
    return extra(header(_NAME, fields=fields), shown, rule)


def _extended(data: bytes, rule: str) -> Case:
    return extra(pax(data) + member(_NAME), _FILE, rule)


def _wrapped(header_: bytes, trailer: bytes, rule: str) -> Case:
    """A gzip with another header and something behind."""

    def act(tar: bytes) -> bytes:
        return header_ + gz(tar)[10:] + trailer

    return bytes_of(act, _FILE, rule)


def _ended(cut: int, patch: bytes, rule: str) -> Case:
    return bytes_of(lambda tar: gz(tar)[:cut] + patch, _FILE, rule)


def _zip(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _other_than_listed(files: Files) -> bytes:
    swapped = changed(write("workflows/upscale.json", "{}"), files)
    return packed(listed(files) | {"workflows/upscale.json": swapped["workflows/upscale.json"]})


_LINK = {157: b"/etc/passwd"}
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"

LINKS: dict[str, Case] = {
    **{
        f"type {kind!a}": extra(header(_NAME, kind=kind, fields=_LINK), _SHOWN, rule)
        for kind, rule in _KINDS.items()
    },
    "a file with a link's target": _odd(_LINK, "has the target of a link"),
    "a folder in place of a file": extra(
        header(b"uv.lock.d", kind=b"5"), "uv.lock.d", "has no place in a bundle"
    ),
    "a folder with contents": extra(
        header(b"dev_nodes/x", 5, b"5"), "dev_nodes/x", "contents of its own"
    ),
    "a folder out of its place": extra(header(b"../x", kind=b"5"), "../x", "`..` part"),
}

HEADERS: dict[str, Case] = {
    "the old magic": _odd({257: b"\0" * 8}, "not ustar"),
    "a wrong checksum": _odd({148: b"000001\0 "}, "wrong checksum"),
    "a checksum that is no number": _odd({148: b"evil\0\0\0\0"}, _BINARY),
    "a size below nothing": _odd({124: b"\xff" * 12}, _BINARY),
    "a size with a sign": _odd({124: b"-0000000001\0"}, _BINARY),
    "a small size in base 256": _odd({124: b"\x80" + bytes(10) + b"\x05"}, _BINARY),
    "a size of more than 63 bits": _odd({124: b"\x80\0\0\xff" + b"\xff" * 8}, _BINARY),
    "a mode that is no number": _odd({100: b"rwxr-xr\0"}, _BINARY),
    "something behind the name's end": _odd(
        {0: b"dev_nodes/my-dev/x\0/../../y"}, "something behind its end", "dev_nodes/my-dev/x"
    ),
    "a prefix that leads out": extra(
        header(b"x", fields={345: b"dev_nodes/../.."}), "dev_nodes/../../x", "`..` part"
    ),
    "fields of another tool": _odd({501: b"evil"}, "fields that no bundle has"),
    "GNU's sparse map": _odd({257: b"ustar  \0", 500: b"1" * 12}, "fields that no bundle has"),
    "something in the padding": extra(
        header(_NAME, 1) + b"x" + b"y" * (BLOCK - 1), _SHOWN, "in the padding behind it"
    ),
    "x: a path that leads out": extra(
        pax(pax_record(b"path", b"../evil")) + member(_NAME), "../evil", "`..` part"
    ),
    "x: an absolute path": extra(
        pax(pax_record(b"path", b"/tmp/comfydock-hostile")) + member(_NAME),
        "/tmp/comfydock-hostile",
        "absolute path",
    ),
    "x: a NUL in a path": extra(
        pax(pax_record(b"path", b"dev_nodes/a/x\0y")) + member(_NAME), r"x\x00y", "control"
    ),
    "L: a path that leads out": extra(
        member(b"././@LongLink", b"../evil\0", b"L") + member(_NAME), "../evil", "`..` part"
    ),
    "L: a path without an end": extra(
        member(b"././@LongLink", b"../evil", b"L") + member(_NAME), _FILE, "cannot be read"
    ),
    "x: another size": _extended(pax_record(b"size", b"1"), "has `size`"),
    "x: a link's target": _extended(pax_record(b"linkpath", b"/etc"), "has `linkpath`"),
    "x: a sparse file": _extended(pax_record(b"GNU.sparse.name", b"/etc/x"), "GNU.sparse.name"),
    "x: a key with an escape": _extended(pax_record(b"\x1b[2J", b"x"), r"\x1b[2J"),
    "x: two paths": _extended(pax_record(b"path", b"a") * 2, "gives 2 paths"),
    "x: nothing": _extended(b"", "gives 0 paths"),
    "x: a length that lies": _extended(b"99 path=x\n", "cannot be read"),
    "x: a length below its end": _extended(b"0 path=x\n", "cannot be read"),
    "x: a length for ever": _extended(b"9" * 5000, "cannot be read"),
    "x: more than 64 KiB": extra(
        pax(pax_record(b"path", b"x" * 70_000)) + member(_NAME), "PaxHeader", "more than 64 KiB"
    ),
    "two records of one path": extra(
        pax(pax_record(b"path", b"dev_nodes/a/x")) * 2 + member(_NAME),
        "dev_nodes/a/x",
        "more than one record of its path",
    ),
    "x and L for one path": extra(
        pax(pax_record(b"path", b"dev_nodes/a/x")) + member(b"L", b"../x\0", b"L") + member(_NAME),
        "dev_nodes/a/x",
        "more than one record of its path",
    ),
    "contents other than those listed": Case(
        make=_other_than_listed, named="workflows/upscale.json", rule="`manifest.json` says"
    ),
}

GZIP: dict[str, Case] = {
    "no gzip": bytes_of(lambda tar: tar, _FILE, "not a gzip file"),
    "nothing at all": bytes_of(lambda tar: b"", _FILE, "not a gzip file"),
    "a ZIP": Case(make=_zip, named=_FILE, rule="not a gzip file"),
    "gzip in gzip": bytes_of(lambda tar: gz(gz(tar)), _FILE, "not ustar"),
    "only a header": bytes_of(lambda tar: _HEAD[:6], _FILE, "ends in its gzip header"),
    "another method": _wrapped(b"\x1f\x8b\x07" + _HEAD[3:], b"", "gzip header has fields"),
    "an extra field": _wrapped(b"\x1f\x8b\x08\x04" + _HEAD[4:] + b"\2\0xx", b"", "fields that no"),
    "a comment": _wrapped(b"\x1f\x8b\x08\x10" + _HEAD[4:] + b"evil\0", b"", "fields that no"),
    "a name without an end": bytes_of(
        lambda tar: b"\x1f\x8b\x08\x08" + _HEAD[4:] + b"x" * 5000, _FILE, "has no end"
    ),
    "a second member": _wrapped(_HEAD, gzip.compress(b"evil"), "second gzip member"),
    "bytes behind": _wrapped(_HEAD, b"#!/bin/sh\n", "bytes behind its gzip trailer"),
    "zeros behind": _wrapped(_HEAD, bytes(1000), "bytes behind its gzip trailer"),
    "a wrong checksum of all": _ended(-8, bytes(8), "do not have the checksum"),
    "a wrong length of all": bytes_of(
        lambda tar: gz(tar)[:-8] + struct.pack("<2I", zlib.crc32(tar), 1), _FILE, "have the length"
    ),
    "the last byte missing": _ended(-1, b"", "ends in its gzip trailer"),
    "no trailer": _ended(-8, b"", "ends in its gzip trailer"),
    "cut in the middle": _ended(600, b"", "ends in its compressed data"),
    "damaged in the middle": bytes_of(
        lambda tar: gz(tar)[:400] + b"\xff" * 40 + gz(tar)[440:], _FILE, "is damaged"
    ),
    "one end block": bytes_of(lambda tar: gz(tar[:-BLOCK]), _FILE, "end too early"),
    "no end": bytes_of(lambda tar: gz(tar[: -len(END)]), _FILE, "end too early"),
    "a member behind the end": bytes_of(
        lambda tar: gz(tar + member(b"../x", b"x")), _FILE, "goes on after its end"
    ),
    "half a block at the end": bytes_of(
        lambda tar: gz(tar + bytes(100)), _FILE, "ends inside a block"
    ),
}
