"""Substitutions, carried out: workflows name another model, and the original is remembered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestWorkflow,
    ManifestWorkflowModel,
)
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.events import ItemFinished, Notice, StepFinished, StepStarted
from comfydock_core.workspace import workflows
from comfydock_core.workspace.workspace import Workspace

STEP = "substitutions"
_GLOBAL = "substitutions are global and affect all workflows using the model"


def apply_substitutes(workspace: Workspace, manifest: Manifest, plan: ImportPlan) -> Manifest:
    """Return the manifest with the plan's substitutions; the workflows' files follow it later.

    ``substituted_for`` keeps the key of the original, which stays in the table of models.
    """
    decisions = plan.models_for("substitute")
    if not decisions:
        return manifest
    report = workspace.reporter.report
    count = len(decisions)
    title = f"Applying {count} model substitution" + ("s" if count > 1 else "")
    report(StepStarted(step=STEP, title=title, count=count))
    if any(not decision.workflows for decision in decisions):
        report(Notice(text=_GLOBAL))
    for decision in decisions:
        if chosen := decision.substitute:
            manifest = substituted(workspace, manifest, decision, chosen)
            report(ItemFinished(step=STEP, item=_shown(decision, chosen)))
    report(StepFinished(step=STEP, detail=f"Applied {count} of {count}"))
    return manifest


def _shown(decision: ModelAcquisitionDecision, chosen: ModelWithLocation) -> str:
    limit = f" (only in {', '.join(decision.workflows)})" if decision.workflows else ""
    return f"{decision.model.filename} → {chosen.filename}{limit}"


def substituted(
    workspace: Workspace,
    manifest: Manifest,
    decision: ModelAcquisitionDecision,
    chosen: ModelWithLocation,
) -> Manifest:
    """Return the manifest with one substitution."""
    changed = {
        name: _in_workflow(workflow, decision, chosen)
        if not decision.workflows or name in decision.workflows
        else workflow
        for name, workflow in manifest.workflows.items()
    }
    known = manifest.models.get(chosen.hash)
    described = workflows.described(workspace, chosen, known, ())
    return replace(manifest, workflows=changed, models={**manifest.models, chosen.hash: described})


def _in_workflow(
    workflow: ManifestWorkflow, decision: ModelAcquisitionDecision, chosen: ModelWithLocation
) -> ManifestWorkflow:
    return replace(workflow, models=tuple(_entries(workflow.models, decision, chosen)))


def _entries(
    entries: Iterable[ManifestWorkflowModel],
    decision: ModelAcquisitionDecision,
    chosen: ModelWithLocation,
) -> Iterable[ManifestWorkflowModel]:
    for entry in entries:
        if (entry.hash or f"{entry.category}/{entry.filename}") == decision.key:
            yield replace(
                entry,
                hash=chosen.hash,
                filename=chosen.filename,
                relative_path="",
                status="resolved",
                sources=(),
                substituted_for=entry.substituted_for or entry.hash,
            )
        else:
            yield entry


def tell_skipped(workspace: Workspace, plan: ImportPlan) -> None:
    """List the models that the import goes without."""
    skipped = plan.models_for("skip")
    if not skipped:
        return
    listed = (
        f"{decision.model.filename} ({plan.aggregates[decision.key].criticality})"
        for decision in skipped
    )
    count = f"{len(skipped)} model" + ("s" if len(skipped) > 1 else "")
    workspace.reporter.report(Notice(text=f"Skipped {count}: {', '.join(listed)}"))
