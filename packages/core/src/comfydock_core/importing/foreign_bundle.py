"""What ComfyDock 1.x and ComfyGit 0.7 wrote -> what our own bundles say (pure).

Their pyproject.toml has ``[tool.comfydock]`` or ``[tool.comfygit]``, and there is no manifest.json.
It is turned into the tables of our own form first and then read by the parser of our own, so that
all that it checks holds here too. What has no counterpart is dropped, and said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from comfydock_core.domain.bundle import DEV_NODES, PYPROJECT, WORKFLOWS, BundleManifest
from comfydock_core.domain.fields import Fields
from comfydock_core.domain.manifest import Manifest, TorchSpec
from comfydock_core.domain.manifest_parsing import parse_manifest
from comfydock_core.domain.names import COMMIT, is_environment_name
from comfydock_core.domain.path_rules import is_made_anew
from comfydock_core.domain.requirements import read_requirement
from comfydock_core.importing.foreign_models import converted_models, converted_workflows
from comfydock_core.importing.foreign_nodes import (
    converted_groups,
    converted_nodes,
    https_address,
    kept_lines,
    shown,
)

_TITLES = {"comfydock": "ComfyDock 1.x", "comfygit": "ComfyGit"}
# Ours has `version` there; a bundle of ours that lost its manifest.json is none of theirs.
_OUR_MARK = "version"
_THEIR_FOLDERS = ("overlays/", "workflow_api/")
_THEIR_FILE = "package_config.toml"
_TAKEN = frozenset(
    {
        *("comfyui_version", "comfyui_version_type", "comfyui_commit_sha", "comfyui_repository"),
        *("python_version", "torch_backend", "schema_version", "nodes", "workflows", "models"),
    }
)
_PROJECT_KEYS = frozenset({"name", "version", "requires-python", "dependencies", "description"})
_TORCH = ("torch", "torchvision", "torchaudio")
_SHOWN = 5
_SHOWN_LENGTH = 120
_UNNAMED = "imported"

Table = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignBundle:
    """A bundle of another tool in our own terms.

    ``manifest.python_version`` is set; ``dropped`` says what was left out or changed, a sentence
    each.
    """

    manifest: Manifest
    bundle: BundleManifest
    dropped: tuple[str, ...]


def is_left_out(path: str) -> bool:
    """Whether a member of such a bundle is passed over.

    That is what we never let travel (repositories, bytecode, virtual environments), and what only
    those tools read.
    """
    if ".git" in path and ".git" in path.split("/"):
        return True
    return is_their_own(path) or is_made_anew(path)


def is_their_own(path: str) -> bool:
    """Whether only those tools have a place for a member."""
    return path == _THEIR_FILE or f"{path}/".startswith(_THEIR_FOLDERS)


def foreign_tool(document: Mapping[str, Any]) -> str:
    """Return the key below ``[tool]`` that another tool's pyproject.toml has; ``""`` for none."""
    tools = document.get("tool")
    found = [key for key in _TITLES if isinstance(tools, Mapping) and key in tools]
    if len(found) != 1 or not isinstance(tools, Mapping):
        return ""
    table = tools[found[0]]
    is_ours = not isinstance(table, Mapping) or (found[0] == "comfydock" and _OUR_MARK in table)
    return "" if is_ours else found[0]


def convert(
    document: Mapping[str, Any], paths: Collection[str], python_version: str
) -> ForeignBundle:
    """Read the pyproject.toml of a bundle with the members ``paths``.

    ``python_version`` is what ``.python-version`` says, ``""`` without one. ManifestError names the
    key that is wrong.
    """
    tool = foreign_tool(document)
    root = Fields(document, "", PYPROJECT)
    theirs = root.table("tool").table(tool)
    dropped: list[str] = []
    nodes = converted_nodes(theirs.table("nodes"), _folders_in(paths), dropped)
    groups = converted_groups(root.table("dependency-groups"), nodes, dropped)
    project = root.table("project")
    table: Table = {
        **_comfyui(theirs),
        "python_version": theirs.text("python_version", python_version or None),
        "nodes": nodes,
        "workflows": converted_workflows(theirs.table("workflows"), paths, dropped),
        "models": converted_models(theirs.table("models"), dropped),
    }
    ours = {
        "project": {
            "name": _name(project),
            "dependencies": kept_lines(project.strings("dependencies"), "ComfyUI", dropped),
        },
        "dependency-groups": groups,
        "tool": {tool: table},
    }
    manifest = parse_manifest(ours, PYPROJECT, tool)
    dropped += _settings(root, theirs)
    manifest = replace(manifest, torch=_torch(root.table("tool").table("uv")))
    return ForeignBundle(
        manifest=manifest,
        bundle=_bundle(manifest, paths, _TITLES[tool]),
        dropped=tuple(dropped),
    )


def _folders_in(paths: Collection[str]) -> frozenset[str]:
    """Return the development nodes whose source is there."""
    found = (path.split("/") for path in paths)
    return frozenset(parts[1] for parts in found if parts[0] == DEV_NODES and len(parts) > 2)


def _name(project: Fields) -> str:
    name = project.text("name", _UNNAMED)
    for tool in _TITLES:
        name = name.removeprefix(f"{tool}-env-")
    return name if is_environment_name(name) else _UNNAMED


def _comfyui(theirs: Fields) -> Table:
    """Return which ComfyUI it is; a version that is a commit is one."""
    version = theirs.text("comfyui_version", theirs.text("comfyui_commit_sha", "") or None)
    commit = theirs.text("comfyui_commit_sha", version if COMMIT.fullmatch(version) else "")
    return {
        "comfyui_version": version,
        "comfyui_commit": commit,
        "comfyui_repository": https_address(theirs.text("comfyui_repository", "")),
    }


def _torch(uv: Fields) -> TorchSpec:
    """Keep the versions that were pinned, as a record of what ran there."""
    versions: dict[str, str] = {}
    for line in uv.strings("constraint-dependencies"):
        requirement = read_requirement(line)
        if requirement is None:
            continue
        pins = [each.version for each in requirement.specifier if each.operator == "=="]
        if requirement.name in _TORCH and len(pins) == 1:
            versions[requirement.name] = pins[0]
    public = {name: version.partition("+")[0] for name, version in versions.items()}
    return TorchSpec(
        version=public.get("torch", ""),
        torchvision=public.get("torchvision", ""),
        torchaudio=public.get("torchaudio", ""),
        backend=versions.get("torch", "").partition("+")[2],
    )


def _settings(root: Fields, theirs: Fields) -> list[str]:
    """Say which settings of uv and of the tool itself are not taken over."""
    tables = [("tool.uv", root.table("tool").table("uv"), frozenset[str]())]
    tables.append((theirs.path, theirs, _TAKEN))
    tables.append(("project", root.table("project"), _PROJECT_KEYS))
    return [
        f"[{place}] {shown(key)}{_detail(value)}"
        for place, table, taken in tables
        for key, value in table.items()
        if key not in taken
    ]


def _detail(value: object) -> str:
    """Name what a setting says, in one short line."""
    if isinstance(value, Mapping):
        words = [str(key) for key in value]
    elif isinstance(value, list):
        words = [
            str(item.get("name", "…") if isinstance(item, Mapping) else item) for item in value
        ]
    else:
        words = [str(value)]
    more = ", …" if len(words) > _SHOWN else ""
    return f" ({', '.join(map(shown, words[:_SHOWN]))[:_SHOWN_LENGTH]}{more})"


def _bundle(manifest: Manifest, paths: Collection[str], tool: str) -> BundleManifest:
    """Say what manifest.json would have said, as far as anything says it."""
    start = f"{WORKFLOWS}/"
    return BundleManifest(
        timestamp="",
        comfydock_version="",
        environment_name=manifest.name,
        workflows=tuple(sorted(p.removeprefix(start) for p in paths if p.startswith(start))),
        python_version=manifest.python_version,
        comfyui_version=manifest.comfyui_version,
        platform="",
        total_models=len(manifest.models),
        total_nodes=len(manifest.nodes),
        tool=tool,
    )
