from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from comfydock_core.domain.models import ModelRoot
from comfydock_core.storage.model_layouts import model_roots
from comfydock_core.storage.model_walk import Walk, walk_models

from tests.core.storage.model_files import roots, write_model


def _relative(*directories: Path) -> list[str]:
    return _found(walk_models(roots(*directories)))


def _found(walk: Walk) -> list[str]:
    listings = walk.listings.values()
    return sorted(listing.prefix + name for listing in listings for name in listing.names)


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
    walk = walk_models(roots(tmp_path))
    assert _found(walk) == sorted(kept)
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


def test_a_whole_disk_and_a_home_folder_are_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, library = tmp_path / "home", tmp_path / "home" / "models"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    write_model(home / "not-meant.safetensors")
    write_model(library / "loras" / "a.safetensors")
    (library / "disk").symlink_to("/")
    (tmp_path / "me").symlink_to(home)
    (tmp_path / "extra_model_paths.yaml").write_text(
        "all:\n  base_path: /\n  checkpoints: .\nmine:\n  base_path: ~\n  loras: |\n    .\n"
        "    models/loras\n",
        encoding="utf-8",
    )
    walk = walk_models(
        [*model_roots(tmp_path / "extra_model_paths.yaml"), *roots(library, tmp_path / "me")]
    )
    assert _found(walk) == ["loras/a.safetensors"]
    assert sorted((skipped.path, skipped.reason) for skipped in walk.skipped) == [
        ("/", "is a whole disk, not a folder of models"),
        (str(home), "is your home folder, not a folder of models"),
        (str(library / "disk"), "is a whole disk, not a folder of models"),
        (str(tmp_path / "me"), "is your home folder, not a folder of models"),
    ]


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
    again = (tmp_path / "x" / ".." / "inner", tmp_path / "same")
    walk = walk_models(roots(tmp_path, inner, *again))
    assert {path: listing.names for path, listing in walk.listings.items()} == {
        str(tmp_path): ["a.safetensors"],
        str(inner): ["b.safetensors"],
    }
    assert _found(walk) == ["a.safetensors", "b.safetensors"]


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
    walk = walk_models(roots(tmp_path))
    assert _found(walk) == [f"loras/{name}" for name in kept]
    assert [item.path for item in walk.skipped] == [str(tmp_path / "loras" / n) for n in skipped]
    assert all("still being written" in item.reason for item in walk.skipped)


def test_what_cannot_be_a_model_is_left_out_and_said(tmp_path: Path) -> None:
    write_model(tmp_path / "empty.safetensors", b"")
    os.mkfifo(tmp_path / "pipe.bin")
    (tmp_path / "nowhere.ckpt").symlink_to(tmp_path / "absent")
    (tmp_path / "circle.pt").symlink_to(tmp_path / "circle.pt")
    walk = walk_models(roots(tmp_path))
    assert _found(walk) == []
    reasons = {Path(item.path).name: item.reason for item in walk.skipped}
    assert set(reasons) == {"empty.safetensors", "pipe.bin", "nowhere.ckpt", "circle.pt"}
    assert reasons["empty.safetensors"] == "is empty"
    assert reasons["pipe.bin"] == "is no regular file"


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_name_that_is_no_text_is_left_out_and_said_in_text(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.safetensors"))).write_bytes(b"x")
    walk = walk_models(roots(tmp_path))
    assert _found(walk) == []
    assert [item.path for item in walk.skipped] == [f"{tmp_path}/\\xff.safetensors"]


def test_what_cannot_be_looked_into_may_still_hold_what_it_held(tmp_path: Path) -> None:
    library = tmp_path / "models"
    write_model(library / "checkpoints" / "a.safetensors")
    (library / "loras").symlink_to(tmp_path / "unplugged")
    absent = tmp_path / "absent"
    walk = walk_models(roots(library, absent))
    held = {
        library / "loras" / "x.safetensors": True,
        library / "loras": True,
        library / "lorasx" / "x.safetensors": False,
        library / "checkpoints" / "gone.safetensors": False,
        absent / "vae" / "x.safetensors": True,
        tmp_path / "forgotten" / "vae" / "x.safetensors": False,
    }
    assert {path: walk.may_hold(str(path)) for path in held} == held
    assert {item.path for item in walk.skipped} == {str(library / "loras"), str(absent)}


def test_a_root_of_one_category_gives_its_files_that_category(tmp_path: Path) -> None:
    tool = tmp_path / "tool" / "models" / "Stable-diffusion"
    write_model(tool / "a.safetensors")
    write_model(tool / "xl" / "b.safetensors")
    walk = walk_models([ModelRoot(path=str(tool), category="checkpoints")])
    assert _found(walk) == ["checkpoints/a.safetensors", "checkpoints/xl/b.safetensors"]
    assert set(walk.listings) == {str(tool), str(tool / "xl")}


@pytest.mark.parametrize("turned", [False, True])
def test_of_roots_that_hold_the_same_folder_the_nearest_wins_then_the_one_of_a_category(
    tmp_path: Path, turned: bool
) -> None:
    for name in ("a", "Lora/b", "Lora/mixed/vae/c", "VAE/d"):
        write_model(tmp_path / f"{name}.safetensors")
    (tmp_path / "again").symlink_to(tmp_path / "VAE")
    chosen = [
        ModelRoot(path=str(tmp_path)),
        ModelRoot(path=str(tmp_path / "Lora"), category="loras"),
        ModelRoot(path=str(tmp_path / "Lora" / "mixed")),
        ModelRoot(path=str(tmp_path / "VAE")),
        ModelRoot(path=str(tmp_path / "again"), category="vae"),
        ModelRoot(path=str(tmp_path / "Lora" / ".." / "Lora")),
    ]
    walk = walk_models(reversed(chosen) if turned else chosen)
    assert _found(walk) == [
        "a.safetensors",
        "loras/b.safetensors",
        "vae/c.safetensors",
        "vae/d.safetensors",
    ]
    assert walk.skipped == []


def test_a_root_that_is_named_twice_and_absent_is_said_once(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    walk = walk_models([*roots(absent, absent), ModelRoot(path=str(absent), category="vae")])
    assert [item.path for item in walk.skipped] == [str(absent)]


def test_a_hugging_face_cache_is_known_by_the_names_of_its_snapshots(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--owner--name"
    write_model(repository / "blobs" / ("a" * 64))
    write_model(repository / "blobs" / ("b" * 64))
    write_model(repository / "blobs" / ("c" * 64 + ".incomplete"))
    write_model(repository / "refs" / "main", b"0" * 40)
    snapshot = repository / "snapshots" / ("0" * 40)
    (snapshot / "vae").mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(Path("..", "..", "blobs", "a" * 64))
    (snapshot / "vae" / "model.safetensors").symlink_to(Path("..", "..", "..", "blobs", "b" * 64))
    (snapshot / "around").symlink_to(Path("..", ".."))
    walk = walk_models(roots(tmp_path / "hub"))
    place = f"models--owner--name/snapshots/{'0' * 40}"
    assert _found(walk) == [f"{place}/model.safetensors", f"{place}/vae/model.safetensors"]
    assert [item.path for item in walk.skipped] == [
        str(repository / "blobs" / ("c" * 64 + ".incomplete"))
    ]


def test_what_the_hugging_face_client_is_fetching_into_a_folder_is_said(tmp_path: Path) -> None:
    write_model(tmp_path / "loras" / "whole.safetensors")
    part = tmp_path / "loras" / ".cache" / "huggingface" / "download" / "x.abc.incomplete"
    write_model(part)
    walk = walk_models(roots(tmp_path))
    assert _found(walk) == ["loras/whole.safetensors"]
    assert [item.path for item in walk.skipped] == [str(part)]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_names_that_differ_only_in_case_or_unicode_form_are_two_files(tmp_path: Path) -> None:
    names = ("Model.safetensors", "model.safetensors", "é.pt", "e\u0301.pt", "K.pt", "\u212a.pt")
    for name in names:
        write_model(tmp_path / name)
    assert _relative(tmp_path) == sorted(names)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_folder_whose_name_is_no_text_is_left_out_with_all_it_holds(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    write_model(folder / "a.safetensors")
    write_model(folder / "below" / "b.safetensors")
    write_model(tmp_path / "c.safetensors")
    walk = walk_models(roots(tmp_path))
    assert _found(walk) == ["c.safetensors"]
    assert sorted(item.path for item in walk.skipped) == [
        f"{tmp_path}/\\xff/a.safetensors",
        f"{tmp_path}/\\xff/below/b.safetensors",
    ]


def test_a_folder_with_a_models_name_is_a_folder(tmp_path: Path) -> None:
    write_model(tmp_path / "shards.safetensors" / "a.safetensors")
    write_model(tmp_path / "shards.safetensors.part" / "b.safetensors")
    walk = walk_models(roots(tmp_path))
    assert _found(walk) == [
        "shards.safetensors.part/b.safetensors",
        "shards.safetensors/a.safetensors",
    ]
    assert walk.skipped == []
