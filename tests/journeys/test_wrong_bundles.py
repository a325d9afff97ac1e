"""What is no good bundle is refused in one sentence, exit 1, and nothing is written."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.machines import Machine, machine
from tests.journeys.town import Town

Change = Callable[[bytes], bytes]


def repacked(bundle: bytes, change: Callable[[tarfile.TarFile], None]) -> bytes:
    """Copy a bundle's members into a new archive and let ``change`` add to it."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(bundle)) as old,
        tarfile.open(fileobj=out, mode="w:gz", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in old:
            new.addfile(member, old.extractfile(member))
        change(new)
    return out.getvalue()


def add_file(name: str, data: bytes = b"x") -> Callable[[tarfile.TarFile], None]:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))

    return add


def add_link(archive: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("dev_nodes/my-dev/link.py")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive.addfile(member)


def flip_a_byte(bundle: bytes) -> bytes:
    plain = bytearray(gzip.decompress(bundle))
    at = plain.index(b"class MyDev")
    plain[at] ^= 1
    return gzip.compress(bytes(plain))


WRONG: dict[str, tuple[Change, str]] = {
    "a text file": (lambda _: b"hello, this is no bundle\n", "bundle.tar.gz"),
    "truncated": (lambda data: data[: len(data) // 2], "bundle.tar.gz"),
    "last byte missing": (lambda data: data[:-1], "bundle.tar.gz"),
    "a path out of the folder": (lambda data: repacked(data, add_file("../x")), "../x"),
    "an absolute path": (lambda data: repacked(data, add_file("/tmp/x")), "/tmp/x"),
    "a symbolic link": (lambda data: repacked(data, add_link), "link.py"),
    "a git folder": (
        lambda data: repacked(data, add_file("dev_nodes/my-dev/.git/config")),
        ".git/config",
    ),
    "an unlisted file": (
        lambda data: repacked(data, add_file("dev_nodes/my-dev/more.py")),
        "more.py",
    ),
    "a changed byte": (flip_a_byte, "__init__.py"),
}


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def receiver(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    one = machine(tmp_path_factory.mktemp("receiver"), town)
    one.ok("list")
    return one


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused(
    what: str, bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    change, named = WRONG[what]
    wrong = tmp_path / "bundle.tar.gz"
    wrong.write_bytes(change(bundle.read_bytes()))
    before = everything_below(receiver.home.parent)
    ran = receiver.run("import", str(wrong), "--yes", "--trust-code", "--json")
    assert ran.exit_code == 1
    assert ran.envelope["status"] == "error"
    (error,) = ran.envelope["errors"]
    assert named in error["message"]
    assert "\n" not in error["message"]
    assert everything_below(receiver.home.parent) - before <= {"home/environments/.staging"}


def test_a_bundle_that_is_not_there_is_wrong_usage(receiver: Machine) -> None:
    ran = receiver.run("import", "no-such-file.tar.gz", "--json")
    assert ran.exit_code == 2
    assert "no-such-file.tar.gz" in ran.envelope["errors"][0]["message"]
