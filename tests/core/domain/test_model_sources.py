"""File names that hosts state."""

from __future__ import annotations

import pytest
from comfydock_core.domain.model_sources import safe_filename

NAMES = (
    ("a.safetensors", "a.safetensors"),
    ("vae/ae.sft", "ae.sft"),
    ("C:\\models\\a.bin", "a.bin"),
    ("../../.bashrc", ".bashrc"),
    ("..", ""),
    ("a\u202ebin.exe", ""),
    ("-rf", ""),
    ("a" * 600, ""),
    ("", ""),
    (None, ""),
    (7, ""),
)


@pytest.mark.parametrize(("stated", "kept"), NAMES)
def test_a_stated_name_is_a_plain_one_or_none(stated: object, kept: str) -> None:
    assert safe_filename(stated) == kept
