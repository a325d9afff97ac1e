from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from comfydock_core.domain.manifest import NodeInfo, TorchSpec
from comfydock_core.errors import ManifestError
from comfydock_core.importing.foreign_bundle import ForeignBundle, convert, is_left_out

COMMIT = "f5c3ce084db9b34fe8210f7a2360f84106521238"
KEY = "9b36f1a09e10c433"
PATHS = ("pyproject.toml", "workflows/main.json", "dev_nodes/mine/__init__.py")
MODEL = {
    "filename": "a.safetensors",
    "size": 9,
    "relative_path": "vae/a.safetensors",
    "category": "vae",
}


def converted(
    tool: Mapping[str, Any], root: Mapping[str, Any] | None = None, version: str = "3.11"
) -> ForeignBundle:
    """Convert a ComfyGit pyproject.toml with ``tool`` in its table and ``root`` beside it."""
    tables = {"comfygit": {"comfyui_version": "v0.3.75", **tool}}
    outside = dict(root or {})
    tables["uv"] = outside.pop("uv", {})
    return convert({"tool": tables, **outside}, PATHS, version)


def node(**fields: str) -> Mapping[str, Any]:
    """Return ``[tool.comfygit]`` with one node."""
    return {"nodes": {"mine": {"name": "mine", **fields}}}


@pytest.mark.parametrize(
    ("fields", "expected", "words"),
    [
        (
            {"source": "git", "version": COMMIT, "repository": "git@github.com:a/b.git"},
            {"source": "git", "version": COMMIT, "repository": "https://github.com/a/b.git"},
            "",
        ),
        (
            {"source": "unknown", "version": "1.0", "registry_id": "mine"},
            {"source": "registry", "version": "1.0", "registry_id": "mine"},
            "",
        ),
        (
            {"version": COMMIT, "repository": "https://github.com/a/b"},
            {"source": "git", "version": COMMIT, "repository": "https://github.com/a/b"},
            "",
        ),
        ({"source": "development", "version": "dev"}, {"source": "development"}, ""),
        (
            {"source": "registry", "version": "1.0", "criticality": "optional"},
            {"source": "registry", "version": "1.0"},
            "node mine: that it is optional",
        ),
        (
            {"source": "git", "version": "main", "repository": "https://github.com/a/b"},
            None,
            "node mine is left out: its version main is no full commit",
        ),
        ({"source": "git", "version": COMMIT}, None, "left out: it names no repository"),
        ({"source": "registry", "registry_id": "mine"}, None, "left out: it names no version"),
    ],
)
def test_nodes(fields: dict[str, str], expected: dict[str, Any] | None, words: str) -> None:
    bundle = converted(node(**fields))
    version = "dev" if expected == {"source": "development"} else ""
    wanted = NodeInfo(name="mine", **{"version": version, **expected}) if expected else None
    assert bundle.manifest.nodes.get("mine") == wanted
    assert words in "\n".join(bundle.dropped)
    assert bool(bundle.dropped) is bool(words)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"repository": "https://github.com/a/b", "branch": "main"}, "without a commit"),
        ({}, "ask the sender for it"),
    ],
)
def test_a_development_node_without_its_source_is_said(fields: dict[str, str], words: str) -> None:
    table = {"name": "away", "source": "development", "version": "dev", **fields}
    bundle = converted({"nodes": {"away": table}})
    assert bundle.manifest.nodes["away"].source == "development"
    assert words in bundle.dropped[0]


@pytest.mark.parametrize(
    ("groups", "kept", "torch", "words"),
    [
        ({"mine-b4610bd9": ["tabulate"]}, {"mine-b4610bd9": ("tabulate",)}, (), ""),
        ({"mine-b4610bd9": ["torch>=2", "x"]}, {"mine-b4610bd9": ("x",)}, ("torch>=2",), ""),
        ({"mine-else-b4610bd9": ["x"]}, {}, (), "mine-else-b4610bd9 (x): belongs to no node"),
        ({"comfygit-system": ["uv>=0.11.8"]}, {}, (), "comfygit-system (uv>=0.11.8)"),
        (
            {"mine-b4610bd9": ["x @ https://example.com/x.whl", "y"]},
            {"mine-b4610bd9": ("y",)},
            (),
            "node mine: asks for x @ https://example.com/x.whl",
        ),
    ],
)
def test_groups(
    groups: dict[str, list[str]],
    kept: dict[str, tuple[str, ...]],
    torch: tuple[str, ...],
    words: str,
) -> None:
    fields = node(source="registry", version="1.0")
    bundle = converted(fields, {"dependency-groups": groups})
    assert bundle.manifest.groups == kept
    assert bundle.manifest.nodes["mine"].group == next(iter(kept), "")
    assert bundle.manifest.nodes["mine"].torch_requirements == torch
    assert words in "\n".join(bundle.dropped)


def test_a_group_goes_to_the_node_whose_digits_it_has() -> None:
    # Both nodes have the stem `my-node`; the digits are of the second one's repository.
    repository = "https://github.com/acme/acme-git.git"
    nodes = {
        "one": {"name": "My Node", "source": "registry", "version": "1"},
        "two": {"name": "my-node", "source": "git", "version": COMMIT, "repository": repository},
    }
    bundle = converted({"nodes": nodes}, {"dependency-groups": {"my-node-3590858e": ["x"]}})
    assert bundle.manifest.nodes["two"].group == "my-node-3590858e"


@pytest.mark.parametrize(
    ("key", "changes", "kept", "words"),
    [
        (KEY, {}, True, ""),
        (KEY, {"relative_path": "configs/a.yaml"}, False, "file configs/a.yaml: no model file"),
        (KEY, {"sources": ["file:///home/me/a"]}, True, "source file:///home/me/a of"),
        ("a" * 64, {}, True, ""),
    ],
)
def test_models(key: str, changes: dict[str, Any], kept: bool, words: str) -> None:
    bundle = converted({"models": {key: {**MODEL, **changes}}})
    found = bundle.manifest.models.get(key)
    assert bool(found) is kept
    assert not (found and found.sources)
    assert not found or found.blake3_hash == (key if len(key) == 64 else "")
    assert words in "\n".join(bundle.dropped)


@pytest.mark.parametrize(
    ("tool", "place"),
    [
        ({"nodes": {"../x": {"source": "registry", "version": "1"}}}, "tool.comfygit.nodes.../x"),
        (node(source="registry", version="1", name="../x"), "tool.comfygit.nodes.mine"),
        (node(source="git", version=COMMIT, repository="ext::sh -c id"), "mine.repository"),
        (node(source="registry", version="1", download_url="file:///x"), "mine.download_url"),
        (node(source="elsewhere", version="1"), "mine.source"),
        ({"models": {KEY: {**MODEL, "relative_path": "../a.safetensors"}}}, "relative_path"),
        ({"models": {"../x": MODEL}}, "tool.comfygit.models.../x"),
        ({"models": {KEY: {**MODEL, "size": -1}}}, f"models.{KEY}.size"),
        ({"comfyui_version": "--upload-pack=x"}, "comfyui_version"),
        ({"comfyui_repository": "-x"}, "comfyui_repository"),
        ({"python_version": "/bin/sh"}, "python_version"),
        ({"workflows": {"main": {"nodes": ["../x"]}}}, "workflows.main.nodes"),
        ({"nodes": 3}, "tool.comfygit.nodes"),
    ],
)
def test_what_our_own_parser_refuses_is_refused(tool: dict[str, Any], place: str) -> None:
    with pytest.raises(ManifestError) as caught:
        converted(tool)
    assert place in caught.value.sentence


@pytest.mark.parametrize(
    ("tool", "version", "commit"),
    [
        ({"comfyui_version": "v0.3.75"}, "v0.3.75", ""),
        ({"comfyui_version": "v0.3.75", "comfyui_commit_sha": COMMIT}, "v0.3.75", COMMIT),
        ({"comfyui_version": COMMIT, "comfyui_version_type": "commit"}, COMMIT, COMMIT),
        ({"comfyui_version": "master", "comfyui_version_type": "branch"}, "master", ""),
    ],
)
def test_comfyui(tool: dict[str, str], version: str, commit: str) -> None:
    manifest = converted(tool).manifest
    assert (manifest.comfyui_version, manifest.comfyui_commit) == (version, commit)


@pytest.mark.parametrize(
    ("pins", "torch"),
    [
        ([], TorchSpec()),
        (
            ["torch==2.8.0+cu128", "torchvision==0.23.0+cu128", "numpy<2"],
            TorchSpec(version="2.8.0", backend="cu128", torchvision="0.23.0"),
        ),
        (["torch>=2", "no requirement at all"], TorchSpec()),
    ],
)
def test_pins_of_torch_are_kept_as_a_record_only(pins: list[str], torch: TorchSpec) -> None:
    bundle = converted({}, {"uv": {"constraint-dependencies": pins}})
    assert bundle.manifest.torch == torch
    assert "[tool.uv] constraint-dependencies" in bundle.dropped[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("comfygit-env-e1", "e1"), ("comfydock-env-d1", "d1"), ("../x", "imported"), ("a", "a")],
)
def test_the_environment_gets_a_name(name: str, expected: str) -> None:
    bundle = converted({}, {"project": {"name": name}})
    assert bundle.bundle.environment_name == bundle.manifest.name == expected


def test_a_workflow_without_its_file_is_left_out() -> None:
    bundle = converted({"workflows": {"main": {}, "gone": {}}})
    assert list(bundle.manifest.workflows) == ["main"]
    assert bundle.dropped == ("workflow gone: its file is not in the bundle",)


@pytest.mark.parametrize(
    ("version", "own", "expected"), [("3.12.1", "", "3.12.1"), ("3.12", "3.11", "3.11")]
)
def test_python(version: str, own: str, expected: str) -> None:
    tool = {"python_version": own} if own else {}
    assert converted(tool, version=version).manifest.python_version == expected


def test_words_of_a_stranger_are_harmless() -> None:
    bundle = converted({"odd\x1b[2J" * 99: "x\x1b" * 500})
    assert all(text.isprintable() and len(text) < 600 for text in bundle.dropped)
    assert len(bundle.dropped) == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("dev_nodes/a/.git", True),
        ("dev_nodes/a/.git/config", True),
        ("dev_nodes/a/.gitignore", False),
        ("dev_nodes/a/x.git/config", False),
        ("dev_nodes/a/.venv/pyvenv.cfg", True),
        ("dev_nodes/a/x.pyc", True),
        ("package_config.toml", True),
        ("overlays/linux.toml", True),
        ("overlays", True),
        ("workflow_api/main.json", True),
        ("uv.toml", False),
        ("dev_nodes/a/package_config.toml", False),
        ("", False),
    ],
)
def test_what_is_passed_over(path: str, expected: bool) -> None:
    assert is_left_out(path) is expected
