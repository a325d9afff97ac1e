from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from comfydock_core.errors import BundleError, NotFoundError, StorageError
from comfydock_core.storage.archive import ArchiveLimits, ArchiveMember
from comfydock_core.storage.tar_reader import read_archive

from tests.core.storage.archive_bytes import END, gz, header, member, pax, pax_record, tar

A = member(b"a", b"one")
LONG = b"d" * 90 + b"/" + b"n" * 90


def anywhere(path: str) -> str:
    return "place"


def read(
    tmp_path: Path, data: bytes, limits: ArchiveLimits | None = None
) -> tuple[ArchiveMember, ...]:
    """Read ``data`` as an archive into ``tmp_path/staging``."""
    archive = tmp_path / "bundle.tar.gz"
    archive.write_bytes(data)
    staging = tmp_path / "staging"
    staging.mkdir(0o700)
    return read_archive(archive, staging, place_of=anywhere, limits=limits or ArchiveLimits())


def refusal(tmp_path: Path, data: bytes, limits: ArchiveLimits | None = None) -> str:
    """Return the sentence of the refusal; nothing may lie outside the staging folder."""
    with pytest.raises(BundleError) as caught:
        read(tmp_path, data, limits)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.tar.gz", "staging"]
    assert "\n" not in caught.value.sentence
    assert caught.value.sentence.isprintable()
    return caught.value.sentence


def test_files_are_written_with_their_bytes_and_modes(tmp_path: Path) -> None:
    executable = header(b"d/run", 2, mode=b"0104755\0") + b"hi" + bytes(510)
    members = read(tmp_path, gz(tar(member(b"d/", kind=b"5"), executable, A)))
    assert [(m.path, m.size, m.mode, m.sha256) for m in members] == [
        ("a", 3, 0o644, sha256(b"one").hexdigest()),
        ("d/run", 2, 0o755, sha256(b"hi").hexdigest()),
    ]
    assert (tmp_path / "staging/a").read_bytes() == b"one"
    assert (tmp_path / "staging/d/run").stat().st_mode & 0o7000 == 0
    assert os.access(tmp_path / "staging/d/run", os.X_OK)
    assert not os.access(tmp_path / "staging/a", os.X_OK)


@pytest.mark.parametrize(
    ("records", "path"),
    [
        (member(b"./a"), "a"),
        (member(b"./", kind=b"5") + member(b".", kind=b"5") + A, "a"),
        (member(b"a", kind=b"\0"), "a"),
        (member(b"./d/", kind=b"5") + member(b"./d/a"), "d/a"),
        (member(b"d/a") + member(b"d", kind=b"5"), "d/a"),
        (pax(pax_record(b"path", LONG)) + member(b"short"), LONG.decode()),
        (member(b"././@LongLink", LONG + b"\0", b"L") + member(b"short"), LONG.decode()),
        (pax(pax_record(b"path", "é/日本".encode())) + member(b"x"), "é/日本"),
        (header(b"n", fields={345: b"p/q"}), "p/q/n"),
        (header(b"a", magic=b"ustar  \0"), "a"),
        (header(b"a", fields={124: b"        3 \0 "}) + b"one" + bytes(509), "a"),
        (member(b".gitignore"), ".gitignore"),
    ],
)
def test_other_tools_spellings_are_read(tmp_path: Path, records: bytes, path: str) -> None:
    assert [found.path for found in read(tmp_path, gz(tar(records)))] == [path]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_archives_of_tarfile_are_read(tmp_path: Path, form: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=form) as archive:
        for name, data in {"b/c": b"x" * 600, LONG.decode(): b""}.items():
            record = tarfile.TarInfo(name)
            record.size = len(data)
            archive.addfile(record, io.BytesIO(data))
    assert [found.size for found in read(tmp_path, buffer.getvalue())] == [600, 0]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (member(b"../x"), "`../x` has a `.` or `..` part"),
        (member(b"d/../../x"), "`.` or `..` part"),
        (member(b"././x"), "`.` or `..` part"),
        (member(b"/etc/x"), "absolute path"),
        (member(b"/", kind=b"5"), "has no name"),
        (member(b""), "has no name"),
        (member(b"d/"), "empty part"),
        (pax(pax_record(b"path", b"../x")) + member(b"x"), "`.` or `..` part"),
        (header(b"x", fields={345: b".."}), "`.` or `..` part"),
        (header(b"x", kind=b"2", fields={157: b"/etc"}), "is a symbolic link"),
        (header(b"x", kind=b"1", fields={157: b"a"}), "is a hard link"),
        (header(b"x", kind=b"3"), "is a device"),
        (header(b"x", kind=b"4"), "is a device"),
        (header(b"x", kind=b"6"), "is a named pipe"),
        (header(b"x", kind=b"7"), "is a contiguous file"),
        (header(b"x", kind=b"S"), "is a sparse file"),
        (header(b"x", kind=b"\x1b"), r"unknown type `\x1b`"),
        (member(b"x", pax_record(b"path", b"y"), b"g"), "is a header for all members"),
        (member(b"x", b"target\0", b"K"), "is a record of a link's target"),
        (header(b"x", fields={157: b"/etc"}), "has the target of a link"),
        (pax(pax_record(b"size", b"0")) + A, "has `size`; only a path"),
        (pax(pax_record(b"linkpath", b"/etc")) + A, "has `linkpath`"),
        (pax(pax_record(b"GNU.sparse.major", b"1")) + A, "has `GNU.sparse.major`"),
        (pax(pax_record(b"path", b"a") * 2) + A, "gives 2 paths"),
        (pax(b"") + A, "gives 0 paths"),
        (pax(b"99 path=a\n") + A, "cannot be read"),
        (pax(b"8 path=a\n") + A, "cannot be read"),
        (pax(b"-9 path=a\n") + A, "cannot be read"),
        (pax(pax_record(b"path ", b"a")) + A, "has `path `; only a path"),
        (pax(b"7 path\n") + A, "has `path`; only a path"),
        (pax(pax_record(b"path", b"a\0b")) + A, "control or format character"),
        (pax(pax_record(b"path", b"a")) * 2 + A, "more than one record of its path"),
        (member(b"@", b"a", b"L") + A, "cannot be read"),
        (member(b"@", b"a\0b\0", b"L") + A, "cannot be read"),
        (header(b"PaxHeader", 64 * 1024 + 1, b"x"), "more than 64 KiB"),
        (header(b"@LongLink", 1 << 30, b"L"), "more than 64 KiB"),
        (member(b"d/", b"data", b"5"), "folder with contents"),
        (header(b"a", magic=b"\0" * 8), "not ustar"),
        (header(b"a", magic=b"ustar\x0001"), "not ustar"),
        (header(b"a", magic=b"ustar  \0", fields={345: b"p"}), "fields that no bundle has"),
        (header(b"a", fields={505: b"x"}), "fields that no bundle has"),
        (header(b"a\0b"), "something behind its end"),
        (header(b"a", fields={148: b"0000001\0"}), "wrong checksum"),
        (header(b"a", fields={124: b"\x80" + bytes(10) + b"\1"}), "no plain octal number"),
        (header(b"a", fields={124: b"-0000000001\0"}), "no plain octal number"),
        (header(b"a", mode=b"rwxr-xr-"), "no plain octal number"),
        (A[:-1] + b"x", "something in the padding"),
        (A + A, "is there twice"),
        (A + member(b"A"), "`A` is the same as `a` on some systems"),
        (member("ſ".encode()) + member(b"s"), "is the same as"),
        (A + member(b"a/b"), "has the file `a` as its folder"),
        (member(b"a/b") + A, "both a file and a folder"),
        (member(b"d/", kind=b"5") * 2, "is there twice"),
        (member(b"d/a") + member(b"D/b"), "`d` on some systems"),
        (member("e\u0301".encode()), "Unicode form NFC"),
        (member(b"\xff"), "not UTF-8"),
        (member(b"d/CON.txt"), "reserves for a device"),
        (member(b"d/.git/config"), "git repository"),
        (member(b"d/__pycache__/x"), "bytecode"),
        (member(b"d/x.PYC"), "bytecode"),
        (member(b".venv/x"), "virtual environment"),
        (pax(pax_record(b"path", b"d/" * 32 + b"x")) + A, "more than 32 levels"),
        (pax(pax_record(b"path", b"n" * 513)) + A, "more than 512 bytes"),
    ],
)
def test_a_bad_record_is_refused(tmp_path: Path, record: bytes, words: str) -> None:
    assert words in refusal(tmp_path, gz(tar(record)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"just text", "is not a comfydock bundle: it is not a gzip file"),
        (b"", "it is not a gzip file"),
        (tar(A), "it is not a gzip file"),
        (gz(b""), "end too early"),
        (gz(A), "end too early"),
        (gz(A[:600]), "end too early"),
        (gz(tar(A, end=END[:512])), "end too early"),
        (gz(tar(A, end=END[:512]) + A), "one end block"),
        (gz(tar(A) + A), "goes on after its end"),
        (gz(tar(A) + bytes(100)), "ends inside a block"),
        (gz(tar(A) + bytes(3 << 20)), "goes on after its end"),
        (gz(tar(A))[:-1], "gzip trailer"),
        (gz(tar(A))[:-8], "ends in its"),
        (gz(tar(A))[:30], "ends in its compressed data"),
        (gz(tar(A))[:5], "gzip header"),
        (gz(tar(A)) * 2, "second gzip member"),
        (gz(tar(A)) + b"\0", "bytes behind its gzip trailer"),
        (gz(tar(A))[:-8] + b"\0\0\0\0" + gz(tar(A))[-4:], "checksum in its gzip trailer"),
        (gz(tar(A))[:-4] + b"\0\0\0\0", "length in its gzip trailer"),
        (gz(tar(A))[:10] + b"\xff" * 40, "compressed data cannot be read"),
        (b"\x1f\x8b\x08\x04" + gz(tar(A))[4:], "gzip header has fields"),
        (b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 2000, "has no end"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in refusal(tmp_path, data)


@pytest.mark.parametrize(
    ("records", "limits", "words"),
    [
        ([A, member(b"b")], ArchiveLimits(members=1), "`b` is one too many: 1 are allowed"),
        ([member(b"./", kind=b"5")] * 3, ArchiveLimits(members=2), "one too many"),
        ([A], ArchiveLimits(member_size=2), "`a` has 3 bytes; 2 are allowed"),
        ([A, member(b"b", b"x")], ArchiveLimits(total_size=3), "over the 3 bytes allowed"),
        ([header(b"pyproject.toml", (4 << 20) + 1)], ArchiveLimits(), "4,194,304 are allowed"),
        ([header(b"uv.lock", (32 << 20) + 1)], ArchiveLimits(), "33,554,432 are allowed"),
        ([header(b"a", 8**11 - 1)], ArchiveLimits(), "67,108,864 are allowed"),
        (
            [header(b"m/a", fields={124: b"\x80" + (2**40).to_bytes(11, "big")})],
            ArchiveLimits(large_folder="m/", large_total=2**39),
            "`m/a` brings `m/` over the 549,755,813,888 bytes",
        ),
    ],
)
def test_caps_hold_before_anything_is_decoded(
    tmp_path: Path, records: list[bytes], limits: ArchiveLimits, words: str
) -> None:
    assert words in refusal(tmp_path, gz(tar(*records)), limits)


def test_a_raised_cap_lets_a_member_in(tmp_path: Path) -> None:
    limits = ArchiveLimits(size_caps={"uv.lock": 5}, member_size=1)
    assert read(tmp_path, gz(tar(member(b"uv.lock", b"12345"))), limits)[0].size == 5


def test_a_bomb_stops_at_its_cap(tmp_path: Path) -> None:
    bomb = gz(tar(*(header(b"f%d" % i, 1 << 20) + bytes(1 << 20) for i in range(40))), level=9)
    words = refusal(tmp_path, bomb, ArchiveLimits(total_size=4 << 20))
    assert "over the 4,194,304 bytes allowed" in words
    staged = sum(path.stat().st_size for path in (tmp_path / "staging").iterdir())
    assert staged == 4 << 20


def test_a_member_without_a_place_is_named(tmp_path: Path) -> None:
    archive = tmp_path / "bundle.tar.gz"
    archive.write_bytes(gz(tar(A, member(b"folder/", kind=b"5"))))
    asked: list[str] = []

    def place_of(path: str) -> str:
        asked.append(path)
        return "" if path.endswith("/") else "place"

    (tmp_path / "staging").mkdir()
    with pytest.raises(BundleError, match="`folder` has no place in a bundle"):
        read_archive(archive, tmp_path / "staging", place_of=place_of)
    assert asked == ["a", "folder/"]


def test_what_is_not_to_be_unpacked_is_checked_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "bundle.tar.gz").write_bytes(gz(tar(A, member(b"big/b", b"two"))))
    (tmp_path / "staging").mkdir()
    members = read_archive(
        tmp_path / "bundle.tar.gz",
        tmp_path / "staging",
        place_of=anywhere,
        is_unpacked=lambda path: path == "a",
    )
    assert [(m.path, m.size, m.sha256) for m in members] == [
        ("a", 3, sha256(b"one").hexdigest()),
        ("big/b", 3, sha256(b"two").hexdigest()),
    ]
    assert os.listdir(tmp_path / "staging") == ["a"]


def test_a_file_in_the_staging_folder_is_never_written_to(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_bytes(b"mine")
    (tmp_path / "bundle.tar.gz").write_bytes(gz(tar(A, member(b"d/a", b"two"))))
    for name, target in {"a": "../outside/a", "d": "../outside"}.items():
        (staging / name).symlink_to(target)
        with pytest.raises(StorageError):
            read_archive(tmp_path / "bundle.tar.gz", staging, place_of=anywhere)
        (staging / name).unlink()
    assert (tmp_path / "outside/a").read_bytes() == b"mine"


def test_what_is_no_file_has_its_own_sentence(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="it is a folder"):
        read_archive(tmp_path, tmp_path, place_of=anywhere)
    with pytest.raises(NotFoundError, match="does not exist"):
        read_archive(tmp_path / "none", tmp_path, place_of=anywhere)


def test_a_name_in_the_gzip_header_is_passed_over(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile("named.tar", "wb", fileobj=buffer) as file:
        file.write(tar(A))
    assert read(tmp_path, buffer.getvalue())[0].path == "a"


RECORDS = (A, pax(pax_record(b"path", LONG)), member(b"x", b"two" * 33 + b"!"))
WHOLE = gz(tar(*RECORDS), level=9)


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    refusal(tmp_path, WHOLE[:length])


@pytest.mark.parametrize("place", [*range(4), *range(10, len(WHOLE))])
def test_a_changed_bit_is_refused_or_changes_no_content(tmp_path: Path, place: int) -> None:
    changed = bytearray(WHOLE)
    changed[place] ^= 1 << place % 8
    # A deflate stream can say the same in two ways, and its last byte has bits that say nothing.
    if tar(*RECORDS) != zlib_contents(changed):
        refusal(tmp_path, bytes(changed))
    else:
        assert [member.size for member in read(tmp_path, bytes(changed))] == [3, 100]


def zlib_contents(data: bytearray) -> bytes:
    """Return what another decoder makes of a gzip file, empty when it refuses it."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""
