"""Models -> full digests and sources, so that the other side can fetch and verify them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from shlex import quote

from comfydock_core.domain.manifest import Manifest, ManifestModel
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.errors import NotFoundError
from comfydock_core.events import (
    ItemFinished,
    ItemProgress,
    ItemStarted,
    StepFinished,
    StepStarted,
)
from comfydock_core.workspace.workflows import described
from comfydock_core.workspace.workspace import Workspace

STEP = "hashes"


def enrich_models(workspace: Workspace, manifest: Manifest) -> Manifest:
    """Return the manifest with both digests and all known sources of every model that is here.

    Digests are read once and kept in the index. A model that is in the manifest and no longer on
    disk is a NotFoundError, unless its digests are known already.
    """
    lacking = [m for m in manifest.models.values() if not (m.blake3_hash and m.sha256_hash)]
    if lacking:
        _read_digests(workspace, lacking)
    enriched = {key: _enriched(workspace, model) for key, model in manifest.models.items()}
    return replace(manifest, models=enriched)


def _read_digests(workspace: Workspace, lacking: list[ManifestModel]) -> None:
    report = workspace.reporter.report
    report(StepStarted(step=STEP, title="Calculating model hashes", count=len(lacking)))
    for model in lacking:
        if workspace.tools.models.get_model(model.hash) is None:
            raise NotFoundError(
                f"Model {model.filename} referenced but not found in index",
                hint="comfydock model index scan, or mark it optional: "
                f"comfydock workflow model NAME {quote(model.filename)} --criticality optional",
                subject=model.filename,
            )
        report(ItemStarted(step=STEP, item=model.filename, size=model.size))
        hashes = workspace.tools.models.calculate_full_hashes(
            model.hash, partial(_tell, workspace, model)
        )
        workspace.tools.models.update_model_hashes(model.hash, hashes)
        report(ItemFinished(step=STEP, item=model.filename))
    report(StepFinished(step=STEP, detail=f"{len(lacking)} models hashed"))


def _tell(workspace: Workspace, model: ManifestModel, done: int) -> None:
    progress = ItemProgress(step=STEP, item=model.filename, done=done, total=model.size)
    workspace.reporter.report(progress)


def _enriched(workspace: Workspace, model: ManifestModel) -> ManifestModel:
    here: ModelWithLocation | None = workspace.tools.models.get_model(model.hash)
    return described(workspace, here, model, model.sources) if here else model
