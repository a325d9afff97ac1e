"""Environment -> what blocks an export, and the summary of its workflows (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from comfydock_core.domain.acquisition import WorkflowIssue
from comfydock_core.domain.exporting import CheckedWorkflow, ExportValidation, WorkflowChanges
from comfydock_core.domain.manifest import Manifest
from comfydock_core.resolution.workflow_analysis import AnalysedWorkflow


def validate(
    manifest: Manifest,
    uncommitted: Iterable[str],
    changes: WorkflowChanges,
    analysed: Iterable[AnalysedWorkflow],
) -> ExportValidation:
    """Check that the environment is committed and that every workflow has what it needs.

    ``uncommitted`` are the changed paths below ``.cec``. A model or node that is open counts as an
    issue; one that the user marked as optional does not.
    """
    obstacles = [f".cec/{path}" for path in uncommitted]
    obstacles += [f"workflow {line}" for line in changes.lines()]
    return ExportValidation(
        workflows=tuple(_checked(workflow) for workflow in analysed),
        obstacles=(*obstacles, *_unreachable(manifest)),
    )


def of_workflows(validation: ExportValidation, names: Collection[str]) -> ExportValidation:
    """Return what was found of some workflows; obstacles concern them all."""
    chosen = tuple(workflow for workflow in validation.workflows if workflow.name in names)
    return replace(validation, workflows=chosen)


def _checked(workflow: AnalysedWorkflow) -> CheckedWorkflow:
    entries = {model.entry.filename: model.entry for model in workflow.models}
    optional = {name for name, entry in entries.items() if entry.criticality == "optional"}
    known = {name for name, entry in entries.items() if entry.hash}
    found = (i for i in workflow.issues() if i.kind != "model" or i.subject not in optional)
    return CheckedWorkflow(
        name=workflow.name,
        nodes=sum(len(node.nodes) for node in workflow.nodes),
        models=len(workflow.models),
        issues=tuple(_gone(i) if i.kind == "model" and i.subject in known else i for i in found),
    )


def _gone(issue: WorkflowIssue) -> WorkflowIssue:
    """Say that a model was here when it was committed."""
    sentence = f"Model {issue.subject} referenced but not found in index"
    return replace(issue, sentence=sentence)


def _unreachable(manifest: Manifest) -> Iterable[str]:
    """Name nodes that nobody else could fetch."""
    for node in manifest.nodes.values():
        if node.source == "git" and "://" not in node.repository:
            yield f"node {node.name}: `{node.repository}` is a folder of this machine"
