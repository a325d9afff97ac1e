from __future__ import annotations

import tomllib
from typing import Any

import pytest
from comfydock_core.domain.toml_text import toml_text
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ({}, "\n"),
        ({"a": 1, "b": True, "c": "x"}, 'a = 1\nb = true\nc = "x"\n'),
        ({"a": {"b": {"c": 1}}}, "[a.b]\nc = 1\n"),
        ({"a": {}}, "[a]\n"),
        ({"a b": {"c.d": ""}}, '["a b"]\n"c.d" = ""\n'),
        ({"a": {"t": {"x": 1}, "v": 2}}, "[a]\nv = 2\n\n[a.t]\nx = 1\n"),
        (
            {"l": [], "m": ["x"], "n": ["x", "y"]},
            'l = []\nm = ["x"]\nn = [\n    "x",\n    "y",\n]\n',
        ),
        ({"a": [{"x": 1}, {"x": 2}]}, "[[a]]\nx = 1\n\n[[a]]\nx = 2\n"),
        ({"a": [{"node_id": "1", "n": 2}]}, 'a = [{node_id = "1", n = 2}]\n'),
    ],
)
def test_the_form(tables: dict[str, Any], text: str) -> None:
    assert toml_text(tables) == text
    assert tomllib.loads(text) == tables


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_any_text_is_read_back(value: str, key: str) -> None:
    assert tomllib.loads(toml_text({"a": {key: [value, value]}})) == {"a": {key: [value, value]}}
