from __future__ import annotations

import pytest
from comfydock_core.domain.model_loaders import (
    LOADERS,
    has_model_suffix,
    is_not_a_file,
    loader_value,
    looks_like_model_file,
)


@pytest.mark.parametrize(
    ("category", "relative_path", "separator", "value"),
    [
        ("loras", "loras/sub/x.safetensors", "/", "sub/x.safetensors"),
        ("loras", "loras/sub/x.safetensors", "\\", "sub\\x.safetensors"),
        ("diffusion_models", "unet/x.safetensors", "/", "x.safetensors"),
        ("clip", "text_encoders/x.safetensors", "/", "x.safetensors"),
        ("loras", "checkpoints/x.safetensors", "/", None),
        ("", "loras/x.safetensors", "/", None),
        ("loras", "x.safetensors", "/", None),
    ],
)
def test_loader_value(category: str, relative_path: str, separator: str, value: str | None) -> None:
    assert loader_value(category, relative_path, separator=separator) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("pixel_space", True),
        ("taesdxl", True),
        ("lighttaew2_1", True),
        ("None", True),
        ("[None]", True),
        ("", True),
        ("taesd_decoder.safetensors", False),
        ("model.safetensors", False),
    ],
)
def test_not_a_file(value: str, expected: bool) -> None:
    assert is_not_a_file(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.safetensors", True),
        ("dir\\A.CKPT", True),
        ("v1.5", False),
        (".safetensors", False),
        ("dir.pt/readme", False),
        ("picture.png", False),
    ],
)
def test_model_suffix(value: str, expected: bool) -> None:
    assert has_model_suffix(value) is expected


@pytest.mark.parametrize(
    ("node_type", "value", "expected"),
    [
        ("SomeLoader", "sub dir/a.gguf", True),
        ("Note", "put it at models/a.gguf", False),
        ("SomeText", "first line\nthen a.gguf", False),
        ("SomeDownloader", "https://host.example/a.gguf", False),
        ("SomeLoader", "x" * 600 + ".gguf", False),
    ],
)
def test_looks_like_model_file(node_type: str, value: str, expected: bool) -> None:
    assert looks_like_model_file(node_type, value) is expected


def test_no_widget_is_listed_twice() -> None:
    for node_type, widgets in LOADERS.items():
        places = [(widget.name, widget.index) for widget in widgets]
        assert len(places) == len(set(places)), node_type
