from __future__ import annotations

import pytest
from comfydock_core.domain.bundle import INPUT_EXTENSIONS, place_of


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("manifest.json", "manifest.json"),
        ("uv.lock", "uv.lock"),
        ("uv.lock/", ""),
        ("uv.toml", ""),
        ("workflows/a.json", "workflows"),
        ("workflows/sub/a.json", "workflows"),
        ("workflows/a.txt", ""),
        ("workflows/", "workflows"),
        ("workflows", ""),
        ("dev_nodes/a/b.py", "dev_nodes"),
        ("dev_nodes/b.py", ""),
        ("dev_nodes/a/", "dev_nodes"),
        ("inputs/photo.PNG", "inputs"),
        ("inputs/sub/clip.mp4", "inputs"),
        ("inputs/sub/", "inputs"),
        ("inputs/a.latent", "inputs"),
        ("inputs/a.py", ""),
        ("inputs/a.svg", ""),
        ("inputs/a.png.exe", ""),
        ("inputs/png", ""),
        ("inputs", ""),
        ("models/checkpoints/a.safetensors", "models"),
        ("models/a.GGUF", "models"),
        ("models/loras/", "models"),
        ("models/loras/a.py", ""),
        ("models/loras/../a.safetensors", ""),
        ("models/", "models"),
        ("Models/a.gguf", ""),
        ("", ""),
    ],
)
def test_every_member_has_one_place_or_none(path: str, place: str) -> None:
    assert place_of(path) == place


def test_no_input_can_be_code_or_a_pickle() -> None:
    kinds = "py pyc pth pt pkl ckpt bin npy npz sh bat cmd ps1 exe dll so js html htm svg blend zip"
    assert INPUT_EXTENSIONS.isdisjoint(f".{kind}" for kind in kinds.split())
    assert all(kind == kind.lower() and kind.startswith(".") for kind in INPUT_EXTENSIONS)
