from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.model_links import link_model


def test_a_model_appears_without_a_second_copy(tmp_path: Path) -> None:
    source = tmp_path / "a.sft"
    source.write_bytes(b"weights")
    link_model(source, tmp_path / "loras" / "new" / "b.sft")
    assert (tmp_path / "loras/new/b.sft").samefile(source)
    assert os.listdir(tmp_path / "loras/new") == ["b.sft"]


@pytest.mark.parametrize("kind", ["file", "folder", "broken link"])
def test_what_is_there_is_left_alone(tmp_path: Path, kind: str) -> None:
    source, target = tmp_path / "a.sft", tmp_path / "b.sft"
    source.write_bytes(b"weights")
    if kind == "file":
        target.write_bytes(b"mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    before = os.lstat(target)
    link_model(source, target)
    assert os.lstat(target) == before


def test_a_place_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.sft").write_bytes(b"")
    with pytest.raises(StorageError):
        link_model(tmp_path / "a.sft", tmp_path / "a.sft" / "b.sft")
