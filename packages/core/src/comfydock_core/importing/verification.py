"""The finished environment, looked at again: what keeps its workflows from running."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision, WorkflowIssue
from comfydock_core.domain.proof import Proof
from comfydock_core.domain.requirements import wants_torch
from comfydock_core.resolution.proving import proved_issues
from comfydock_core.workspace import workflows
from comfydock_core.workspace.comfyui_proof import prove
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.input_files import loaded_inputs, present_inputs
from comfydock_core.workspace.workspace import Workspace


def look_again(
    workspace: Workspace, environment: Environment, plan: ImportPlan, *, start: bool
) -> tuple[WorkflowIssue, ...]:
    """Find the issues of a finished environment; ``start`` has ComfyUI started once for it.

    One without the torch that ComfyUI asks for, as the user wanted it, cannot start.
    """
    can_start = plan.torch_backend != "none" or not wants_torch(plan.manifest.requirements)
    proof = prove(workspace, environment) if start and can_start else None
    return find_issues(workspace, environment, plan, proof)


def find_issues(
    workspace: Workspace, environment: Environment, plan: ImportPlan, proof: Proof | None = None
) -> tuple[WorkflowIssue, ...]:
    """Analyse what is really there now; what the plan only promised does not count.

    ``proof`` is what a start of ComfyUI showed; None where nobody wanted one.
    """
    workspace.scan_models()
    analysed = workflows.analyse_all(workspace, environment, environment.manifest())
    missing = tuple(
        WorkflowIssue(
            workflow=name,
            kind="file",
            subject=name,
            sentence="the workflow's file is not in the bundle",
            blocking=True,
        )
        for name in sorted(plan.manifest.workflows.keys() - {found.name for found in analysed})
    )
    readable = [found.name for found in analysed if not found.problem]
    missing += tuple(_missing_inputs(workspace, environment, readable))
    if proof:
        return (*missing, *proved_issues(environment.name, analysed, proof))
    return (*missing, *(issue for found in analysed for issue in found.issues()))


def absent_models(workspace: Workspace, plan: ImportPlan) -> frozenset[str]:
    """Return the keys of models that the plan counts on and that are not there, or not whole."""
    found = ((d.key, _expected(workspace, plan, d)) for d in plan.models if d.action != "skip")
    return frozenset(key for key, expected in found if expected and not _is_whole(*expected))


def _expected(
    workspace: Workspace, plan: ImportPlan, decision: ModelAcquisitionDecision
) -> tuple[Path, int] | None:
    """Return where a model is to be and its size in bytes, 0 where that is not known."""
    if decision.substitute:
        return Path(decision.substitute.path), decision.substitute.size
    if not decision.target_path:
        return None
    place = workspace.download_directory / decision.target_path
    return place, plan.aggregates[decision.key].total_size


def _is_whole(place: Path, size: int) -> bool:
    try:
        there = place.stat().st_size
    except OSError:
        return False
    return not size or there == size


def _missing_inputs(
    workspace: Workspace, environment: Environment, names: Collection[str]
) -> Iterator[WorkflowIssue]:
    """Name the input files that workflows load and that are not here; a person has others."""
    loaded = loaded_inputs(workspace, environment, names)
    wanted = {(one.workflow, one.name) for one in loaded if one.active and one.place == "input"}
    present = present_inputs(environment) if wanted else {}
    for workflow, name in sorted(wanted):
        if name not in present and not any(path.startswith(f"{name}/") for path in present):
            yield WorkflowIssue(
                workflow=workflow,
                kind="file",
                subject=name,
                sentence=f"input file `{name}` is not here",
                blocking=False,
            )
