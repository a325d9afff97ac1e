"""Models -> what the index knows of them, and full digests, so that the other side can verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from comfydock_core.domain.manifest import Manifest, ManifestModel
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.errors import ComfydockError
from comfydock_core.events import (
    ItemFailed,
    ItemFinished,
    ItemProgress,
    ItemStarted,
    StepFinished,
    StepStarted,
)
from comfydock_core.storage.hashing import measured_rate
from comfydock_core.workspace.workflows import described
from comfydock_core.workspace.workspace import Workspace

STEP = "hashes"
_SAMPLE_BYTES = 32 * 1024 * 1024


def with_index(workspace: Workspace, manifest: Manifest) -> Manifest:
    """Return the manifest with the digests and sources that the index has of its models."""
    index = workspace.tools.models
    models = {
        key: described(workspace, here, model, model.sources)
        if (here := index.get_model(key))
        else model
        for key, model in manifest.models.items()
    }
    return replace(manifest, models=models)


def lacking_digests(workspace: Workspace, manifest: Manifest) -> list[ManifestModel]:
    """Return the models whose files have yet to be read for their digests.

    One without a file here has none to read: validation has named it, unless it is optional.
    """
    return [
        model
        for model in manifest.models.values()
        if not (model.blake3_hash and model.sha256_hash)
        and workspace.tools.models.get_model(model.hash) is not None
    ]


def estimated_seconds(workspace: Workspace, lacking: Sequence[ManifestModel]) -> float:
    """Estimate how long reading takes, from the speed at which this disk gives a sample now."""
    found = (workspace.tools.models.get_model(model.hash) for model in lacking)
    rate = measured_rate([Path(model.path) for model in found if model], _SAMPLE_BYTES)
    return sum(model.size for model in lacking) / rate


def read_digests(workspace: Workspace, lacking: Sequence[ManifestModel]) -> None:
    """Read the models, several at a time; each result is kept in the index at once.

    What cannot be read raises after the others are done.
    """
    report = workspace.reporter.report
    names = {model.hash: model.filename for model in lacking}
    report(StepStarted(step=STEP, title="Calculating model hashes", count=len(lacking)))
    for model in lacking:
        report(ItemStarted(step=STEP, item=model.filename, size=model.size))

    def tell(model: ModelWithLocation, done: int) -> None:
        item = names[model.hash]
        report(ItemProgress(step=STEP, item=item, done=done, total=model.size))

    failed: list[ComfydockError] = []
    for key, result in workspace.tools.models.digest_many(names, tell):
        if isinstance(result, ComfydockError):
            failed.append(result)
            report(ItemFailed(step=STEP, item=names[key], reason=result.sentence))
        else:
            report(ItemFinished(step=STEP, item=names[key]))
    report(StepFinished(step=STEP, detail=f"{len(lacking) - len(failed)} of {len(lacking)} hashed"))
    if failed:
        raise failed[0]


def local_only(manifest: Manifest) -> Manifest:
    """Return the manifest without addresses of models that nobody could verify."""
    return replace(
        manifest,
        models={
            key: model if model.blake3_hash and model.sha256_hash else replace(model, sources=())
            for key, model in manifest.models.items()
        },
    )
