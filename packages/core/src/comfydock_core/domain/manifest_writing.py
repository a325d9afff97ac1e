"""Manifest -> plain tables in pyproject.toml's form; fields that say nothing are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeInfo,
)

Table = dict[str, Any]

TORCH_STACK = (
    "torch",
    "torchvision",
    "torchaudio",
    "triton",
    "triton-windows",
    "pytorch-triton",
    "pytorch-triton-rocm",
    "pytorch-triton-xpu",
    "xformers",
)


# Pure Python that only asks the driver; many node packs import it.
_NOT_TORCH_STACK = frozenset({"nvidia-ml-py"})


def is_torch_stack(name: str) -> bool:
    """Whether a (normalised) package name belongs to the hardware-bound layer (design.md 4.4)."""
    if name in _NOT_TORCH_STACK:
        return False
    return name in TORCH_STACK or name.startswith(("nvidia-", "rocm", "intel-sycl-rt"))


def project_tables(manifest: Manifest, constraints: Sequence[str] = ()) -> Table:
    """Return the whole pyproject.toml that describes ``manifest``, as plain tables.

    ``exclude-dependencies`` keeps the torch stack out of the lock, so that one lock installs on
    every machine. ``constraints`` are requirements that limit a resolution.
    """
    uv: Table = {"package": False, "exclude-dependencies": list(TORCH_STACK)}
    if constraints:
        uv["constraint-dependencies"] = list(constraints)
    minor = ".".join(manifest.python_version.split(".")[:2])
    return {
        "project": {
            "name": f"comfydock-env-{_project_name(manifest.name)}",
            "version": "0.1.0",
            "requires-python": f"=={minor}.*",
            "dependencies": list(manifest.requirements),
        },
        "dependency-groups": {name: list(lines) for name, lines in sorted(manifest.groups.items())},
        "tool": {
            "uv": uv,
            "comfydock": comfydock_table(manifest),
        },
    }


def _project_name(name: str) -> str:
    """Make a name that PEP 508 accepts; the environment's own name may end with a dot or dash."""
    return name.lower().strip("._-")


def comfydock_table(manifest: Manifest) -> Table:
    """Return ``[tool.comfydock]`` with nodes, workflows and models by name, in sorted order."""
    table: Table = {
        "version": manifest.version,
        "comfyui_version": manifest.comfyui_version,
        "comfyui_commit": manifest.comfyui_commit,
        "comfyui_repository": manifest.comfyui_repository,
        "python_version": manifest.python_version,
        "torch": _said(manifest.torch),
        "nodes": {name: node_table(node) for name, node in sorted(manifest.nodes.items())},
        "workflows": {name: _workflow_table(w) for name, w in sorted(manifest.workflows.items())},
        "models": {key: model_table(model) for key, model in sorted(manifest.models.items())},
    }
    return {key: value for key, value in table.items() if value not in ("", {})}


def node_table(node: NodeInfo) -> Table:
    """Return ``nodes.<name>``."""
    return _said(node)


def model_table(model: ManifestModel) -> Table:
    """Return ``models.<hash>``; the hash is its key."""
    table = _said(model)
    del table["hash"]
    return table


def _workflow_table(workflow: ManifestWorkflow) -> Table:
    table: Table = {"path": workflow.path, "nodes": list(workflow.nodes)}
    if workflow.models:
        table["models"] = [_workflow_model_table(model) for model in workflow.models]
    if workflow.custom_node_map:
        table["custom_node_map"] = dict(sorted(workflow.custom_node_map.items()))
    return table


def _workflow_model_table(model: ManifestWorkflowModel) -> Table:
    return {**_said(model), "nodes": [_said(reference) for reference in model.nodes]}


def _said(value: Any) -> Table:
    """Return a dataclass as a table without its empty fields; tuples become lists."""
    pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
    return {
        name: list(item) if isinstance(item, tuple) else item
        for name, item in pairs
        if item not in ("", (), None)
    }
