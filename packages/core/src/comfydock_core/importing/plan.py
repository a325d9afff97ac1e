"""Summary + local models + choices -> ImportPlan (pure): decided once, before any download."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from comfydock_core.domain.acquisition import (
    ImportPlan,
    ModelAcquisitionDecision,
    ModelAction,
    ModelAggregate,
    NodeAcquisitionDecision,
)
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.names import model_path_problem
from comfydock_core.interaction import ModelStrategy

_WANTED: dict[ModelStrategy, tuple[Criticality, ...]] = {
    "all": ("required", "flexible", "optional"),
    "flexible": ("required", "flexible"),
    "required": ("required",),
    "skip": (),
}
_NODE_KINDS = ("registry", "git", "development")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanChoices:
    """What the user chose for the whole import."""

    models: ModelStrategy = "all"
    skip_nodes: bool = False
    torch_backend: str = "auto"
    build_allowed: bool = False


def make_plan(summary: ImportSummary, local: LocalModels, choices: PlanChoices) -> ImportPlan:
    """Decide for every node and every model of the bundle."""
    return ImportPlan(
        environment=summary.environment,
        bundle=summary.digest,
        manifest=summary.manifest,
        aggregates=summary.aggregates,
        nodes=tuple(_node_decisions(summary, choices)),
        models=tuple(
            decide_model(aggregate, local, choices.models)
            for aggregate in by_criticality(summary.aggregates.values())
        ),
        code=summary.code,
        torch_backend=choices.torch_backend,
        build_allowed=choices.build_allowed,
        warnings=summary.warnings,
    )


def by_criticality(aggregates: Iterable[ModelAggregate]) -> list[ModelAggregate]:
    """Order models: required ones first, then by name."""
    order = _WANTED["all"]
    return sorted(aggregates, key=lambda a: (order.index(a.criticality), a.model.filename, a.key))


def _node_decisions(
    summary: ImportSummary, choices: PlanChoices
) -> Iterable[NodeAcquisitionDecision]:
    for _, node in sorted(summary.manifest.nodes.items()):
        skip = choices.skip_nodes and node.source != "development"
        yield NodeAcquisitionDecision(
            node=node, action="skip" if skip else "install", source=node_source(node)
        )


def node_source(node: NodeInfo) -> str:
    """Say where a node comes from: the registry's id and version, an address, or the bundle."""
    if node.source == "registry":
        return f"{node.registry_id or node.name}@{node.version}"
    return f"{node.repository}@{node.version}" if node.source == "git" else "bundle"


def decide_model(
    aggregate: ModelAggregate, local: LocalModels, strategy: ModelStrategy
) -> ModelAcquisitionDecision:
    """Decide for one model: what is here is used, what is wanted and can be had is fetched."""
    target = _target(aggregate)
    here = local.verified.get(aggregate.key)
    probable = local.probable.get(aggregate.key)
    if here or probable:
        return _decision(
            aggregate,
            "existing",
            substitute=here or probable,
            target_path="" if model_path_problem(target) else target,
            reason="" if here else "same name and size; the bundle has no digest to compare",
        )
    if aggregate.criticality not in _WANTED[strategy]:
        return _decision(aggregate, "skip", reason="not chosen")
    if not aggregate.sources:
        return _decision(aggregate, "skip", reason="no source known")
    if problem := model_path_problem(target):
        return _decision(aggregate, "skip", reason=f"its path {problem}")
    return _decision(aggregate, "download", source_url=aggregate.sources[0], target_path=target)


def _target(aggregate: ModelAggregate) -> str:
    known = aggregate.content.relative_path if aggregate.content else ""
    folder = aggregate.model.category or "checkpoints"
    return known or aggregate.model.relative_path or f"{folder}/{aggregate.model.filename}"


def _decision(
    aggregate: ModelAggregate,
    action: ModelAction,
    *,
    reason: str = "",
    source_url: str = "",
    target_path: str = "",
    substitute: ModelWithLocation | None = None,
) -> ModelAcquisitionDecision:
    return ModelAcquisitionDecision(
        key=aggregate.key,
        model=aggregate.model,
        action=action,
        reason=reason,
        source_url=source_url,
        target_path=target_path,
        substitute=substitute,
    )


def consent_needed(plan: ImportPlan) -> tuple[str, ...]:
    """Return the names of code that only a person or ``--trust-code`` can agree to."""
    skipped = {decision.node.name for decision in plan.nodes_for("skip")}
    fetched = {decision.model.filename for decision in plan.models_for("download")}
    return tuple(
        f"{origin.kind} {origin.name}"
        for origin in plan.code
        if not origin.pinned
        and (origin.kind not in _NODE_KINDS or origin.name not in skipped)
        and (origin.kind != "pickle" or origin.name in fetched)
    )
