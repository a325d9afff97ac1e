from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.extra_model_paths import (
    MOST_BYTES,
    MOST_FOLDERS,
    extra_model_roots,
    is_extra_model_paths,
)

from tests.core.storage.folder_trees import grow, shown

TREE = ["ui/models/Lora/", "ui/models/LyCORIS/", "ui/models/unet/", "models/vae/", "home/loras/"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nothing\na111:\n", []),
        (
            "a111:\n  base_path: ui/\n  loras: |\n    models/Lora\n    models/LyCORIS\n\n",
            [("ui/models/Lora", "loras"), ("ui/models/LyCORIS", "loras")],
        ),
        (
            "x:\n  base_path: $PLACE\n  unet: models/unet\n  diffusion_models: models/unet/\n",
            [("ui/models/unet", "diffusion_models")],
        ),
        ("x:\n  base_path: ~/\n  loras: loras\n", [("home/loras", "loras")]),
        ("x:\n  vae: models/vae\n", [("models/vae", "vae")]),
        ("x:\n  vae: models/../models/vae\n", [("models/vae", "vae")]),
        ("x:\n  base_path: ui\n  vae: TREE/models/vae\n", [("models/vae", "vae")]),
        (
            "a:\n  vae: models/vae\nb:\n  is_default: true\n  loras: home/loras\n",
            [("home/loras", "loras"), ("models/vae", "vae")],
        ),
        ("x:\n  vae: models/none\n  loras: home/loras\n", [("home/loras", "loras")]),
        (
            "x:\n  base_path: away\n  vae: v\n  clip: c\n",
            [("away/v", "vae"), ("away/c", "text_encoders")],
        ),
        ("x:\n  custom_nodes: ui\n  download_model_base: models\n  configs: ui\n", []),
        ("a: &a\n  vae: models/vae\nb: *a\n", [("models/vae", "vae")]),
        ("x:\n  on: models/vae\n", [("models/vae", "on")]),
    ],
)
def test_folders_in_comfyuis_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: list[tuple[str, str]]
) -> None:
    grow(tmp_path, TREE)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLACE", str(tmp_path / "ui"))
    file = tmp_path / "extra_model_paths.yaml"
    file.write_text(text.replace("TREE", str(tmp_path)), encoding="utf-8")
    assert shown(extra_model_roots(file), tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "it has no sections"),
        ("- a\n", "it has no sections"),
        ("a: models\n", "`a` must be a section"),
        ("a:\n  loras: [x, y]\n", "`a.loras` must be a folder"),
        ("a:\n  base_path: {b: c}\n", "`a.base_path` must be a folder"),
        ("a:\n  <<: {loras: x}\n", "`a.<<` must be a folder"),
        ('a:\n  base_path: away\n  loras: "x\\0y"\n', "`a.loras` must be a folder"),
        ('a:\n  base_path: away\n  loras: "\\ud800"\n', "must be a folder|cannot be read"),
        ("a:\n\tb: c\n", "line 2: "),
        ("a: b: c\n", "line 1: "),
        ("a: *nothing\n", "undefined alias"),
        ("a: &a [*a]\n", "must be a section|recursive"),
        ("[" * 100_000, "cannot be read as YAML|expected"),
        ("? {a: b}\n: c\n", "unhashable"),
        ("\x01", "cannot be read as YAML"),
        ("#" * (MOST_BYTES + 1), "it is larger than 256 KiB"),
        (
            "a: &a\n  base_path: away\n  vae: |\n"
            + "    x\n" * 9
            + "b: !!python/object:os.system c",
            "`b` must be a section",
        ),
        (
            "a:\n  base_path: away\n  vae: |\n"
            + "".join(f"    {number}\n" for number in range(MOST_FOLDERS + 1)),
            "it names more than 2000 folders",
        ),
    ],
)
def test_what_comfyui_could_not_read_either(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "paths.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StorageError, match=problem) as caught:
        extra_model_roots(file)
    assert "paths.yaml" in caught.value.sentence
    assert "\n" not in caught.value.sentence


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"a:\n  loras: \xff\xfe\n")
    with pytest.raises(StorageError, match=r"x\.yaml"):
        extra_model_roots(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.yaml", True), ("b.YML", True), ("c.txt", False), ("d.yaml", False), ("e.yaml", False)],
)
def test_which_files_are_meant(tmp_path: Path, name: str, expected: bool) -> None:
    grow(tmp_path, ["a.yaml", "b.YML", "c.txt", "d.yaml/"])
    assert is_extra_model_paths(tmp_path / name) is expected
