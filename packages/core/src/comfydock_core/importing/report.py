"""Outcomes + issues -> ImportResult and the next steps that really fix what is open (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote

from comfydock_core.domain.acquisition import (
    ImportPlan,
    ImportResult,
    ModelAcquisitionDecision,
    NodeAcquisitionDecision,
    WorkflowIssue,
)

_SEEN_IN_A_RUN = ("pack", "comfyui")
"""Issues with code that is here and fails: ComfyUI's own words are the next step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """What execution did: node name or model key -> why it failed; everything else went well."""

    failed_nodes: tuple[tuple[str, str], ...] = ()
    failed_models: tuple[tuple[str, str], ...] = ()


def make_result(
    plan: ImportPlan, outcomes: Outcomes, issues: tuple[WorkflowIssue, ...]
) -> ImportResult:
    """Count what happened; success only if no workflow is held up by something missing."""
    failed_nodes = dict(outcomes.failed_nodes)
    failed_models = dict(outcomes.failed_models)
    downloads = [d for d in plan.models_for("download") if d.key not in failed_models]
    unpacked = [d for d in plan.models_for("unpack") if d.key not in failed_models]
    existing = plan.models_for("existing")
    installed = [d for d in plan.nodes_for("install") if d.node.name not in failed_nodes]
    return ImportResult(
        success=not failed_nodes and not any(issue.blocking for issue in issues),
        environment_name=plan.environment,
        plan=plan,
        nodes_installed=len(installed),
        nodes_failed=outcomes.failed_nodes,
        nodes_skipped=tuple(decision.node.name for decision in plan.nodes_for("skip")),
        models_downloaded=len(downloads),
        models_unpacked=len(unpacked),
        models_substituted=len(plan.models_for("substitute")),
        models_skipped=len(plan.models_for("skip")),
        models_found_local=len(existing),
        models_failed=tuple(
            (plan.aggregates[key].model.filename, reason) for key, reason in failed_models.items()
        ),
        workflows=tuple(sorted(plan.manifest.workflows)),
        issues=issues,
        downloaded_size=_size(plan, downloads),
        unpacked_size=_size(plan, unpacked),
        local_size=_size(plan, existing),
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
    environment = result.environment_name
    if result.success:
        return (f"comfydock use {environment}", f"comfydock -e {environment} run")
    nodes = {d.node.name: d for d in result.plan.nodes} if result.plan else {}
    refused = _refused(result.plan) if result.plan else frozenset()
    broken = [name for name, _ in result.nodes_failed] + list(result.nodes_skipped)
    steps = [
        f"comfydock -e {environment} node add {_wanted(nodes[name], name in refused)}"
        for name in broken
        if name in nodes and nodes[name].source != "bundle"
    ]
    open_issues = [issue for issue in result.issues if issue.blocking]
    to_see = any(issue.kind in _SEEN_IN_A_RUN for issue in open_issues)
    to_resolve = dict.fromkeys(i.workflow for i in open_issues if i.kind not in _SEEN_IN_A_RUN)
    steps += [f"comfydock -e {environment} workflow resolve {quote(name)}" for name in to_resolve]
    return (*steps, f"comfydock -e {environment} run") if to_see else tuple(steps)


def _refused(plan: ImportPlan) -> frozenset[str]:
    """Return the nodes whose version the registry was found not to give, among other names."""
    return frozenset(problem.subject for problem in plan.preflight.problems)


def _wanted(decision: NodeAcquisitionDecision, refused: bool) -> str:
    """Say what `node add` adds: what the sender had only in a folder, out of such a folder.

    The registry's newest version stands in for one that was ``refused``.
    """
    if refused and decision.node.source == "registry":
        return quote(decision.node.registry_id or decision.node.name)
    return (
        quote(decision.source) if decision.source else f"--dev {quote(f'./{decision.node.name}')}"
    )
