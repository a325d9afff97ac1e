from __future__ import annotations

import pytest
from comfydock_core.domain.models import canonical_category, detect_url_type


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://civitai.com/api/download/models/128713?type=Model", "civitai"),
        ("https://civitai.red/models/1", "civitai"),
        ("https://HuggingFace.co/acme/m/resolve/main/a.safetensors", "huggingface"),
        ("https://cdn-lfs.huggingface.co/x", "huggingface"),
        ("https://hf.co/acme/m", "huggingface"),
        ("https://github.com/acme/m/releases/download/v1/a.pth", "github"),
        ("https://objects.githubusercontent.com/a", "github"),
        ("https://huggingface.co:443/a", "huggingface"),
        ("https://user:key@civitai.com./a", "civitai"),
        ("https://models.example.com/a.safetensors", "custom"),
        ("https://civitai.com.example.com/a", "custom"),
        ("https://notcivitai.com/a", "custom"),
        ("https://example.com/https://github.com/a", "custom"),
        ("https://[broken/a", "custom"),
        ("not a url", "custom"),
        ("", "custom"),
    ],
)
def test_the_host_says_where_a_url_points(url: str, expected: str) -> None:
    assert detect_url_type(url) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unet", "diffusion_models"),
        ("clip", "text_encoders"),
        ("t2i_adapter", "controlnet"),
        ("diffusion_models", "diffusion_models"),
        ("checkpoints", "checkpoints"),
        ("", ""),
    ],
)
def test_old_folder_names_mean_the_new_ones(name: str, expected: str) -> None:
    assert canonical_category(name) == expected
