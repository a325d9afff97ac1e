from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflowModel,
    NodeReference,
    TorchSpec,
)
from comfydock_core.domain.manifest_parsing import parse_manifest, parse_manifest_toml
from comfydock_core.errors import ManifestError

DOCUMENT = b"""
unknown = 1
[project]
name = "comfydock-env-studio"
dependencies = ["numpy>=1.26", "torch"]
authors = [{ name = "somebody" }]
[dependency-groups]
pack-0a = ["pillow"]
[build-system]
requires = ["evil @ https://h.org/x.whl"]
build-backend = "evil"
backend-path = ["."]
[tool.uv]
sources = { numpy = { path = "../x" } }
[tool.comfydock]
comfyui_version = "v0.3.75"
comfyui_commit = "0000000000000000000000000000000000000000"
comfyui_repository = "https://github.com/a/ComfyUI"
python_version = "3.11"
later = { things = true }
[tool.comfydock.torch]
version = "2.9.0"
backend = "cu128"
[tool.comfydock.nodes.pack]
source = "registry"
version = "1.2.0"
group = "pack-0a"
rating = 5
[tool.comfydock.workflows."sub/flow"]
nodes = ["pack"]
custom_node_map = { Gone = false, Other = "pack" }
[[tool.comfydock.workflows."sub/flow".models]]
filename = "a.safetensors"
category = "loras"
criticality = "flexible"
status = "resolved"
hash = "00000000aaaaaaaa"
nodes = [{ node_id = "3", node_type = "LoraLoader", widget_idx = 1, widget_value = "a" }]
[tool.comfydock.models.00000000aaaaaaaa]
size = 7
relative_path = "loras/a.safetensors"
sources = ["https://h.org/a.safetensors"]
"""
COMMIT, DIGEST = "0" * 40, "f" * 64


def test_a_whole_document() -> None:
    found = parse_manifest_toml(DOCUMENT)
    assert isinstance(found, Manifest)
    assert (found.name, found.comfyui_version, found.python_version) == (
        "studio",
        "v0.3.75",
        "3.11",
    )
    assert found.torch == TorchSpec(version="2.9.0", backend="cu128")
    assert found.requirements == ("numpy>=1.26", "torch")
    assert found.groups == {"pack-0a": ("pillow",)}
    assert found.nodes["pack"].version == "1.2.0"
    assert found.nodes_by_source("registry") == (found.nodes["pack"],)
    assert found.nodes_by_source("git") == ()
    workflow = found.workflows["sub/flow"]
    assert workflow.path == "workflows/sub/flow.json"
    assert workflow.custom_node_map == {"Gone": False, "Other": "pack"}
    place = NodeReference(node_id="3", node_type="LoraLoader", widget_index=1, widget_value="a")
    assert workflow.models == (
        ManifestWorkflowModel(
            filename="a.safetensors",
            category="loras",
            criticality="flexible",
            status="resolved",
            hash="00000000aaaaaaaa",
            nodes=(place,),
        ),
    )
    assert found.models["00000000aaaaaaaa"] == ManifestModel(
        hash="00000000aaaaaaaa",
        filename="a.safetensors",
        size=7,
        relative_path="loras/a.safetensors",
        category="",
        sources=("https://h.org/a.safetensors",),
    )


def refused(place: str, value: Any) -> ManifestError:
    """Parse the document with ``value`` at ``place`` (``...`` takes it away)."""
    data: Any = tomllib.loads(DOCUMENT.decode())
    *parents, last = place.split("|")
    table = data
    for key in parents:
        table = table[int(key)] if isinstance(table, list) else table.setdefault(key, {})
    if value is ...:
        del table[last]
    elif isinstance(table, list):
        table[int(last)] = value
    else:
        table[last] = value
    with pytest.raises(ManifestError) as caught:
        parse_manifest(data)
    return caught.value


OURS = "tool|comfydock|"
NODE = OURS + "nodes|pack|"
MODEL = OURS + "models|00000000aaaaaaaa|"
FLOW = OURS + "workflows|sub/flow|"
ENTRY = FLOW + "models|0|"
# Where the key that is wrong follows from another one.
ELSEWHERE = {
    (NODE + "source", "git"): NODE + "version",
    (OURS + "workflows|../evil", "{}"): OURS + "workflows|../evil|path",
    (OURS + "workflows|a/../b", "{}"): OURS + "workflows|a/../b|path",
}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("tool", 3),
        ("tool|comfydock", "x"),
        ("project", []),
        ("project|name", 3),
        ("project|dependencies", "numpy"),
        ("project|dependencies", ["numpy", 3]),
        ("project|dependencies", ["not a requirement"]),
        ("project|dependencies", ["a @ https://h.org/a.whl"]),
        ("project|dependencies", ["a ; " + "(" * 5000]),
        ("dependency-groups|pack-0a", ["a @ file:///etc/x"]),
        ("dependency-groups|pack-0a", [{"include-group": "other"}]),
        ("dependency-groups|--all", []),
        (OURS + "comfyui_version", "--upload-pack=x"),
        (OURS + "comfyui_version", "v1\n"),
        (OURS + "comfyui_commit", "main"),
        (OURS + "comfyui_commit", "A" * 40),
        (OURS + "comfyui_repository", "ext::sh -c id ://"),
        (OURS + "comfyui_repository", "--upload-pack=id"),
        (OURS + "comfyui_repository", "https://user:pw@h.org/x"),
        (OURS + "comfyui_repository", "a\nb"),
        (OURS + "python_version", ...),
        (OURS + "python_version", 3.11),
        (OURS + "python_version", "/tmp/evil"),
        (OURS + "python_version", "3.1١"),
        (OURS + "version", "-"),
        (OURS + "torch", 3),
        (OURS + "torch|version", "2.0 --index-url https://h.org"),
        (OURS + "torch|backend", "--all"),
        (OURS + "nodes|pack", 3),
        (OURS + "nodes|../evil", {"source": "development"}),
        (OURS + "nodes|a", {"source": "development", "name": "../evil"}),
        (OURS + "nodes|a.disabled", {"source": "development"}),
        (OURS + "nodes|a", {"source": "registry", "version": "1", "name": "pack"}),
        (OURS + "nodes|PACK", {"source": "registry", "version": "1"}),
        (NODE + "source", "ftp"),
        (NODE + "source", "git"),
        (NODE + "source", ...),
        (NODE + "version", ...),
        (NODE + "version", "1.0;id"),
        (NODE + "registry_id", "a/../b"),
        (NODE + "repository", "ssh://h.org:x/y"),
        (NODE + "download_url", "file:///etc/passwd"),
        (NODE + "sha256", "F" * 64),
        (NODE + "group", "A"),
        (NODE + "torch_requirements", ["torch @ https://h.org/x"]),
        (OURS + "models|nothex", {}),
        (MODEL + "size", -1),
        (MODEL + "size", ...),
        (MODEL + "size", "7"),
        (MODEL + "size", 2**64),
        (MODEL + "relative_path", ...),
        (MODEL + "relative_path", "../a.safetensors"),
        (MODEL + "relative_path", "/a.safetensors"),
        (MODEL + "relative_path", "loras/a.py"),
        (MODEL + "filename", "a.sh"),
        (MODEL + "category", "../.."),
        (MODEL + "blake3_hash", "0" * 63),
        (MODEL + "sha256_hash", "z" * 64),
        (MODEL + "sources", ["file:///x.safetensors"]),
        (MODEL + "sources", ["https://u:p@h.org/x.safetensors"]),
        (FLOW + "path", "workflows/other.json"),
        (OURS + "workflows|../evil", {}),
        (OURS + "workflows|a/../b", {}),
        (FLOW + "nodes", ["../x"]),
        (FLOW + "models", {}),
        (FLOW + "custom_node_map|Gone", 3),
        (FLOW + "custom_node_map|Gone", "../x"),
        (ENTRY + "criticality", "vital"),
        (ENTRY + "status", "maybe"),
        (ENTRY + "hash", "../x"),
        (ENTRY + "relative_path", "../x.safetensors"),
        (ENTRY + "category", "a/../b"),
        (ENTRY + "sources", "https://h.org/x"),
        (ENTRY + "substituted_for", "x"),
        (ENTRY + "nodes|0|widget_idx", -1),
        (ENTRY + "nodes|0|node_id", 3),
        (ENTRY + "nodes|0", "x"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(place: str, value: Any) -> None:
    error = refused(place, value)
    expected = ELSEWHERE.get((place, str(value)), re.sub(r"\|(\d)\b", r"[\1]", place))
    assert error.subject == expected.replace("|", ".")
    assert error.sentence.startswith(f"`{error.subject}` in `pyproject.toml` ")


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (
            ENTRY + "nodes|0|widget_idx",
            "x",
            "`tool.comfydock.workflows.sub/flow.models[0].nodes[0].widget_idx` in `pyproject.toml` "
            "must be a whole number",
        ),
        (
            MODEL + "sha256_hash",
            "0",
            "`tool.comfydock.models.00000000aaaaaaaa.sha256_hash` in `pyproject.toml` has a value "
            "that is not allowed: '0'",
        ),
        (
            OURS + "nodes|Pack",
            {"source": "registry", "version": "1"},
            "`tool.comfydock.nodes.Pack` in `pyproject.toml` has the same folder as `pack`",
        ),
        (
            OURS + "comfyui_version",
            ...,
            "`pyproject.toml` has no `[tool.comfydock]`: it describes no environment",
        ),
    ],
)
def test_the_sentence(place: str, value: Any, sentence: str) -> None:
    assert refused(place, value).sentence == sentence


@pytest.mark.parametrize("category", ["", "loras", "模型", "loras (old)", "ultralytics/bbox"])
def test_folders_of_models_that_users_have(category: str) -> None:
    data: Any = tomllib.loads(DOCUMENT.decode())
    data["tool"]["comfydock"]["models"]["00000000aaaaaaaa"]["category"] = category
    assert parse_manifest(data).models["00000000aaaaaaaa"].category == category


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[", "is not valid TOML"),
        (b"\xff", "is not valid TOML"),
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"a" + b".a" * 50_000 + b" = 1", "nested too deeply"),
        (b"a = " + b"1" * 5_000, "a number that is too long"),
        (b"", "describes no environment"),
        (b"[project]\nname = 'x'", "describes no environment"),
    ],
)
def test_documents_that_are_none(data: bytes, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        parse_manifest_toml(data)
