from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from comfydock_core.storage.model_walk import walk_models

from tests.core.storage.model_files import write_model


def _relative(*directories: Path) -> list[str]:
    return sorted(relative for _, relative in walk_models(directories).files)


def test_model_files_are_found_by_their_extension_wherever_they_lie(tmp_path: Path) -> None:
    kept = (
        "a.safetensors",
        "checkpoints/b.CKPT",
        "checkpoints/sd/xl/c.sft",
        "loras/d.pt",
        "loras/e.pt2",
        "loras/f.pth",
        "g/h.bin",
        "g/i.gguf",
        "g/j.onnx",
        "g/k.pkl",
        "ünï/cödé.safetensors",
    )
    left = ("put_models_here", "checkpoints/b.ckpt.txt", "g/preview.png", "safetensors", "g/a.bin.")
    for name in kept + left:
        write_model(tmp_path / name)
    walk = walk_models([tmp_path])
    assert sorted(relative for _, relative in walk.files) == sorted(kept)
    assert walk.skipped == []


def test_links_are_followed_once_and_never_in_a_circle(tmp_path: Path) -> None:
    library, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    write_model(library / "checkpoints" / "real.safetensors")
    write_model(elsewhere / "shared" / "far.safetensors")
    (library / "a-link-before-the-real-one").symlink_to(library / "checkpoints")
    (library / "checkpoints" / "up").symlink_to(library)
    (library / "loras").symlink_to(elsewhere)
    (elsewhere / "shared" / "back").symlink_to(elsewhere)
    (library / "zz").symlink_to(elsewhere / "shared")
    assert _relative(library) == ["checkpoints/real.safetensors", "loras/shared/far.safetensors"]


def test_a_linked_file_is_a_file(tmp_path: Path) -> None:
    target = write_model(tmp_path / "elsewhere" / "x.safetensors")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "y.safetensors").symlink_to(target)
    assert _relative(tmp_path / "models") == ["y.safetensors"]


def test_a_file_belongs_to_the_nearest_models_directory(tmp_path: Path) -> None:
    write_model(tmp_path / "a.safetensors")
    write_model(tmp_path / "inner" / "b.safetensors")
    (tmp_path / "same").symlink_to(tmp_path / "inner")
    inner = tmp_path / "inner"
    walk = walk_models([tmp_path, inner, tmp_path / "x" / ".." / "inner", tmp_path / "same"])
    assert set(walk.files) == {(str(tmp_path), "a.safetensors"), (str(inner), "b.safetensors")}


@pytest.mark.parametrize(
    ("names", "kept", "skipped"),
    [
        (("x.safetensors", "x.safetensors.aria2"), (), ("x.safetensors",)),
        (("x.safetensors", "x.safetensors.part"), (), ("x.safetensors",)),
        (("x.safetensors", "x.dl-meta"), (), ("x.safetensors",)),
        (("x.safetensors", "x.safetensors.incomplete"), (), ("x.safetensors",)),
        (("x.safetensors.part", "y.safetensors"), ("y.safetensors",), ("x.safetensors.part",)),
        (("abc.incomplete",), (), ("abc.incomplete",)),
        (("x.safetensors", "xx.safetensors.part"), ("x.safetensors",), ("xx.safetensors.part",)),
    ],
)
def test_what_is_still_being_written_is_left_out_and_said(
    tmp_path: Path, names: tuple[str, ...], kept: tuple[str, ...], skipped: tuple[str, ...]
) -> None:
    for name in names:
        write_model(tmp_path / "loras" / name)
    walk = walk_models([tmp_path])
    assert sorted(relative for _, relative in walk.files) == [f"loras/{name}" for name in kept]
    assert [item.path for item in walk.skipped] == [str(tmp_path / "loras" / n) for n in skipped]
    assert all("still being written" in item.reason for item in walk.skipped)


def test_what_cannot_be_a_model_is_left_out_and_said(tmp_path: Path) -> None:
    write_model(tmp_path / "empty.safetensors", b"")
    os.mkfifo(tmp_path / "pipe.bin")
    (tmp_path / "nowhere.ckpt").symlink_to(tmp_path / "absent")
    (tmp_path / "circle.pt").symlink_to(tmp_path / "circle.pt")
    walk = walk_models([tmp_path])
    assert walk.files == {}
    reasons = {Path(item.path).name: item.reason for item in walk.skipped}
    assert set(reasons) == {"empty.safetensors", "pipe.bin", "nowhere.ckpt", "circle.pt"}
    assert reasons["empty.safetensors"] == "is empty"
    assert reasons["pipe.bin"] == "is no regular file"


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_name_that_is_no_text_is_left_out_and_said_in_text(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.safetensors"))).write_bytes(b"x")
    walk = walk_models([tmp_path])
    assert walk.files == {}
    assert [item.path for item in walk.skipped] == [f"{tmp_path}/\\xff.safetensors"]


def test_what_cannot_be_looked_into_may_still_hold_what_it_held(tmp_path: Path) -> None:
    library = tmp_path / "models"
    write_model(library / "checkpoints" / "a.safetensors")
    (library / "loras").symlink_to(tmp_path / "unplugged")
    absent = tmp_path / "absent"
    walk = walk_models([library, absent])
    held = {
        (str(library), "loras/x.safetensors"): True,
        (str(library), "lorasx/x.safetensors"): False,
        (str(library), "checkpoints/gone.safetensors"): False,
        (str(absent), "vae/x.safetensors"): True,
        (str(tmp_path / "forgotten"), "vae/x.safetensors"): False,
    }
    assert {place: walk.may_hold(place) for place in held} == held
    assert {item.path for item in walk.skipped} == {str(library / "loras"), str(absent)}
