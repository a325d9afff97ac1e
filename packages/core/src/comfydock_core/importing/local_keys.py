"""The keys by which this machine's index knows the models of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.manifest import Manifest
from comfydock_core.storage.hashing import FullHashes
from comfydock_core.storage.model_index import ModelIndex
from comfydock_core.workspace.workspace import Workspace


def as_known_here(
    workspace: Workspace, manifest: Manifest, plan: ImportPlan, failed: frozenset[str]
) -> Manifest:
    """Return the manifest with this machine's keys, and keep the digests that were verified."""
    index = workspace.tools.models
    keep_digests(index, plan, failed, workspace.download_directory)
    return with_local_keys(manifest, local_keys(index, plan, failed))


def local_keys(index: ModelIndex, plan: ImportPlan, failed: frozenset[str]) -> dict[str, str]:
    """Return under which key this machine's index has each of the plan's models.

    It differs from the bundle's where another tool wrote the bundle, or where two files here share
    a short hash. What failed to be downloaded is not here, whatever lies in its place.
    """
    keys: dict[str, str] = {}
    for decision in plan.models_for("existing"):
        if decision.substitute:
            keys[decision.key] = decision.substitute.hash
    for decision in (*plan.models_for("download"), *plan.models_for("unpack")):
        found = index.by_relative_path(decision.target_path)
        if found and decision.key not in failed:
            keys[decision.key] = found[0].hash
    bundled = plan.manifest.models
    return {old: new for old, new in keys.items() if old != new and old in bundled}


def keep_digests(index: ModelIndex, plan: ImportPlan, failed: frozenset[str], folder: Path) -> None:
    """Tell the index the digests of the files that were verified on their way into ``folder``."""
    for decision in (*plan.models_for("download"), *plan.models_for("unpack")):
        content = plan.aggregates[decision.key].content
        if decision.key in failed or not (content and content.blake3_hash and content.sha256_hash):
            continue
        hashes = FullHashes(
            blake3=content.blake3_hash, sha256=content.sha256_hash, size=content.size
        )
        for found in index.by_relative_path(decision.target_path):
            if Path(found.path) == folder / decision.target_path:
                index.update_model_hashes(found.hash, hashes)


def with_local_keys(manifest: Manifest, keys: Mapping[str, str]) -> Manifest:
    """Return the manifest with models renamed to the keys that this machine knows them by."""
    if not keys:
        return manifest
    models = {
        keys.get(key, key): replace(model, hash=keys.get(key, key))
        for key, model in manifest.models.items()
    }
    workflows_here = {
        name: replace(
            workflow,
            models=tuple(
                replace(
                    model,
                    hash=keys.get(model.hash, model.hash),
                    substituted_for=keys.get(model.substituted_for, model.substituted_for),
                )
                for model in workflow.models
            ),
        )
        for name, workflow in manifest.workflows.items()
    }
    return replace(manifest, models=models, workflows=workflows_here)
