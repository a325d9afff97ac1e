from __future__ import annotations

import os
import tarfile
import unicodedata
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import active_count

import pytest
from comfydock_core.domain.path_rules import broken_rule, folded, is_made_anew
from comfydock_core.errors import BundleError, ComfydockError, StorageError
from comfydock_core.storage.archive import ArchiveLimits, ArchiveMember, Listing, MemberSource
from comfydock_core.storage.tar_reader import read_archive
from comfydock_core.storage.tar_writer import AdmittedMembers, write_archive
from hypothesis import given, settings
from hypothesis import strategies as st

LONG = "d" * 90 + "/" + "n" * 90


def files(contents: dict[str, bytes], mode: int = 0o644) -> list[MemberSource]:
    """Return sources of one mode."""
    return [MemberSource(path=p, content=data, mode=mode) for p, data in contents.items()]


def anywhere(path: str) -> str:
    return "place"


def test_what_is_written_is_what_tarfile_sees(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x" * (2 << 20))
    names = ["b/run", "a", LONG, "é.json", "n" * 100, "p" * 155 + "/" + "n" * 100, "z" * 101]
    sources = [MemberSource(path=name, content=b"1", mode=0o4744) for name in names]
    sources.append(MemberSource(path="large", content=tmp_path / "source", mode=0o666))
    written = write_archive(tmp_path / "a.tar.gz", sources, mtime=1_700_000_000)
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        found = archive.getmembers()
        assert archive.extractfile("large").read() == b"x" * (2 << 20)  # type: ignore[union-attr]
    assert [member.name for member in found] == sorted([*names, "large"])
    assert [member.path for member in written] == sorted([*names, "large"])
    assert {(m.mode, m.mtime, m.uid, m.gid, m.uname, m.gname) for m in found} == {
        (0o755, 1_700_000_000, 0, 0, "", ""),
        (0o644, 1_700_000_000, 0, 0, "", ""),
    }


def test_equal_input_gives_equal_bytes_whatever_its_order_and_its_form(tmp_path: Path) -> None:
    data = os.urandom(700_000) * 4
    (tmp_path / "b").write_bytes(data)
    first = [*files({"a": b"1", "b": data})]
    second = [MemberSource(path="b", content=tmp_path / "b"), *files({"a": b"1"})]
    for name, sources in {"1": first, "2": second}.items():
        write_archive(tmp_path / name, sources, mtime=5)
    write_archive(tmp_path / "3", first, mtime=6)
    one, two, three = ((tmp_path / name).read_bytes() for name in "123")
    assert one == two
    assert one != three
    assert one[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


@pytest.mark.parametrize("mtime", [-5, 0, 2**40])
def test_any_time_can_be_given(tmp_path: Path, mtime: int) -> None:
    write_archive(tmp_path / "a", files({"x": b""}), mtime=mtime)
    with tarfile.open(tmp_path / "a") as archive:
        assert archive.getmembers()[0].mtime == min(max(mtime, 0), 8**11 - 1)


def test_a_listing_is_made_of_all_other_members(tmp_path: Path) -> None:
    """Those behind it are read before they are written."""
    (tmp_path / "c").write_bytes(b"333")
    sources = [*files({"b": b"1", "a": b"22"}), MemberSource(path="x", content=tmp_path / "c")]
    given: list[ArchiveMember] = []

    def make(members: Sequence[ArchiveMember]) -> bytes:
        given.extend(members)
        return b"all"

    listing = Listing(path="list", make=make)
    admitted = AdmittedMembers(sources, "a.tar.gz", listing=listing)
    written = admitted.write(tmp_path / "part", mtime=0)
    assert [member.path for member in written] == ["a", "b", "list", "x"]
    assert given == [member for member in written if member.path != "list"]
    (tmp_path / "staging").mkdir()
    assert read_archive(tmp_path / "part", tmp_path / "staging", place_of=anywhere) == written
    assert (tmp_path / "staging/list").read_bytes() == b"all"


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [("A", b"", "the same as `a`"), ("uv.lock", bytes(33 << 20), "33,554,432 are allowed")],
)
def test_a_listing_is_held_to_the_rules_as_well(
    tmp_path: Path, path: str, content: bytes, words: str
) -> None:
    listing = Listing(path=path, make=lambda members: content)
    admitted = AdmittedMembers(files({"a": b"", "z": b""}), "a.tar.gz", listing=listing)
    with pytest.raises(BundleError, match=words):
        admitted.write(tmp_path / "part", mtime=0)


def test_everything_is_let_in_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    sources = [MemberSource(path="a", content=tmp_path / "file"), *files({"b/../c": b""})]
    with pytest.raises(BundleError, match=r"`\.` or `\.\.` part"):
        AdmittedMembers(sources, "a.tar.gz")


def test_a_file_of_another_size_than_when_it_was_let_in_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for before, after in ((b"12", b"123"), (b"12", b"1"), (b"", b"1"), (b"1", b"")):
        file.write_bytes(before)
        admitted = AdmittedMembers([MemberSource(path="a", content=file)], "a.tar.gz")
        file.write_bytes(after)
        with pytest.raises(BundleError, match=f"`{file}` changed while it was read"):
            admitted.write(tmp_path / f"part-{before!r}-{after!r}", mtime=0)


def test_a_file_with_another_digest_than_the_known_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    known = sha256(b"1").hexdigest()
    source = MemberSource(path="a", content=tmp_path / "file", sha256=known)
    assert write_archive(tmp_path / "a", [source], mtime=0)[0].sha256 == known
    (tmp_path / "file").write_bytes(b"2")
    with pytest.raises(BundleError, match=r"/file` is not what it was when its digest"):
        write_archive(tmp_path / "b", [source], mtime=0)
    assert not (tmp_path / "b").exists()


def test_the_mode_of_a_file_travels_where_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"")
    (tmp_path / "run").chmod(0o700)
    modes = {"own": None, "plain": 0o644}
    sources = [MemberSource(path=k, content=tmp_path / "run", mode=v) for k, v in modes.items()]
    written = write_archive(tmp_path / "a", sources, mtime=0)
    assert {member.path: member.mode for member in written} == {"own": 0o755, "plain": 0o644}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(0o500)
    with pytest.raises(StorageError, match=f"`{tmp_path}/closed`: Permission denied"):
        write_archive(tmp_path / "closed/a", [], mtime=0)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"../x": b""}, "`.` or `..` part"),
        ({"a": b"", "A": b""}, "the same as `A` on some systems"),
        ({"a": b"", "a/b": b""}, "has the file `a` as its folder"),
        ({"x.pyc": b""}, "bytecode"),
        ({"a": b"123456789"}, "has 9 bytes; 8 are allowed"),
        ({"a": b"1", "b": b"", "c": b"", "d": b""}, "`d` is one too many"),
        ({"a": b"12345678", "b": b"12345678"}, "over the 12 bytes"),
    ],
)
def test_nothing_is_written_that_would_not_be_read(
    tmp_path: Path, contents: dict[str, bytes], words: str
) -> None:
    limits = ArchiveLimits(members=3, member_size=8, total_size=12)
    with pytest.raises(BundleError) as caught:
        write_archive(tmp_path / "a.tar.gz", files(contents), mtime=0, limits=limits)
    assert words in caught.value.sentence
    assert list(tmp_path.iterdir()) == []


def test_a_source_must_be_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        source = MemberSource(path=name, content=tmp_path / name)
        with pytest.raises(BundleError, match=f"`{name}` is no regular file"):
            write_archive(tmp_path / "a", [source], mtime=0)
    with pytest.raises(StorageError, match="none"):
        write_archive(tmp_path / "a", [MemberSource(path="x", content=tmp_path / "none")], mtime=0)
    assert not (tmp_path / "a").exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs a file of Linux's /proc")
def test_a_source_that_is_longer_than_its_size_is_refused(tmp_path: Path) -> None:
    # The kernel says 0 bytes for this file and gives more: it looks as if it grew meanwhile.
    source = MemberSource(path="x", content=Path("/proc/self/status"))
    with pytest.raises(BundleError, match="changed while it was read"):
        write_archive(tmp_path / "a", [source], mtime=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(),
    reason="needs a file of Linux's /sys",
)
def test_a_source_that_is_shorter_than_its_size_is_refused(tmp_path: Path) -> None:
    # The kernel says 4,096 bytes for this file and gives fewer.
    source = MemberSource(path="x", content=Path("/sys/kernel/mm/transparent_hugepage/enabled"))
    with pytest.raises(BundleError, match="changed while it was read"):
        write_archive(tmp_path / "a", [source], mtime=0)


def test_a_failure_in_the_middle_leaves_no_file_and_no_thread(tmp_path: Path) -> None:
    threads = active_count()
    sources = [*files({"a": os.urandom(9 << 20)}), MemberSource(path="b", content=tmp_path / "no")]
    with pytest.raises(StorageError):
        write_archive(tmp_path / "a.tar.gz", sources, mtime=0)
    assert list(tmp_path.iterdir()) == []
    assert active_count() == threads


def test_a_disk_that_takes_no_more_is_a_clean_refusal(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(StorageError):
            write_archive(tmp_path / "a", files({"a": os.urandom(30 << 20)}), mtime=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    target.write_bytes(b"mine")
    with pytest.raises(StorageError, match="exists already"):
        write_archive(target, files({"a": b""}), mtime=0)
    assert target.read_bytes() == b"mine"
    write_archive(target, files({"a": b""}), mtime=0, overwrite=True)
    assert target.read_bytes() != b"mine"
    assert list(tmp_path.iterdir()) == [target]


LETTERS = st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs", "Mn"])
PARTS = st.text(LETTERS, min_size=1, max_size=60).map(lambda t: unicodedata.normalize("NFC", t))
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
TREES = st.dictionaries(PATHS, st.tuples(st.binary(max_size=2000), st.booleans()), max_size=6)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_what_was_written_is_read_as_it_was(tree: dict[str, tuple[bytes, bool]]) -> None:
    sources = [
        MemberSource(path=path, content=data, mode=0o755 if executable else 0o644)
        for path, (data, executable) in tree.items()
    ]
    with TemporaryDirectory() as name:
        archive, staging = Path(name, "a"), Path(name, "staging")
        staging.mkdir()
        try:
            written = write_archive(archive, sources, mtime=1)
        except ComfydockError:
            assert not archive.exists()
            assert is_refusable(tree)
            return
        assert read_archive(archive, staging, place_of=anywhere) == written
        found = {
            str(path.relative_to(staging)): (path.read_bytes(), os.access(path, os.X_OK))
            for path in staging.rglob("*")
            if path.is_file()
        }
    assert found == tree


def is_refusable(tree: dict[str, tuple[bytes, bool]]) -> bool:
    """Whether some name breaks a rule or stands in the way of another one."""
    parents = {
        "/".join(path.split("/")[:depth])
        for path in tree
        for depth in range(1, path.count("/") + 1)
    }
    every = [*tree, *parents]
    return any(broken_rule(path) or is_made_anew(path) for path in tree) or len(
        {folded(path) for path in every}
    ) < len(every)
