"""Models out of a bundle reach the library whole, and never in the place of another file."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.errors import BundleError, DiskFullError, StorageError
from comfydock_core.importing.bundled_models import place_model, unpacked_models
from comfydock_core.workspace.workspace import Workspace

from tests.journeys.town import tensor_file

MODEL = tensor_file("a model")


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_model_is_moved_into_place(tmp_path: Path) -> None:
    unpacked, target = put(tmp_path / "out/a.safetensors", MODEL), tmp_path / "lib/x/a.safetensors"
    place_model(unpacked, target)
    assert target.read_bytes() == MODEL
    assert [path.name for path in target.parent.iterdir()] == ["a.safetensors"]
    assert not unpacked.exists()


def test_the_same_file_in_its_place_is_a_success(tmp_path: Path) -> None:
    target = put(tmp_path / "lib/a.safetensors", MODEL)
    before = target.stat().st_ino
    place_model(put(tmp_path / "out/a.safetensors", MODEL), target)
    assert target.stat().st_ino == before


@pytest.mark.parametrize("data", [MODEL[:-1] + b"\0", MODEL[:-1], b""])
def test_another_file_in_its_place_stays(tmp_path: Path, data: bytes) -> None:
    target = put(tmp_path / "lib/a.safetensors", data)
    with pytest.raises(StorageError, match="another file"):
        place_model(put(tmp_path / "out/a.safetensors", MODEL), target)
    assert target.read_bytes() == data


def test_what_is_no_whole_model_is_not_placed(tmp_path: Path) -> None:
    target = tmp_path / "lib/a.safetensors"
    with pytest.raises(BundleError, match="no whole model"):
        place_model(put(tmp_path / "out/a.safetensors", MODEL[:100]), target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("there", "size", "error"),
    [(False, 1, BundleError), (True, 1 << 60, DiskFullError), (True, 1, BundleError)],
)
def test_what_cannot_be_unpacked_leaves_nothing(
    tmp_path: Path, there: bool, size: int, error: type[Exception]
) -> None:
    workspace = Workspace.open(tmp_path / "home", {})
    archive = tmp_path / "x.tar.gz"
    if there:
        put(archive, b"no archive")
    unpacked = unpacked_models(workspace, archive, "0" * 64, ("a.safetensors",), size)
    with pytest.raises(error), unpacked:
        pytest.fail("it was unpacked")
    assert list(workspace.staging_path.glob("*")) == []
