from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.errors import DiskFullError, StorageError
from comfydock_core.storage.member_tree import (
    DescriptorTree,
    MemberTree,
    PathTree,
    measure_member,
    open_tree,
    write_member,
)

TREES = pytest.mark.parametrize("make_tree", [DescriptorTree, PathTree])


@TREES
def test_files_are_made_with_the_folders_above_them(
    tmp_path: Path, make_tree: Callable[[Path], MemberTree]
) -> None:
    paths = ["a/b/c", "a/b/d", "a/e", "f", "a/b/g/h", "i/b/c"]
    with make_tree(tmp_path) as tree:
        for path in paths:
            member = write_member(tree, path, 0o644, (path.encode(), b"!"))
            assert (member.path, member.size) == (path, len(path) + 1)
    assert {path: (tmp_path / path).read_text() for path in paths} == {p: p + "!" for p in paths}


@TREES
def test_a_file_that_is_there_is_never_opened(
    tmp_path: Path, make_tree: Callable[[Path], MemberTree]
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("file")
    with make_tree(tmp_path) as tree:
        for name in ("file", "link"):
            with pytest.raises(FileExistsError):
                tree.open_new(name, 0o644)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = os.open(tmp_path, os.O_RDONLY)
    os.close(before)
    with open_tree(tmp_path) as tree:
        for path in ("a/b/c/d", "a/x/c/d", "b"):
            write_member(tree, path, 0o755, ())
        with pytest.raises(FileExistsError):
            write_member(tree, "b", 0o755, ())
    after = os.open(tmp_path, os.O_RDONLY)
    os.close(after)
    assert before == after


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="needs folder descriptors")
def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    with open_tree(tmp_path / "root") as tree:
        write_member(tree, "d/a", 0o644, ())
        write_member(tree, "b", 0o644, ())
        (tmp_path / "root/d").rename(tmp_path / "root/moved")
        (tmp_path / "root/d").symlink_to("../outside")
        with pytest.raises(OSError, match="d"):
            write_member(tree, "d/c", 0o644, ())
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_name_that_the_system_cannot_spell_is_a_clean_refusal(tmp_path: Path) -> None:
    with open_tree(tmp_path) as tree, pytest.raises(StorageError, match="cannot write"):
        write_member(tree, "\ud800", 0o644, ())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_names_the_member() -> None:
    class FullTree(PathTree):
        def open_new(self, path: str, mode: int) -> int:
            return os.open("/dev/full", os.O_WRONLY)

    with pytest.raises(DiskFullError, match=r"`models/a\.gguf`: No space left"):
        write_member(FullTree(Path("/")), "models/a.gguf", 0o644, (b"x",))


def test_measuring_says_what_writing_says(tmp_path: Path) -> None:
    with open_tree(tmp_path) as tree:
        written = write_member(tree, "a", 0o755, (b"one", b"two"))
    assert measure_member("a", 0o755, (b"onetwo",)) == written
