from __future__ import annotations

import io
import os
import random
import zipfile
import zlib
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from stat import S_IFIFO, S_IFLNK

import pytest
from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import DEFAULT_LIMITS, ArchiveLimits, ArchiveMember
from comfydock_core.storage.zip_reader import extract_zip

from tests.core.storage.archive_bytes import ZipEntry, zip_bytes

TEXT = b"some text " * 50
A = ZipEntry(name=b"a", data=TEXT)
PACKED = A.packed_data()


def extract(
    tmp_path: Path, data: bytes, limits: ArchiveLimits = DEFAULT_LIMITS
) -> tuple[ArchiveMember, ...]:
    """Extract ``data`` as a ZIP into ``tmp_path/staging``."""
    archive = tmp_path / "node.zip"
    archive.write_bytes(data)
    (tmp_path / "staging").mkdir(0o700)
    return extract_zip(archive, tmp_path / "staging", limits=limits)


def refusal(tmp_path: Path, data: bytes, limits: ArchiveLimits = DEFAULT_LIMITS) -> str:
    """Return the sentence of the refusal; nothing may lie outside the staging folder."""
    with pytest.raises(BundleError) as caught:
        extract(tmp_path, data, limits)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node.zip", "staging"]
    assert caught.value.sentence.isprintable()
    return caught.value.sentence


def test_archives_of_zipfile_are_unpacked(tmp_path: Path) -> None:
    large = random.Random(1).randbytes(3 << 20) + bytes(20 << 20)
    contents = {"b/run.sh": b"#!", ".gitignore": b"x", "é/日本.txt": b"", "large": large}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        for name, data in contents.items():
            archive.writestr(name, data)
        archive.comment = b"a comment"
        archive.getinfo("b/run.sh").external_attr = 0o100755 << 16
        archive.getinfo("large").external_attr = 0
    members = extract(tmp_path, buffer.getvalue())
    assert [(m.path, m.size, m.sha256) for m in members] == [
        (name, len(data), sha256(data).hexdigest()) for name, data in sorted(contents.items())
    ]
    assert {member.path for member in members if member.mode == 0o755} == {"b/run.sh"}
    assert os.access(tmp_path / "staging/b/run.sh", os.X_OK)
    assert (tmp_path / "staging/large").read_bytes() == large


def test_a_stream_written_without_sizes_is_unpacked(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    buffer = Pipe()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", TEXT)
        archive.writestr("b", b"")
    assert [member.size for member in extract(tmp_path, buffer.getvalue())] == [len(TEXT), 0]


def test_stored_data_and_an_empty_archive_are_unpacked(tmp_path: Path) -> None:
    assert extract(tmp_path, zip_bytes(replace(A, method=0)))[0].size == len(TEXT)
    (tmp_path / "empty").mkdir()
    assert extract(tmp_path / "empty", zip_bytes()) == ()


def test_what_every_machine_makes_for_itself_is_passed_over(tmp_path: Path) -> None:
    names = [b"__pycache__/a.pyc", b"b/__pycache__/", b"c.pyc", b".venv/bin/python", b"b/.venv/"]
    skipped = [ZipEntry(name=name, unix_mode=S_IFLNK | 0o777) for name in names]
    assert [member.path for member in extract(tmp_path, zip_bytes(A, *skipped))] == ["a"]
    assert os.listdir(tmp_path / "staging") == ["a"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (replace(A, name=b"../x"), "`.` or `..` part"),
        (replace(A, name=b"/x"), "absolute path"),
        (replace(A, name=b"C:/x"), "has one of"),
        (replace(A, name=b"d\\x"), "has one of"),
        (replace(A, name=b"./x"), "`.` or `..` part"),
        (replace(A, name=b"\xff"), "not UTF-8"),
        (replace(A, name=b"../__pycache__/x"), "`.` or `..` part"),
        (replace(A, name=b"b/.git/config"), "git repository"),
        (replace(A, name=b""), "has no name"),
        (replace(A, unix_mode=S_IFLNK | 0o777), "is a link, a device"),
        (replace(A, unix_mode=S_IFIFO), "is a link, a device"),
        (replace(A, unix_mode=0o040755), "is a link, a device"),
        (replace(A, name=b"d/", unix_mode=0o120777, data=b""), "is a link, a device"),
        (replace(A, name=b"d/", unix_mode=0), "folder with contents"),
        (replace(A, attributes=0x10), "both a file and a folder"),
        (replace(A, flags=1), "is encrypted"),
        (replace(A, flags=0x2000), "is encrypted"),
        (replace(A, method=12), "(method 12) not known"),
        (replace(A, method=99), "(method 99) not known"),
        (replace(A, size=10), "more data than its size"),
        (replace(A, size=501), "less data than its size"),
        (replace(A, size=10, crc=zlib.crc32(TEXT[:10])), "more data than its size"),
        (replace(A, method=0, size=499), "more data than its size"),
        (replace(A, crc=1), "does not have the checksum"),
        (replace(A, packed=PACKED + b"x"), "bytes behind its compressed data"),
        (replace(A, packed=PACKED[:-3]), "without an end"),
        (replace(A, packed=b""), "without an end"),
        (replace(A, packed=b"\xff" * 9), "cannot be read"),
        (replace(A, local_name=b"b"), "differs from the directory"),
    ],
)
def test_a_bad_entry_is_refused(tmp_path: Path, entry: ZipEntry, words: str) -> None:
    assert words in refusal(tmp_path, zip_bytes(entry))


ONE = zip_bytes(A)
END_SIZE = 22


def changed(offset: int, data: bytes) -> bytes:
    """Return a ZIP of one entry with ``data`` at ``offset`` of its end record."""
    place = len(ONE) - END_SIZE + offset
    return ONE[:place] + data + ONE[place + len(data) :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no ZIP archive"),
        (b"PK\x05\x06", "is no ZIP archive"),
        (b"<html>sign in</html>", "is no ZIP archive"),
        (ONE[:-1], "is no ZIP archive"),
        (ONE + b"x", "belong to no member"),
        (b"#!/bin/sh\n" + ONE, "belong to no member"),
        (zip_bytes(A, between=b"x"), "belong to no member"),
        (zip_bytes(A, count=2), "directory that cannot be read"),
        (zip_bytes(A, A, count=1), "behind its last member"),
        (zip_bytes(A, replace(A, name=b"A")), "the same as `a`"),
        (zip_bytes(A, A), "is there twice"),
        (zip_bytes(A, replace(A, name=b"a/b")), "has the file `a` as its folder"),
        (changed(4, b"\1"), "in parts or in the ZIP64 form"),
        (changed(12, b"\xff" * 4), "ZIP64 form"),
        (changed(8, b"\0\0\0\0"), "too large for its members"),
        (b"X" + ONE[1:], "has no header of its own"),
    ],
)
def test_a_bad_archive_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in refusal(tmp_path, data)


def test_two_entries_may_not_share_their_data(tmp_path: Path) -> None:
    body = A.local()
    inner = replace(A, data=body, name=b"b", method=0)
    offset = inner.local().index(body)
    directory = inner.central(0) + A.central(offset)
    data = inner.local() + directory
    end = zip_bytes()[:8] + b"\2\0\2\0"
    end += len(directory).to_bytes(4, "little") + len(inner.local()).to_bytes(4, "little") + b"\0\0"
    assert "shares its data" in refusal(tmp_path, data + end)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (ArchiveLimits(members=1), "has 2 members; 1 are allowed"),
        (ArchiveLimits(member_size=499), "`a` has 500 bytes; 499 are allowed"),
        (ArchiveLimits(total_size=501), "over the 501 bytes allowed"),
    ],
)
def test_caps_hold(tmp_path: Path, limits: ArchiveLimits, words: str) -> None:
    assert words in refusal(tmp_path, zip_bytes(A, ZipEntry(name=b"b", data=b"22")), limits)


def test_a_bomb_that_lies_about_its_size_stops_early(tmp_path: Path) -> None:
    bomb = ZipEntry(name=b"a", data=bytes(50 << 20), size=10)
    assert "more data than its size" in refusal(tmp_path, zip_bytes(bomb))
    assert (tmp_path / "staging/a").stat().st_size == 0


@pytest.mark.parametrize("length", range(0, len(ONE), 3))
def test_an_archive_cut_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    refusal(tmp_path, ONE[:length])


@pytest.mark.parametrize("place", range(len(ONE)))
def test_a_changed_byte_is_refused_or_harmless(tmp_path: Path, place: int) -> None:
    data = bytearray(ONE)
    data[place] ^= 0x55
    try:
        members = extract(tmp_path, bytes(data))
    except BundleError:
        return
    assert [(m.size, m.sha256) for m in members] == [(500, sha256(TEXT).hexdigest())]
