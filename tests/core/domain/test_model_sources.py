"""File names and contents that hosts state."""

from __future__ import annotations

import pytest
from comfydock_core.domain.model_sources import ExaminedSource, difference, safe_filename

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


@pytest.mark.parametrize(
    ("size", "sha256", "told"),
    [
        (5, "b" * 64, ""),
        (5, "B" * 64, ""),
        (None, "", ""),
        (5, "", ""),
        (None, "b" * 64, ""),
        (6000, "", "another file lies there: 6,000 bytes instead of 5"),
        (6000, "c" * 64, "another file lies there: 6,000 bytes instead of 5"),
        (5, "c" * 64, f"another file lies there: its sha256 is {'c' * 64} instead of {'b' * 64}"),
    ],
)
def test_another_file_in_the_place_of_a_model_is_noticed(
    size: int | None, sha256: str, told: str
) -> None:
    stated = ExaminedSource(
        url="https://h.org/a", original="https://h.org/a", kind="custom", size=size, sha256=sha256
    )
    assert difference(stated, 5, "b" * 64) == told
    assert difference(stated, 0, "") == ""
