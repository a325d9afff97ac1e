"""What is refused before an update is planned, and what workflows mean to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.errors import UsageError
from comfydock_core.services.update_planning import Meanings, check_python

from tests.core.workspace.workspaces import SMALL

NODE = {"id": 1, "type": "A", "pos": [0, 0], "widgets_values": [1]}


@pytest.mark.parametrize(
    ("here", "other", "refused"),
    [
        ("3.11", "3.11", False),
        ("3.11", "3.11.7", False),
        ("3.11.2", "3.11.7", False),
        ("3.11", "3.12", True),
        ("3.1", "3.11", True),
    ],
)
def test_another_python_is_refused(here: str, other: str, refused: bool) -> None:
    sides = [replace(SMALL, python_version=version) for version in (here, other)]
    if not refused:
        check_python(*sides)
        return
    with pytest.raises(UsageError, match=other) as caught:
        check_python(*sides)
    assert "import" in caught.value.hint


def test_looks_are_no_meaning(tmp_path: Path) -> None:
    moved, other = NODE | {"pos": [9, 9]}, NODE | {"widgets_values": [2]}
    for name, node in {"a": NODE, "b": moved, "c": other}.items():
        text = json.dumps({"nodes": [node], "links": [], "version": 0.4})
        (tmp_path / f"{name}.json").write_text(text)
    for name in ("d", "e"):
        (tmp_path / f"{name}.json").write_text(f"no workflow {name}")
    found = Meanings().of_folder(tmp_path)
    assert found["a"] == found["b"]
    assert len(set(found.values())) == 4
