from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.domain.models import ModelRoot
from comfydock_core.errors import StorageError
from comfydock_core.storage.model_layouts import model_roots, takes_new_models

from tests.core.storage.folder_trees import grow, shown

WEBUI = ["webui.py", "models/Stable-diffusion/a.ckpt", "models/Lora/", "models/VAE/", "models/x/"]
HUB = "models--acme--m/snapshots/"


@pytest.mark.parametrize(
    ("tree", "given", "expected"),
    [
        (["m/checkpoints/a.sft"], "m", [("m", "")]),
        (["m/"], "m", [("m", "")]),
        ([], "missing", [("missing", "")]),
        (["main.py", "models/loras/"], ".", [("models", "")]),
        (["p/ComfyUI/main.py", "p/ComfyUI/models/"], "p", [("p/ComfyUI/models", "")]),
        (["d/custom_nodes/", "d/models/"], "d", [("d/models", "")]),
        (["main.py", "other/"], ".", [(".", "")]),
        (
            [*WEBUI, "models/hypernetworks/", "models/text_encoder/", "embeddings/", "vae/"],
            ".",
            [
                ("models/Stable-diffusion", "checkpoints"),
                ("models/Lora", "loras"),
                ("models/VAE", "vae"),
                ("models/hypernetworks", "hypernetworks"),
                ("models/text_encoder", "text_encoders"),
                ("embeddings", "embeddings"),
            ],
        ),
        (
            [*WEBUI, "extensions/sd-webui-controlnet/models/"],
            "models",
            [
                ("models/Stable-diffusion", "checkpoints"),
                ("models/Lora", "loras"),
                ("models/VAE", "vae"),
            ],
        ),
        (
            ["models/Stable-diffusion/", "extensions/sd-webui-controlnet/models/c.pth"],
            ".",
            [
                ("models/Stable-diffusion", "checkpoints"),
                ("extensions/sd-webui-controlnet/models", "controlnet"),
            ],
        ),
        (["m/Stable-diffusion/", "m/checkpoints/"], "m", [("m", "")]),
        (["m/Stable-diffusion"], "m", []),
        (
            ["Data/Models/StableDiffusion/", "Data/Models/TextEncoders/", "Data/Models/Karlo/"],
            ".",
            [
                ("Data/Models/StableDiffusion", "checkpoints"),
                ("Data/Models/TextEncoders", "text_encoders"),
            ],
        ),
        (
            ["Models/StableDiffusion/", "Models/DiffusionModels/", "Models/Lora/a.sft"],
            "Models",
            [
                ("Models/StableDiffusion", "checkpoints"),
                ("Models/Lora", "loras"),
                ("Models/DiffusionModels", "diffusion_models"),
            ],
        ),
        ([f"hf/hub/{HUB}"], "hf", [("hf/hub", "")]),
        ([f"hf/hub/{HUB}"], "hf/hub", [("hf/hub", "")]),
    ],
)
def test_what_a_folder_holds(
    tmp_path: Path, tree: list[str], given: str, expected: list[tuple[str, str]]
) -> None:
    grow(tmp_path, tree)
    found = model_roots(tmp_path / given)
    assert shown(found, tmp_path) == (expected or [(given, "")])


def test_links_count_as_the_folders_they_lead_to(tmp_path: Path) -> None:
    grow(tmp_path, ["webui/models/Stable-diffusion/", "big/loras/"])
    (tmp_path / "webui/models/Lora").symlink_to(tmp_path / "big/loras")
    (tmp_path / "webui/models/VAE").symlink_to(tmp_path / "away")
    (tmp_path / "link").symlink_to(tmp_path / "webui")
    assert shown(model_roots(tmp_path / "link"), tmp_path) == [
        ("link/models/Stable-diffusion", "checkpoints"),
        ("link/models/Lora", "loras"),
    ]


def test_a_comfyui_brings_what_its_own_file_names(tmp_path: Path) -> None:
    grow(tmp_path, ["ui/main.py", "ui/models/", "more/clip/"])
    names = tmp_path / "ui/extra_model_paths.yaml"
    names.write_text("mine:\n  base_path: ../more\n  clip: clip\n", encoding="utf-8")
    expected = [("ui/models", ""), ("more/clip", "text_encoders")]
    assert shown(model_roots(tmp_path / "ui"), tmp_path) == expected
    assert shown(model_roots(names), tmp_path) == expected[1:]
    names.write_text("[]", encoding="utf-8")
    with pytest.raises(StorageError, match="it has no sections"):
        model_roots(tmp_path / "ui")


def test_a_relative_folder_becomes_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_roots(Path("a/../b")) == (ModelRoot(path=str(tmp_path / "b")),)


@pytest.mark.parametrize(
    ("folder", "category", "expected"),
    [
        ("models", "", True),
        ("Lora", "loras", False),
        ("hub", "", False),
        ("hub/models--acme--m", "", False),
        ("home/huggingface/hub", "", False),
    ],
)
def test_where_downloads_may_go(tmp_path: Path, folder: str, category: str, expected: bool) -> None:
    grow(tmp_path, ["models/", f"hub/{HUB}", "home/huggingface/hub/"])
    root = ModelRoot(path=str(tmp_path / folder), category=category)
    assert takes_new_models(root) is expected
