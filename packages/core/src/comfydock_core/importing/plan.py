"""Summary + local models + choices -> ImportPlan (pure): decided once, before any download."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from comfydock_core.domain.acquisition import (
    CodeOrigin,
    ImportPlan,
    ModelAcquisitionDecision,
    ModelAction,
    ModelAggregate,
    NodeAcquisitionDecision,
    NodeAction,
)
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.manifest import ManifestModel, ManifestWorkflowModel, NodeInfo
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.names import FOREIGN_MODEL_KEY, model_path_problem
from comfydock_core.domain.source_urls import typed_url_problem
from comfydock_core.domain.untrusted import redact_secrets
from comfydock_core.errors import AnswerNeededError, UsageError
from comfydock_core.interaction import ModelStrategy
from comfydock_core.resolution.substitutes import can_stand_in

_WANTED: dict[ModelStrategy, tuple[Criticality, ...]] = {
    "all": ("required", "flexible", "optional"),
    "flexible": ("required", "flexible"),
    "required": ("required",),
    "skip": (),
}
_FORGOTTEN = "the bundle has no hash of the original: it cannot be put back later"
_NODE_KINDS = ("registry", "git", "development")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanChoices:
    """What the user chose: for the whole import, and for single nodes and models.

    ``nodes`` says by name what becomes of a node, ``decided`` by key what becomes of a model: at
    most one decision for all of its workflows and substitutions for some of them.
    ``refused`` are keys of models whose look-alikes here are not taken for them.
    """

    models: ModelStrategy = "all"
    skip_nodes: bool = False
    nodes: Mapping[str, NodeAction] = field(default_factory=dict)
    decided: Mapping[str, tuple[ModelAcquisitionDecision, ...]] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
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
            decision
            for aggregate in by_criticality(summary.aggregates.values())
            for decision in decide_model(
                aggregate, local, choices, inside=aggregate.key in summary.inside
            )
        ),
        code=summary.code,
        torch_backend=choices.torch_backend,
        build_allowed=choices.build_allowed,
        warnings=summary.warnings,
        dropped=summary.dropped,
    )


def by_criticality(aggregates: Iterable[ModelAggregate]) -> list[ModelAggregate]:
    """Order models: required ones first, then by name."""
    order = _WANTED["all"]
    return sorted(aggregates, key=lambda a: (order.index(a.criticality), a.model.filename, a.key))


def _node_decisions(
    summary: ImportSummary, choices: PlanChoices
) -> Iterable[NodeAcquisitionDecision]:
    for _, node in sorted(summary.manifest.nodes.items()):
        if node.name in summary.absent:
            yield _absent(node)
            continue
        skip = choices.skip_nodes and node.source != "development"
        action = choices.nodes.get(node.name, "skip" if skip else "install")
        yield NodeAcquisitionDecision(node=node, action=action, source=node_source(node))


def _absent(node: NodeInfo) -> NodeAcquisitionDecision:
    """Skip a development node whose source is not in the bundle, whatever was chosen."""
    known = node.repository if "://" in node.repository else ""
    ask = f"{known} may have it" if known else "ask the sender for its folder"
    return NodeAcquisitionDecision(
        node=node,
        action="skip",
        source=known,
        reason=f"its source is not in the bundle; {ask}",
    )


def node_source(node: NodeInfo) -> str:
    """Say where a node comes from: the registry's id and version, an address, or the bundle."""
    if node.source == "registry":
        return f"{node.registry_id or node.name}@{node.version}"
    return f"{node.repository}@{node.version}" if node.source == "git" else "bundle"


def decide_model(
    aggregate: ModelAggregate, local: LocalModels, choices: PlanChoices, *, inside: bool = False
) -> tuple[ModelAcquisitionDecision, ...]:
    """Decide for one model, which the bundle may hold (``inside``).

    Where substitutions are for some workflows only, what is decided for the others comes first.
    """
    answers = choices.decided.get(aggregate.key, ())
    substitutes = tuple(
        answered(aggregate, local, answer, inside=inside)
        for answer in answers
        if answer.action == "substitute"
    )
    if any(not substitute.workflows for substitute in substitutes):
        return substitutes[:1]
    covered = {name for substitute in substitutes for name in substitute.workflows}
    rest = tuple(name for name in aggregate.workflows if name not in covered)
    if substitutes and not rest:
        return substitutes
    plain = [answer for answer in answers if answer.action != "substitute"]
    if plain:
        decision = answered(aggregate, local, plain[0], inside=inside)
    else:
        decision = _usual(aggregate, local, choices, inside=inside)
    return (replace(decision, workflows=rest if substitutes else ()), *substitutes)


def _usual(
    aggregate: ModelAggregate, local: LocalModels, choices: PlanChoices, *, inside: bool
) -> ModelAcquisitionDecision:
    """Use what is here, and fetch what is wanted and can be had.

    What the bundle holds costs no download, so it is taken whichever downloads were chosen, but
    for none at all; it is also better than a file that only looks alike.
    """
    target = target_path(aggregate.model, aggregate.content)
    possible = not model_path_problem(target)
    looks_alike = aggregate.key in local.probable and aggregate.key not in choices.refused
    if aggregate.key in local.verified or (looks_alike and not inside):
        return _existing(aggregate, local)
    if inside and choices.models != "skip" and possible:
        return _decision(aggregate, "unpack", target_path=target)
    wanted = aggregate.criticality in _WANTED[choices.models]
    if wanted and aggregate.sources and possible:
        return _decision(aggregate, "download", source_url=aggregate.sources[0], target_path=target)
    return _skipped(aggregate, at_hand=inside)


def answered(
    aggregate: ModelAggregate,
    local: LocalModels,
    answer: ModelAcquisitionDecision,
    *,
    inside: bool = False,
) -> ModelAcquisitionDecision:
    """Complete what somebody decided about one model; UsageError where it cannot be done.

    What is here by its digest is not fetched again, whatever was said.
    """
    if answer.action == "substitute":
        return _substitute(aggregate, answer)
    if answer.action == "skip":
        return _skipped(aggregate, at_hand=inside or aggregate.key in local.known)
    if aggregate.key in local.verified:
        return _existing(aggregate, local)
    if answer.action != "existing":
        return _brought(aggregate, answer, inside=inside)
    if aggregate.key in local.probable:
        return _existing(aggregate, local)
    name = aggregate.model.filename
    raise _impossible(f"no file of this machine is `{name}`", name, "download or skip it")


def _brought(
    aggregate: ModelAggregate, answer: ModelAcquisitionDecision, *, inside: bool
) -> ModelAcquisitionDecision:
    """Complete the decision to take a model from an address or from the bundle."""
    name = aggregate.model.filename
    target = target_path(aggregate.model, aggregate.content)
    if problem := model_path_problem(target):
        raise _impossible(f"the path of `{name}` {problem}", name, "skip it")
    if answer.action == "unpack":
        if not inside:
            raise _impossible(f"the bundle does not hold `{name}`", name, "download or skip it")
        return _decision(aggregate, "unpack", target_path=target)
    url = answer.source_url or next(iter(aggregate.sources), "")
    if not url:
        raise _impossible(f"nobody knows an address of `{name}`", name, "give one, or skip it")
    if url not in aggregate.sources and (problem := typed_url_problem(url)):
        shown = redact_secrets(url)
        raise _impossible(f"`{shown}` {problem}", shown, "give another address")
    return _decision(aggregate, "download", source_url=url, target_path=target)


def _impossible(sentence: str, subject: str, hint: str) -> UsageError:
    return UsageError(sentence, hint=hint, subject=subject)


def _substitute(
    aggregate: ModelAggregate, answer: ModelAcquisitionDecision
) -> ModelAcquisitionDecision:
    name, chosen = aggregate.model.filename, answer.substitute
    if chosen is None:
        raise _impossible(f"nothing is named instead of `{name}`", name, "name a local model")
    if not can_stand_in(aggregate, chosen):
        folder = aggregate.model.category
        raise _impossible(
            f"`{chosen.relative_path}` lies where the loader of `{name}` does not look",
            chosen.relative_path,
            f"take a model from the folder `{folder}`" if folder else "skip it",
        )
    limits = frozenset(answer.workflows)
    if others := sorted(limits.difference(aggregate.workflows)):
        raise _impossible(
            f"`{others[0]}` is no workflow that uses `{name}`",
            others[0],
            f"name some of: {', '.join(aggregate.workflows)}",
        )
    chosen_ones = tuple(name for name in aggregate.workflows if name in limits)
    limited = () if len(chosen_ones) == len(aggregate.workflows) else chosen_ones
    reason = "" if aggregate.model.hash else _FORGOTTEN
    decision = _decision(aggregate, "substitute", substitute=chosen, reason=reason)
    return replace(decision, workflows=limited)


def _existing(aggregate: ModelAggregate, local: LocalModels) -> ModelAcquisitionDecision:
    target = target_path(aggregate.model, aggregate.content)
    here = local.verified.get(aggregate.key)
    return _decision(
        aggregate,
        "existing",
        substitute=here or local.probable[aggregate.key],
        target_path="" if model_path_problem(target) else target,
        reason="" if here else likeness(aggregate),
    )


def likeness(aggregate: ModelAggregate) -> str:
    """Say what of a model its look-alike on this machine has, and why that is no proof."""
    if FOREIGN_MODEL_KEY.fullmatch(aggregate.key):
        return "same size and short hash; the bundle has no full digest"
    return "it looks the same; the bundle has no digest to compare"


def _skipped(aggregate: ModelAggregate, *, at_hand: bool) -> ModelAcquisitionDecision:
    """Skip a model, with what kept it from coming where that was nobody's choice.

    One that is ``at_hand``, here or in the bundle, needs no source.
    """
    problem = model_path_problem(target_path(aggregate.model, aggregate.content))
    reason = "not chosen"
    if not (aggregate.sources or at_hand):
        reason = "no source known"
    elif problem:
        reason = f"its path {problem}"
    return _decision(aggregate, "skip", reason=reason)


def target_path(model: ManifestWorkflowModel, content: ManifestModel | None) -> str:
    """Return where a model belongs, POSIX and below a models directory."""
    known = content.relative_path if content else ""
    folder = model.category or "checkpoints"
    return known or model.relative_path or f"{folder}/{model.filename}"


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


def require_consent(plan: ImportPlan, agreed: bool, command: str) -> None:
    """Raise AnswerNeededError for code that nobody vouches for, unless it was ``agreed`` to."""
    unvouched = consent_needed(plan)
    if unvouched and not agreed:
        raise AnswerNeededError(
            f"this bundle brings code that nobody vouches for: {', '.join(unvouched)}",
            hint=f"look at it, then {command} with --trust-code",
            subject=unvouched[0],
        )


def consent_needed(plan: ImportPlan) -> tuple[str, ...]:
    """Return the names of code that only a person or ``--trust-code`` can agree to."""
    return tuple(f"{each.kind} {each.name}" for each in brought_code(plan) if not each.pinned)


def brought_code(plan: ImportPlan) -> tuple[CodeOrigin, ...]:
    """Return the code that a plan brings: not that of nodes and models which it leaves out."""
    skipped = {decision.node.name for decision in plan.nodes_for("skip")}
    brought = (*plan.models_for("download"), *plan.models_for("unpack"))
    fetched = {decision.model.filename for decision in brought}
    return tuple(
        origin
        for origin in plan.code
        if (origin.kind not in _NODE_KINDS or origin.name not in skipped)
        and (origin.kind != "pickle" or origin.name in fetched)
    )
