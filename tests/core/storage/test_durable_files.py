from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import (
    copy_tree,
    remove_folder,
    staging_folder,
    storage_errors,
    write_all_durably,
    write_durably,
)
from filelock import FileLock

NOBODY = 65534


@pytest.fixture
def powerless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of somebody whom the file system may say no to, which it never does to root.

    It is the current one, because the folders above it may be closed to them.
    """
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield Path()
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("name", ["a", "n" * 255, "é" * 127, "a.json", "工作流.json"])
def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new" / name
    for data in (b"old", b"", b"new" * 100_000):
        write_durably(path, data)
        assert path.read_bytes() == data
    assert os.listdir(path.parent) == [name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "a" / "inside").mkdir(parents=True)
    with pytest.raises(StorageError) as caught:
        write_durably(tmp_path / "a", b"x")
    assert str(tmp_path) in caught.value.sentence
    assert sorted(os.listdir(tmp_path)) == ["a"]
    with pytest.raises(StorageError):
        write_durably(Path("/dev/null/x"), b"x")


def test_many_files_are_written_as_one_is(tmp_path: Path) -> None:
    files = {tmp_path / f"{n % 3}" / f"{n}.json": b"%d" % n for n in range(200)}
    write_all_durably((path, b"old") for path in files)
    write_all_durably(files.items())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="taken"):
        write_all_durably([(tmp_path / "b", b""), (tmp_path / "taken", b"")])
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2", "b", "taken"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path, contents = tmp_path / "f", {b"a" * 200_000, b"b" * 100_000}
    write_durably(path, min(contents))
    done = threading.Event()

    def write() -> None:
        for data in [*contents] * 10:
            write_durably(path, data)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= contents
    assert seen


def test_refusals_become_sentences(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught, storage_errors(tmp_path):
        (tmp_path / "none").read_bytes()
    assert caught.value.subject == str(tmp_path / "none")
    with pytest.raises(StorageError) as caught, storage_errors(tmp_path):
        raise PermissionError(13, "Permission denied")
    assert caught.value.sentence == f"`{tmp_path}`: Permission denied"
    assert caught.value.hint == "check who owns the folder"


def tree(folder: Path) -> Path:
    """Make a folder with a read-only file, a read-only sub-folder and links."""
    inner = folder / "sub" / "inner"
    inner.mkdir(parents=True)
    (inner / "object").write_bytes(b"x")
    (inner / "object").chmod(0o444)
    (inner / "link").symlink_to("/nowhere")
    inner.chmod(0o555)
    (folder / "sub").chmod(0o500)
    return folder


def test_read_only_files_and_folders_go_too(powerless: Path) -> None:
    remove_folder(tree(powerless / "env"), powerless / "trash")
    assert os.listdir(powerless) == ["trash"]
    assert os.listdir(powerless / "trash") == []


def test_what_a_link_points_to_keeps_its_mode(powerless: Path) -> None:
    outside = powerless / "outside"
    outside.write_bytes(b"mine")
    outside.chmod(0o400)
    inside = powerless / "env" / "locked"
    inside.mkdir(parents=True)
    (inside / "link").symlink_to(outside)
    inside.chmod(0o500)
    remove_folder(powerless / "env", powerless / "trash")
    assert not (powerless / "env").exists()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o400


def test_a_removal_is_repeated_for_what_a_killed_one_left(tmp_path: Path) -> None:
    tree(tmp_path / "trash" / "deleted-old")
    remove_folder(tmp_path / "never-there", tmp_path / "trash")
    assert os.listdir(tmp_path / "trash") == []


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_goes_and_what_it_points_to_stays(tmp_path: Path, kind: str) -> None:
    (tmp_path / "target").mkdir()
    if kind == "link":
        (tmp_path / "x").symlink_to(tmp_path / "target")
    else:
        (tmp_path / "x").write_bytes(b"")
    remove_folder(tmp_path / "x", tmp_path / "trash")
    assert sorted(os.listdir(tmp_path)) == ["target", "trash"]


def test_removals_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def remove(number: int) -> None:
        try:
            for turn in range(20):
                folder = tmp_path / f"{number}-{turn}"
                (folder / "a").mkdir(parents=True)
                remove_folder(folder, tmp_path / "trash")
        except (OSError, StorageError) as error:
            failures.append(error)

    threads = [threading.Thread(target=remove, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    remove_folder(tmp_path / "none", tmp_path / "trash")
    assert [*os.walk(tmp_path / "trash")] == [(str(tmp_path / "trash"), [], [])]


def test_staging_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "staging", "x-") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.name.startswith("x-")
        tree(folder / "deep")
    assert os.listdir(tmp_path / "staging") == []
    with pytest.raises(KeyError), staging_folder(tmp_path / "staging", "x-"):
        raise KeyError
    assert os.listdir(tmp_path / "staging") == []


def test_a_folder_that_was_renamed_away_is_no_error(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "staging", "x-") as folder:
        folder.rename(tmp_path / "kept")
    assert (tmp_path / "kept").is_dir()
    assert os.listdir(tmp_path / "staging") == []


def test_only_what_nobody_holds_any_more_is_swept(tmp_path: Path) -> None:
    for name in ("dead", "alive"):
        tree(tmp_path / name)
        (tmp_path / f"{name}.lock").touch()
    with FileLock(tmp_path / "alive.lock"), staging_folder(tmp_path, "x-") as folder:
        there = {path.name for path in tmp_path.iterdir()}
        assert there == {"alive", "alive.lock", folder.name, f"{folder.name}.lock"}


def bytes_below(folder: Path) -> int:
    """Sum the sizes of the files below a folder; links are none."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def test_trees_are_copied_without_following_links(tmp_path: Path) -> None:
    source = tree(tmp_path / "source")
    (source / "x.pyc").write_bytes(b"12345")
    copy_tree(source, tmp_path / "copy", ("*.pyc",))
    assert (tmp_path / "copy/sub/inner/link").is_symlink()
    assert not (tmp_path / "copy/x.pyc").exists()
    assert (bytes_below(source), bytes_below(tmp_path / "copy")) == (6, 1)
    with pytest.raises(StorageError):
        copy_tree(source, tmp_path / "copy")
