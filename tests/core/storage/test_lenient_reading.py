from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import STRICT, ArchiveLimits, Leniency, LenientReading
from comfydock_core.storage.tar_reader import read_leniently

from tests.core.storage.archive_bytes import gz, header, member, pax, pax_record, tar

A = member(b"a", b"one")
TIME = pax(pax_record(b"mtime", b"1795357993.5"))
LENIENT = Leniency(skips=lambda path: ".git" in path.split("/"), pax_times=True)


def read(
    tmp_path: Path,
    *records: bytes,
    leniency: Leniency = LENIENT,
    limits: ArchiveLimits | None = None,
) -> LenientReading:
    """Read an archive of ``records`` into ``tmp_path/staging``."""
    (tmp_path / "x.tar.gz").write_bytes(gz(tar(*records)))
    (tmp_path / "staging").mkdir(0o700)
    return read_leniently(
        tmp_path / "x.tar.gz",
        tmp_path / "staging",
        place_of=lambda path: "" if path == "nowhere" else "place",
        is_unpacked=lambda path: True,
        limits=limits or ArchiveLimits(),
        leniency=leniency,
    )


@pytest.mark.parametrize(
    ("records", "members", "skipped", "refusal"),
    [
        ([A], ["a"], [], ""),
        ([TIME, A], ["a"], [], "has `mtime`; only a path may be there"),
        (
            [pax(pax_record(b"path", b"long") + pax_record(b"ctime", b"1")), A],
            *(["long"], [], "has `ctime`"),
        ),
        (
            [member(b"x/.git/", kind=b"5"), member(b"x/.git/config", b"[core]"), A],
            *(["a"], ["x/.git/config"], "`x/.git` belongs to a git repository of its own"),
        ),
        ([member(b"x/.git", b"gitdir: y"), A], ["a"], ["x/.git"], "`x/.git` belongs"),
        ([TIME, member(b"./.git/HEAD"), A], ["a"], [".git/HEAD"], "has `mtime`"),
    ],
)
def test_what_is_passed_over_is_told_and_not_written(
    tmp_path: Path, records: list[bytes], members: list[str], skipped: list[str], refusal: str
) -> None:
    reading = read(tmp_path, *records)
    assert [found.path for found in reading.members] == members
    assert list(reading.skipped) == skipped
    assert os.listdir(tmp_path / "staging") == members
    assert refusal in (reading.refusal.sentence if reading.refusal else "")
    assert bool(reading.refusal) is bool(refusal)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (header(b".git/x", kind=b"2", fields={157: b"/etc/passwd"}), "is a symbolic link"),
        (header(b".git/x", kind=b"1", fields={157: b"a"}), "is a hard link"),
        (header(b".git/x", kind=b"3"), "is a device"),
        (member(b".git/../a", b"two"), "has a `.` or `..` part in its name"),
        (member(b".git/.git/../../x"), "has a `.` or `..` part in its name"),
        (member(b"/.git/x"), "has an absolute path"),
        (member(b".git/con"), "Windows reserves"),
        (member(b".GIT/x"), "belongs to a git repository of its own"),
        (member(b".git/x\x1b[2J"), "has a control or format character"),
        (member(b".git/", b"data", kind=b"5"), "is a folder with contents of its own"),
        (member(b"nowhere"), "has no place in a bundle"),
        (pax(pax_record(b"path", b"../x")) + A, "has a `.` or `..` part in its name"),
        (pax(pax_record(b"path", b"")) + A, "has no name"),
        (pax(pax_record(b"path", b"x") * 2) + A, "gives 2 paths"),
        (pax(b"") + A, "gives 0 paths"),
        (pax(pax_record(b"mtime", b"1") + pax_record(b"size", b"9")) + A, "has `size`"),
        (pax(pax_record(b"linkpath", b"x")) + A, "has `linkpath`"),
        (TIME + TIME + A, "has more than one record of its path"),
        (TIME + member(b"x\0", kind=b"L") + A, "has more than one record of its path"),
        (member(b"g", pax_record(b"mtime", b"1"), kind=b"g"), "is a header for all members"),
    ],
)
def test_all_other_rules_hold(tmp_path: Path, record: bytes, words: str) -> None:
    with pytest.raises(BundleError) as caught:
        read(tmp_path, record)
    assert words in caught.value.sentence


def test_the_caps_count_what_is_passed_over(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="over the 1,000 bytes allowed"):
        read(
            tmp_path,
            *(member(b".git/%d" % number, bytes(400)) for number in range(3)),
            limits=ArchiveLimits(total_size=1000),
        )


@pytest.mark.parametrize("record", [TIME + A, member(b".git/config")])
def test_the_strict_reader_passes_nothing_over(tmp_path: Path, record: bytes) -> None:
    with pytest.raises(BundleError):
        read(tmp_path, record, leniency=STRICT)
