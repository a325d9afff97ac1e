"""Models asked for by name: where they can be had, and whether what is here is still the same."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from comfydock_core.domain.acquisition import aggregate_model_criticality
from comfydock_core.domain.manifest import ManifestModel, ManifestWorkflowModel
from comfydock_core.domain.model_loaders import LOADERS
from comfydock_core.domain.model_sources import ExaminedSource
from comfydock_core.domain.models import ModelWithLocation, canonical_category
from comfydock_core.domain.names import model_path_problem, url_problem
from comfydock_core.errors import AnswerNeededError, NotFoundError, StorageError, UsageError
from comfydock_core.events import (
    ItemFailed,
    ItemFinished,
    ItemProgress,
    ItemStarted,
    StepFinished,
    StepStarted,
)
from comfydock_core.importing.plan import target_path
from comfydock_core.storage.model_index import Verdict
from comfydock_core.workspace import workflows
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.model_fetching import WantedModel
from comfydock_core.workspace.workspace import Workspace

_LOCAL = "file://"
_VERIFYING = "verify"


class ModelService:
    """Works on the model library of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def wanted_by_workflow(self, environment: Environment, name: str) -> tuple[WantedModel, ...]:
        """Return what a workflow lacks, with or without an address to fetch it from."""
        full_name, _ = workflows.find_workflow(environment, name)
        self._workspace.scan_models()
        manifest = environment.manifest()
        analysed = workflows.analyse_all(self._workspace, environment, manifest)
        found = next(workflow for workflow in analysed if workflow.name == full_name)
        lacking = (model.entry for model in found.models if model.entry.status == "unresolved")
        recorded = replace(found.record(), models=tuple(lacking))
        aggregates = aggregate_model_criticality((recorded,), manifest.models)
        return tuple(_wanted(a.model, a.content, a.sources) for a in aggregates.values())

    def wanted_by_name(self, environment: Environment, name: str) -> WantedModel:
        """Return a model that the environment's manifest knows by a file name, path or hash."""
        manifest = environment.manifest()
        known = aggregate_model_criticality(manifest.workflows.values(), manifest.models)
        for aggregate in known.values():
            wanted = _wanted(aggregate.model, aggregate.content, aggregate.sources)
            if wanted.sources and name in (wanted.filename, wanted.target, aggregate.key):
                return wanted
        raise NotFoundError(
            f"`{environment.name}` knows no model `{name}` with an address to fetch it from",
            hint="comfydock model download URL --category checkpoints",
            subject=name,
        )

    def wanted_at(self, url: str, category: str, filename: str) -> WantedModel:
        """Return the model at an address, pinned where its host can say what lies there.

        The folder comes from ``category``, else from the address; AnswerNeededError where neither
        tells. ``file://`` names a file of this machine.
        """
        if not url.startswith(_LOCAL) and (problem := url_problem(url)):
            raise UsageError(f"`{url}` {problem}", subject=url)
        found = None if url.startswith(_LOCAL) else self._workspace.tools.model_hosts.examine(url)
        path = unquote(urlsplit(url).path)
        name = filename or (found.filename if found else "") or PurePosixPath(path).name
        folder = category or _category_in(path)
        if not folder:
            raise AnswerNeededError(
                f"nothing tells in which folder of models `{name}` belongs",
                hint=f"add --category, e.g. --category checkpoints: {url}",
                subject="--category",
            )
        target = f"{folder}/{name}"
        if problem := model_path_problem(target):
            wrong = "a folder with --category" if model_path_problem(f"{folder}/x.pt") else ""
            raise UsageError(
                f"`{target}` {problem}",
                hint=f"give it {wrong or 'a name with --name'}",
                subject=target,
            )
        return WantedModel(
            filename=name,
            target=target,
            sources=tuple(dict.fromkeys((found.url, found.original))) if found else (url,),
            content=_content(found, target) if found else None,
            named=True,
        )

    def verify(
        self, models: Sequence[ModelWithLocation]
    ) -> Generator[tuple[ModelWithLocation, Verdict | StorageError], None, None]:
        """Read files whole and yield whether each is what the index knows of it."""
        report = self._workspace.reporter.report
        report(StepStarted(step=_VERIFYING, title="Verifying models", count=len(models)))
        for model in models:
            report(ItemStarted(step=_VERIFYING, item=model.relative_path, size=model.size))

        def tell(model: ModelWithLocation, done: int) -> None:
            item = model.relative_path
            report(ItemProgress(step=_VERIFYING, item=item, done=done, total=model.size))

        for model, verdict in self._workspace.tools.models.verify(models, tell):
            item = model.relative_path
            if isinstance(verdict, StorageError):
                report(ItemFailed(step=_VERIFYING, item=item, reason=verdict.sentence))
            elif verdict == "different":
                report(ItemFailed(step=_VERIFYING, item=item, reason="its bytes changed"))
            else:
                detail = "whole" if verdict == "intact" else "read for the first time"
                report(ItemFinished(step=_VERIFYING, item=item, detail=detail))
            yield model, verdict
        report(StepFinished(step=_VERIFYING, detail=f"Files read: {len(models)}"))


def _wanted(
    model: ManifestWorkflowModel, content: ManifestModel | None, sources: tuple[str, ...]
) -> WantedModel:
    target = target_path(model, content)
    return WantedModel(
        filename=model.filename,
        target=target,
        sources=() if model_path_problem(target) else sources,
        content=content,
    )


def _category_in(path: str) -> str:
    """Return the model folder that an address names, e.g. ``…/split_files/vae/x.safetensors``."""
    known = {widget.folder for widgets in LOADERS.values() for widget in widgets}
    folders = map(canonical_category, reversed(PurePosixPath(path).parent.parts))
    return next((folder for folder in folders if folder in known), "")


def _content(found: ExaminedSource, target: str) -> ManifestModel | None:
    """Describe what the host promises; None where it does not even say a size."""
    if found.size is None:
        return None
    folder, _, _ = target.partition("/")
    return ManifestModel(
        hash="",
        filename=target.rpartition("/")[2],
        size=found.size,
        relative_path=target,
        category=folder,
        sha256_hash=found.sha256,
    )
