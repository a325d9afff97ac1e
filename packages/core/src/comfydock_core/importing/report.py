"""Outcomes + issues -> ImportResult and the next steps that really fix what is open (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from shlex import quote

from comfydock_core.domain.acquisition import (
    ImportPlan,
    ImportResult,
    ModelAcquisitionDecision,
    ModelAction,
    NodeAcquisitionDecision,
    WorkflowIssue,
)
from comfydock_core.importing.node_remedies import Remedy, remedy

_SEEN_IN_A_RUN = ("pack", "comfyui")
"""Issues with code that is here and fails: ComfyUI's own words are the next step."""
_COUNTED: tuple[ModelAction, ...] = ("download", "unpack", "existing", "substitute")
_VANISHED = "it is not here any more as it was when the plan was made"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """What execution did: node name or model key -> why it failed; everything else went well."""

    failed_nodes: tuple[tuple[str, str], ...] = ()
    failed_models: tuple[tuple[str, str], ...] = ()


def make_result(
    plan: ImportPlan,
    outcomes: Outcomes,
    issues: tuple[WorkflowIssue, ...],
    absent: Collection[str] = (),
) -> ImportResult:
    """Count what happened; success only if no workflow is held up by something missing.

    ``absent`` are keys of models that the plan counts on and that were not found afterwards.
    """
    failed_nodes = dict(outcomes.failed_nodes)
    failed_models = {**dict.fromkeys(absent, _VANISHED), **dict(outcomes.failed_models)}
    here = {
        action: [d for d in plan.models_for(action) if d.key not in failed_models]
        for action in _COUNTED
    }
    installed = [d for d in plan.nodes_for("install") if d.node.name not in failed_nodes]
    return ImportResult(
        success=not failed_nodes and not any(issue.blocking for issue in issues),
        environment_name=plan.environment,
        plan=plan,
        nodes_installed=len(installed),
        nodes_failed=outcomes.failed_nodes,
        nodes_skipped=tuple(decision.node.name for decision in plan.nodes_for("skip")),
        models_downloaded=len(here["download"]),
        models_unpacked=len(here["unpack"]),
        models_substituted=len(here["substitute"]),
        models_skipped=len(plan.models_for("skip")),
        models_found_local=len(here["existing"]),
        models_failed=tuple(
            (plan.aggregates[key].model.filename, reason) for key, reason in failed_models.items()
        ),
        workflows=tuple(sorted(plan.manifest.workflows)),
        issues=issues,
        downloaded_size=_size(plan, here["download"]),
        unpacked_size=_size(plan, here["unpack"]),
        local_size=_size(plan, here["existing"]),
        node_counts=_by_source(installed),
    )


def _size(plan: ImportPlan, decisions: Iterable[ModelAcquisitionDecision]) -> int:
    return sum(plan.aggregates[decision.key].total_size for decision in decisions)


def _by_source(installed: list[NodeAcquisitionDecision]) -> dict[str, int]:
    counts = {"development": 0, "registry": 0, "git": 0}
    for decision in installed:
        counts[decision.node.source] += 1
    return counts


def next_steps(result: ImportResult) -> tuple[str, ...]:
    """Return commands that can be pasted: what fixes the issues, or how to start.

    Names and addresses come from the bundle, so a shell must not read anything into them.
    """
    environment = quote(result.environment_name)
    if result.success:
        return (f"comfydock use {environment}", f"comfydock -e {environment} run")
    remedies = _remedies(result)
    steps = [
        f"comfydock -e {environment} node add {found.words}" for found in remedies if found.words
    ]
    open_issues = [issue for issue in result.issues if issue.blocking]
    to_see = any(issue.kind in _SEEN_IN_A_RUN for issue in open_issues)
    # A class is missing because its pack is: without a way to that, asking again is none.
    asked = ("model", "node") if steps or not remedies else ("model",)
    to_resolve = dict.fromkeys(i.workflow for i in open_issues if i.kind in asked)
    steps += [f"comfydock -e {environment} workflow resolve {quote(name)}" for name in to_resolve]
    return (*steps, f"comfydock -e {environment} run") if to_see else tuple(steps)


def open_ends(result: ImportResult) -> tuple[str, ...]:
    """Say in a sentence each what no command mends, and where one gives something else."""
    files = dict.fromkeys(i.workflow for i in result.issues if i.kind == "file" and i.blocking)
    return (
        *(found.remark for found in _remedies(result) if found.remark),
        *(f"workflow `{name}`: ask the sender for its file" for name in files),
    )


def _remedies(result: ImportResult) -> list[Remedy]:
    nodes = {d.node.name: d for d in result.plan.nodes} if result.plan else {}
    refused = _refused(result.plan) if result.plan else frozenset()
    reasons = {**dict(result.nodes_failed), **dict.fromkeys(result.nodes_skipped, "")}
    return [
        remedy(nodes[name], reason, refused=name in refused)
        for name, reason in reasons.items()
        if name in nodes and nodes[name].source != "bundle"
    ]


def _refused(plan: ImportPlan) -> frozenset[str]:
    """Return the nodes whose version the registry was found not to give, among other names."""
    return frozenset(problem.subject for problem in plan.preflight.problems)
