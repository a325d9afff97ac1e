"""Small archives that would be large, long or slow; each is refused, or read within its bounds."""

from __future__ import annotations

import struct
import zlib

from tests.core.storage.archive_bytes import END, gz, header
from tests.hostile.bundles import (
    LOCK,
    MANIFEST,
    PROJECT,
    Case,
    Change,
    Files,
    append,
    case,
    changed,
    listed,
    packed,
    records,
    swap,
    tell,
    told,
    write,
)
from tests.hostile.honest import Honest

_MIB = 1 << 20
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def _zeros(before: bytes, mebibytes: int, after: bytes = b"") -> bytes:
    """Return a gzip of zeros between two texts; its checksum is right, as nothing is read twice."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [deflater.compress(before), deflater.flush(zlib.Z_FULL_FLUSH)]
    crc, zeros = zlib.crc32(before), bytes(_MIB)
    once = deflater.compress(zeros) + deflater.flush(zlib.Z_FULL_FLUSH)
    for _ in range(mebibytes):
        parts.append(once)
        crc = zlib.crc32(zeros, crc)
    parts += [deflater.compress(after), deflater.flush()]
    length = len(before) + mebibytes * _MIB + len(after)
    trailer = struct.pack("<2I", zlib.crc32(after, crc), length & 0xFFFFFFFF)
    return _HEAD + b"".join(parts) + trailer


def _large(name: bytes, mebibytes: int, kind: bytes = b"0") -> bytes:
    return header(name, mebibytes * _MIB, kind)


def _behind(records_: bytes, mebibytes: int, named: str, rule: str) -> Case:
    return Case(
        make=lambda files: _zeros(records(listed(files)) + records_, mebibytes, END),
        named=named,
        rule=rule,
    )


def _many(count: int, kind: bytes) -> bytes:
    names = (b"dev_nodes/my-dev/%d" % number for number in range(count))
    return b"".join(header(name, kind=kind) for name in names)


def _crowd(count: int, kind: bytes) -> Case:
    return Case(
        make=lambda files: gz(records(listed(files)) + _many(count, kind) + END),
        named="dev_nodes/my-dev/",
        rule="one too many: 20,000 are allowed",
    )


def _nests(files: Files) -> None:
    files |= {f"dev_nodes/my-dev/{n}/" + "d/" * 28 + "x.py": b"" for n in range(15_000)}


def _four(files: Files) -> bytes:
    """Four files of 64 MiB, of which the fourth is over the cap of all."""
    bomb = records(listed(files))
    for number in range(3):
        bomb += header(b"dev_nodes/my-dev/%d.bin" % number, 64 * _MIB) + bytes(64 * _MIB)
    return gz(bomb + header(b"dev_nodes/my-dev/3.bin", 64 * _MIB) + END)


def _manifest(inside: str) -> Case:
    """A manifest.json of 8 MB."""
    text = '{"x": [' + inside * (8_000_000 // len(inside)) + "0]}"
    return told(write(MANIFEST, text), "`timestamp`", "is missing")


def _lock(inside: str, rule: str, mebibytes: int) -> Case:
    count = mebibytes * _MIB // len(inside.encode())
    return case(append(LOCK, "\nx = [" + inside * count + "]\n"), f"`{LOCK}`", rule)


def _lines(name: str, line: str, count: int, rule: str) -> Case:
    def act(files: Files) -> None:
        files[name] += "".join(line.format(number) for number in range(count)).encode()

    return case(act, f"`{name}`", rule)


def _requirements(files: Files) -> None:
    lines = "".join(f'"p{number}{">=1," * 200}>=1",' for number in range(1_500))
    swap(PROJECT, '"packaging>=24"', f'{lines}"-e ."')(files)


BOMBS: dict[str, Case] = {
    "a gigabyte of zeros": _behind(
        _large(b"workflows/x.json", 1024), 1024, "workflows/x.json", "67,108,864 are allowed"
    ),
    "a header of 800 MiB": _behind(
        _large(b"PaxHeader", 800, b"x"), 800, "PaxHeader", "more than 64 KiB"
    ),
    "a long name of 800 MiB": _behind(
        _large(b"././@LongLink", 800, b"L"), 800, "@LongLink", "more than 64 KiB"
    ),
    "models that no such archive can hold": _behind(
        _large(b"models/loras/x.pt", 2048), 2048, "models/loras/x.pt", "over the"
    ),
    "models of 8 exbibytes": Case(
        make=lambda files: gz(
            records(listed(files))
            + header(b"models/x.pt", fields={124: b"\x80" + (2**62).to_bytes(11, "big")})
            + END
        ),
        named="models/x.pt",
        rule="over the",
    ),
    "a gigabyte behind the end": Case(
        make=lambda files: _zeros(records(listed(files)) + END, 1024),
        named="hostile.tar.gz",
        rule="goes on after its end",
    ),
    "four files of 64 MiB": Case(
        make=_four, named="dev_nodes/my-dev/3.bin", rule="over the 268,435,456 bytes allowed"
    ),
    "too many files": _crowd(25_000, b"0"),
    "too many folders": _crowd(25_000, b"5"),
    "too many folders in each other": case(_nests, "dev_nodes/my-dev/", "one folder too many"),
    "a manifest of empty lists": _manifest("[],"),
    "a manifest of small tables": _manifest('{"a":0},'),
    "a lock of empty lists": _lock("[],", "150,000 tables and lists", 31),
    "a lock of numbers": _lock("1,", "1,000,000 values", 31),
    "a lock of strings without an end": _lock('"\\"', "not valid TOML", 8),
    "a lock of wide characters": _lock("\U0001f431", "larger than 4 MiB and not in ASCII", 31),
    "a lock of dotted keys": _lines(
        LOCK, "k{}." + "a." * 60 + "a = 0\n", 200_000, "nested too deeply"
    ),
    "a lock of headers": _lines(LOCK, "[k{}]\n", 2_000_000, "150,000 tables and lists"),
    "a project of quotes": case(
        append(PROJECT, '\nx = "' + '\\"' * 2_000_000 + "\n"), PROJECT, "not valid TOML"
    ),
    "a project of requirements": case(_requirements, "`project.dependencies`", "no requirement"),
}


def _at_most(change: Change) -> Honest:
    return Honest(make=lambda files: packed(listed(changed(change, files))))


READ: dict[str, Honest] = {
    "a workflow of empty lists": _at_most(
        write("workflows/x.json", b'{"nodes": [' + b"[]," * (20 * _MIB) + b"0]}")
    ),
    "a workflow of small tables": _at_most(
        write("workflows/x.json", b'{"nodes": [' + b'{"a":0},' * (7 * _MIB) + b"0]}")
    ),
    "a lock of a million keys": _at_most(
        append(LOCK, "".join(f"k{n}=0\n" for n in range(990_000)))
    ),
    "a workflow of numbers": _at_most(
        write("workflows/x.json", b'{"nodes": [' + b"1.5," * (15 * _MIB) + b"0]}")
    ),
    "a model of 250 MiB": Honest(
        make=lambda files: _zeros(
            records(changed(tell(files=None), files)) + _large(b"models/x.pt", 250), 250, END
        ),
    ),
    "twenty thousand members": _at_most(
        lambda files: files.update({f"dev_nodes/my-dev/{n}.py": b"" for n in range(19_000)})
    ),
}
