"""pyproject.toml -> Manifest: parsed once, allow-listed, trusted afterwards.

Everything here may come from a stranger's bundle, so each value that later becomes a path, an
address, an argument or a requirement is checked for its form (trust.md rules 3, 4 and 6).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from comfydock_core.domain import names
from comfydock_core.domain.criticality import CRITICALITIES, Criticality
from comfydock_core.domain.fields import Fields
from comfydock_core.domain.manifest import (
    SCHEMA_VERSION,
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
    ModelStatus,
    NodeInfo,
    NodeReference,
    NodeSource,
    TorchSpec,
)
from comfydock_core.domain.path_rules import broken_rule, folded
from comfydock_core.domain.requirements import read_requirement
from comfydock_core.domain.toml_document import read_toml
from comfydock_core.errors import ManifestError

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+/#@-]{0,199}")
_SOURCE = re.compile(r"registry|git|development")
_CRITICALITY = re.compile("|".join(CRITICALITIES))
_STATUS = re.compile(r"resolved|unresolved")
_TORCH = ("version", "backend", "torchvision", "torchaudio")
_GROUP = re.compile(r"[a-z0-9]([a-z0-9-]{0,120}[a-z0-9])?")


def parse_manifest_toml(data: bytes, document: str = "pyproject.toml") -> Manifest:
    """Parse the bytes of a pyproject.toml; ManifestError names the place that is wrong."""
    return _parsed(data, document)


# The steps of an import read the manifest again and again, and few of them change it.
@lru_cache(maxsize=2)
def _parsed(data: bytes, document: str) -> Manifest:
    return parse_manifest(read_toml(data, document), document)


def parse_manifest(
    data: object, document: str = "pyproject.toml", tool: str = "comfydock"
) -> Manifest:
    """Read ``[project]``, ``[dependency-groups]`` and ``[tool.<tool>]``; ignore the rest."""
    root = Fields(data, "", document)
    ours = root.table("tool").table(tool)
    if not ours.has("comfyui_version"):
        raise ManifestError(
            f"`{document}` has no `[tool.{tool}]`: it describes no environment", subject=document
        )
    torch = ours.table("torch")
    return Manifest(
        name=root.table("project").text("name", "environment").removeprefix("comfydock-env-"),
        version=ours.text("version", SCHEMA_VERSION, form=_WORD),
        comfyui_version=ours.text("comfyui_version", form=_REF),
        comfyui_commit=ours.text("comfyui_commit", "", form=names.COMMIT),
        comfyui_repository=_repository(ours, "comfyui_repository"),
        python_version=ours.text("python_version", form=names.PYTHON_VERSION),
        torch=TorchSpec(**{key: torch.text(key, "", form=_WORD) for key in _TORCH}),
        requirements=_requirements(root.table("project"), "dependencies"),
        groups=_groups(root.table("dependency-groups")),
        nodes=_nodes(ours.table("nodes")),
        workflows={
            name: _workflow(name, ours.table("workflows"))
            for name, _ in ours.table("workflows").items()
        },
        models={key: _model(key, ours.table("models")) for key, _ in ours.table("models").items()},
    )


def _groups(fields: Fields) -> dict[str, tuple[str, ...]]:
    for name, _ in fields.items():
        if not _GROUP.fullmatch(name):
            raise fields.wrong(name, "is no name for a dependency group")
    return {name: _requirements(fields, name) for name, _ in fields.items()}


def _requirements(fields: Fields, key: str) -> tuple[str, ...]:
    lines = fields.strings(key)
    for line in lines:
        requirement = read_requirement(line)
        if requirement is None:
            raise fields.wrong(key, f"has an entry that is no requirement: {line[:80]!a}")
        if requirement.url:
            raise fields.wrong(key, f"asks for an address instead of a version: {line[:80]!a}")
    return lines


def _repository(fields: Fields, key: str) -> str:
    value = fields.text(key, "")
    problem = names.repository_problem(value) if "://" in value else ""
    if problem or value.startswith("-") or any(ord(c) < 32 for c in value):
        raise fields.wrong(key, problem or "has a value that is not allowed")
    return value


def _node_repository(fields: Fields, source: NodeSource) -> str:
    """Read a node's repository: of a git node the address that is fetched, never a folder."""
    value = _repository(fields, "repository")
    if source == "git" and "://" not in value:
        raise fields.wrong("repository", "is no address that a node can be fetched from")
    return value


def _nodes(fields: Fields) -> dict[str, NodeInfo]:
    """Read the nodes; two that would share a folder could stand in for each other."""
    nodes = {name: _node(name, fields) for name, _ in fields.items()}
    folders: dict[str, str] = {}
    for name, node in nodes.items():
        other = folders.setdefault(folded(node.name), name)
        if other != name:
            raise fields.wrong(name, f"has the same folder as `{other}`")
    return nodes


def _node(name: str, parent: Fields) -> NodeInfo:
    fields = parent.table(name)
    folder = fields.text("name", name)
    problem = names.node_name_problem(folder) or names.node_name_problem(name)
    if problem:
        raise parent.wrong(ascii(name)[1:-1], problem)
    source = cast(NodeSource, fields.text("source", form=_SOURCE))
    version_form = names.COMMIT if source == "git" else _WORD
    return NodeInfo(
        name=folder,
        source=source,
        version=fields.text("version", "" if source == "development" else None, form=version_form),
        registry_id=fields.text("registry_id", "", form=_WORD),
        repository=_node_repository(fields, source),
        download_url=_url(fields, "download_url"),
        sha256=fields.text("sha256", "", form=names.SHA256),
        group=fields.text("group", "", form=_GROUP),
        torch_requirements=_requirements(fields, "torch_requirements"),
    )


def _url(fields: Fields, key: str) -> str:
    value = fields.text(key, "")
    if value and (problem := names.url_problem(value)):
        raise fields.wrong(key, problem)
    return value


def _model_path(fields: Fields, key: str, default: str | None = None) -> str:
    value = fields.text(key, default)
    if value != default and (problem := names.model_path_problem(value)):
        raise fields.wrong(key, problem)
    return value


def _category(fields: Fields) -> str:
    """Read a folder of models, which a user may have named in any script."""
    value = fields.text("category", "")
    if value and (problem := broken_rule(value)):
        raise fields.wrong("category", problem)
    return value


def _sources(fields: Fields) -> tuple[str, ...]:
    for url in (sources := fields.strings("sources")):
        if problem := names.url_problem(url):
            raise fields.wrong("sources", problem)
    return sources


def _model(key: str, parent: Fields) -> ManifestModel:
    if not names.MODEL_KEY.fullmatch(key):
        raise parent.wrong(ascii(key)[1:-1], "is no model hash")
    fields = parent.table(key)
    path = _model_path(fields, "relative_path")
    return ManifestModel(
        hash=key,
        filename=_model_path(fields, "filename", path.rpartition("/")[2]),
        size=fields.integer("size"),
        relative_path=path,
        category=_category(fields),
        blake3_hash=fields.text("blake3_hash", "", form=names.SHA256),
        sha256_hash=fields.text("sha256_hash", "", form=names.SHA256),
        sources=_sources(fields),
    )


def _workflow(name: str, parent: Fields) -> ManifestWorkflow:
    fields = parent.table(name)
    path = fields.text("path", f"workflows/{name}.json")
    if broken_rule(path) or path != f"workflows/{name}.json":
        raise fields.wrong("path", f"must be `workflows/{ascii(name)[1:-1]}.json`")
    return ManifestWorkflow(
        name=name,
        path=path,
        nodes=fields.strings("nodes", form=names.NODE_NAME),
        models=tuple(_workflow_model(item) for item in fields.tables("models")),
        custom_node_map=_node_map(fields.table("custom_node_map")),
    )


def _node_map(fields: Fields) -> dict[str, str | bool]:
    return {
        key: value if isinstance(value, bool) else fields.text(key, form=names.NODE_NAME)
        for key, value in fields.items()
    }


def _workflow_model(fields: Fields) -> ManifestWorkflowModel:
    return ManifestWorkflowModel(
        filename=fields.text("filename", ""),
        category=_category(fields),
        criticality=cast(Criticality, fields.text("criticality", "required", form=_CRITICALITY)),
        status=cast(ModelStatus, fields.text("status", "unresolved", form=_STATUS)),
        nodes=tuple(_reference(item) for item in fields.tables("nodes")),
        hash=fields.text("hash", "", form=names.MODEL_KEY),
        relative_path=_model_path(fields, "relative_path", ""),
        sources=_sources(fields),
        substituted_for=fields.text("substituted_for", "", form=names.MODEL_KEY),
    )


def _reference(fields: Fields) -> NodeReference:
    older = fields.integer("widget_idx", 0)
    return NodeReference(
        node_id=fields.text("node_id", ""),
        node_type=fields.text("node_type", ""),
        widget_index=fields.integer("widget_index", older),
        widget_value=fields.text("widget_value", ""),
        widget_name=fields.text("widget_name", ""),
    )
