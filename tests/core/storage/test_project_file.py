from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import tomlkit
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeInfo,
    NodeReference,
)
from comfydock_core.domain.manifest_parsing import parse_manifest_toml
from comfydock_core.errors import ManifestError, NotFoundError, StorageError
from comfydock_core.storage.project_file import project_text, read_project, write_project
from hypothesis import given, settings

from tests.core.domain.manifests import manifests

EMPTY = Manifest(name="studio", comfyui_version="v0.3.75", python_version="3.11")
PLACES = tuple(NodeReference(node_id=number, node_type="L", widget_value="a") for number in "12")
USED = ManifestWorkflowModel(
    filename="a.sft", category="loras", criticality="required", status="unresolved", nodes=PLACES
)
FULL = replace(
    EMPTY,
    requirements=("numpy>=1.26", "torch"),
    groups={"dev-1": ("pillow",)},
    nodes={"dev": NodeInfo(name="dev", source="development", version="dev", group="dev-1")},
    workflows={
        "sub/w": ManifestWorkflow(name="sub/w", path="workflows/sub/w.json", models=(USED,))
    },
)
FOREIGN = """# a person was here
[project]
name = "comfydock-env-studio"
description = "my own"
dependencies = ["old"]

[tool.ruff]
line-length = 88

[tool.comfydock]
comfyui_version = "v0.1"  # why
python_version = "3.11"
mine = { a = 1 }

[tool.comfydock.nodes.gone]
source = "development"
version = "dev"

[tool.uv]
link-mode = "copy"
"""


@given(manifests)
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read_back(manifest: Manifest) -> None:
    assert parse_manifest_toml(project_text(manifest).encode()) == manifest


@given(manifests)
@settings(max_examples=25, deadline=None)
def test_a_new_file_is_what_tomlkit_would_write(manifest: Manifest) -> None:
    assert project_text(manifest) == project_text(manifest, tomlkit.document())


def test_foreign_keys_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(FOREIGN, encoding="utf-8")
    write_project(path, FULL)
    assert read_project(path) == FULL
    text = path.read_text(encoding="utf-8")
    data = tomllib.loads(text)
    assert data["project"]["description"] == "my own"
    assert data["tool"]["ruff"] == {"line-length": 88}
    assert data["tool"]["uv"]["link-mode"] == "copy"
    assert data["tool"]["comfydock"]["mine"] == {"a": 1}
    assert list(data["tool"]["comfydock"]["nodes"]) == ["dev"]
    assert text.startswith("# a person was here\n")
    assert "# why" in text


@pytest.mark.parametrize("first", [EMPTY, FULL])
def test_writing_the_same_again_changes_nothing(tmp_path: Path, first: Manifest) -> None:
    path = tmp_path / "pyproject.toml"
    write_project(path, first)
    before = path.read_bytes()
    write_project(path, first)
    assert path.read_bytes() == before


def test_what_came_and_went_leaves_the_manifest_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    for manifest in (EMPTY, FULL, EMPTY):
        write_project(path, manifest)
        assert read_project(path) == manifest


def test_half_a_character_becomes_a_question_mark(tmp_path: Path) -> None:
    odd = replace(USED, nodes=(replace(PLACES[0], widget_value="a\ud800.sft"),))
    flow = replace(FULL.workflows["sub/w"], models=(odd,))
    write_project(tmp_path / "p", replace(FULL, workflows={"sub/w": flow}))
    [found] = read_project(tmp_path / "p").workflows["sub/w"].models
    assert found.nodes[0].widget_value == "a?.sft"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("loras/~a.safetensors", "begins with `~` or `-`"),
        ("loras/e\u0301.safetensors", "NFC"),
        ("loras/a:b.safetensors", "has one of"),
        ("loras /a.safetensors", "dot or a space"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, path: str, words: str) -> None:
    write_project(tmp_path / "p", FULL)
    before = (tmp_path / "p").read_bytes()
    model = ManifestModel(hash="a" * 16, filename="a.sft", size=1, relative_path=path, category="")
    with pytest.raises(ManifestError, match=words) as caught:
        write_project(tmp_path / "p", replace(FULL, models={"a" * 16: model}))
    assert "relative_path" in caught.value.sentence
    assert (tmp_path / "p").read_bytes() == before


def test_files_that_are_missing_or_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_project(tmp_path / "none")
    with pytest.raises(StorageError):
        read_project(tmp_path)
    (tmp_path / "p").write_bytes(b"\xff")
    with pytest.raises(ManifestError):
        read_project(tmp_path / "p")
    with pytest.raises(ManifestError):
        write_project(tmp_path / "p", FULL)
    (tmp_path / "p").write_text("a =", encoding="utf-8")
    with pytest.raises(ManifestError, match="is not valid TOML"):
        write_project(tmp_path / "p", FULL)
