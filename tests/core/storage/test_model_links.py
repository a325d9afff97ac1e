from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.model_links import copy_model, link_model

from tests.core.storage.model_files import MIB, write_model, write_sparse


def test_a_model_appears_without_a_second_copy(tmp_path: Path) -> None:
    source = write_model(tmp_path / "a.sft")
    link_model(source, tmp_path / "loras" / "new" / "b.sft")
    assert (tmp_path / "loras/new/b.sft").samefile(source)
    assert os.listdir(tmp_path / "loras/new") == ["b.sft"]


def test_a_link_is_absolute_and_leads_to_the_file_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = write_model(tmp_path / "hub/models--a--b/blobs/0f")
    snapshot = tmp_path / "hub/models--a--b/snapshots/c/x.sft"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to("../../blobs/0f")
    link_model(snapshot, tmp_path / "x.sft")
    assert (tmp_path / "x.sft").readlink() == blob
    monkeypatch.chdir(tmp_path)
    link_model(Path("hub/models--a--b/blobs/0f"), Path("y.sft"))
    assert Path("y.sft").readlink() == blob


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
@pytest.mark.parametrize("act", [link_model, copy_model])
def test_what_is_there_is_left_alone(tmp_path: Path, kind: str, act: object) -> None:
    assert callable(act)
    source, target = write_model(tmp_path / "a.sft"), tmp_path / "b.sft"
    if kind == "file":
        target.write_bytes(b"mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(write_model(tmp_path / "c.sft"))
    before = os.lstat(target)
    names = sorted(os.listdir(tmp_path))
    act(source, target)
    assert os.lstat(target) == before
    assert sorted(os.listdir(tmp_path)) == names


@pytest.mark.parametrize("leads_to", ["nowhere", "b.sft"])
@pytest.mark.parametrize("act", [link_model, copy_model])
def test_a_link_to_nowhere_is_said(tmp_path: Path, leads_to: str, act: object) -> None:
    assert callable(act)
    source = write_model(tmp_path / "a.sft")
    (tmp_path / "b.sft").symlink_to(leads_to)
    with pytest.raises(StorageError, match=f"is a link to `{leads_to}`, which is not there"):
        act(source, tmp_path / "b.sft")
    assert (tmp_path / "b.sft").is_symlink()


@pytest.mark.parametrize("source", ["none.sft", "folder", "broken"])
def test_what_is_no_file_is_not_linked(tmp_path: Path, source: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").symlink_to("none.sft")
    with pytest.raises(StorageError, match="is no file"):
        link_model(tmp_path / source, tmp_path / "new" / "b.sft")
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    source = write_model(tmp_path / "a.sft")
    with pytest.raises(StorageError):
        link_model(source, tmp_path / "a.sft" / "b.sft")


def test_many_at_once_give_one_link(tmp_path: Path) -> None:
    source = write_model(tmp_path / "a.sft")
    targets = [tmp_path / "out" / f"{number % 5}.sft" for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(link_model, [source] * 100, targets))
    assert sorted(os.listdir(tmp_path / "out")) == [f"{number}.sft" for number in range(5)]


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 1])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_copy_has_the_same_bytes(tmp_path: Path, size: int, elsewhere: bool) -> None:
    memory = Path("/dev/shm")
    if elsewhere and not os.access(memory, os.W_OK):
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=memory if elsewhere else tmp_path) as folder:
        source = write_sparse(Path(folder, "a.sft"), size, middle=b"weights"[:size])
        copy_model(source, tmp_path / "b.sft")
        assert (tmp_path / "b.sft").read_bytes() == source.read_bytes()
        assert not (tmp_path / "b.sft").samefile(source)
    assert os.listdir(tmp_path) == ["b.sft"]


def test_copies_at_once_give_one_whole_file(tmp_path: Path) -> None:
    source = write_sparse(tmp_path / "a.sft", 2 * MIB, middle=b"weights")
    target = tmp_path / "out" / "b.sft"
    target.parent.mkdir()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(copy_model, [source] * 16, [target] * 16))
    assert target.read_bytes() == source.read_bytes()
    assert os.listdir(target.parent) == ["b.sft"]
