"""Bundles, summaries and models in a few words, for the pure files of an import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfydock_core.domain.acquisition import ModelAggregate
from comfydock_core.domain.bundle import BundleManifest
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.import_summary import ImportSummary
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeInfo,
)
from comfydock_core.domain.models import ModelWithLocation

KEY = "a" * 16
OFFICIAL = "https://github.com/comfyanonymous/ComfyUI"
NAME = "a.safetensors"


def bundle(**changes: Any) -> BundleManifest:
    """Return a bundle's manifest.json."""
    values: dict[str, Any] = {
        "timestamp": "2025-01-15T10:30:00Z",
        "comfydock_version": "2.0.0",
        "environment_name": "studio",
        "workflows": (),
        "python_version": "3.11",
        "comfyui_version": "v0.3.75",
        "platform": "linux",
        "total_models": 0,
        "total_nodes": 0,
    }
    return BundleManifest(**values | changes)


def manifest(
    nodes: Mapping[str, NodeInfo] | None = None,
    workflows: Mapping[str, ManifestWorkflow] | None = None,
    models: Mapping[str, ManifestModel] | None = None,
    repository: str = OFFICIAL,
) -> Manifest:
    """Return the manifest of an environment with one ComfyUI."""
    return Manifest(
        name="studio",
        comfyui_version="v0.3.75",
        comfyui_commit="0" * 40,
        comfyui_repository=repository,
        python_version="3.11",
        nodes=nodes or {},
        workflows=workflows or {},
        models=models or {},
    )


def content(path: str, size: int = 5, **changes: Any) -> ManifestModel:
    """Return what a bundle knows of a file."""
    folder, _, name = path.rpartition("/")
    values: dict[str, Any] = {"hash": KEY, "filename": name, "category": folder.partition("/")[0]}
    return ManifestModel(size=size, relative_path=path, **values | changes)


def aggregate(
    criticality: Criticality = "required",
    *,
    key: str = KEY,
    sources: tuple[str, ...] = (),
    content: str = f"loras/{NAME}",
    size: int = 5,
    **model: str,
) -> ModelAggregate:
    """Return one model over all workflows; an empty ``content`` is a file nobody ever had."""
    values: dict[str, Any] = {"filename": NAME, "category": "loras", "hash": key, **model}
    entry = ManifestWorkflowModel(
        criticality=criticality, status="unresolved", sources=sources, **values
    )
    known = (
        ManifestModel(hash=key, filename=NAME, size=size, relative_path=content, category="loras")
        if content
        else None
    )
    return ModelAggregate(
        key=key, model=entry, criticality=criticality, workflows=("w",), content=known
    )


def summary(
    nodes: Mapping[str, NodeInfo] | None = None,
    aggregates: Mapping[str, ModelAggregate] | None = None,
) -> ImportSummary:
    """Return a checked bundle before anything was asked of the network."""
    return ImportSummary(
        environment="studio",
        requested_name="studio",
        bundle=bundle(),
        manifest=manifest(nodes),
        aggregates=aggregates or {},
        digest="0" * 64,
    )


def local_file(path: str) -> ModelWithLocation:
    """Return a model as it lies on this machine."""
    return ModelWithLocation(
        hash="b" * 16,
        filename=path.rpartition("/")[2],
        size=5,
        relative_path=path,
        category=path.partition("/")[0],
        path=f"/models/{path}",
    )
