"""Decisions in words -> choices: one way for a plan file, for flags and for an edited plan (pure).

A plan that is followed decides about everything; flags decide about what they name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from comfydock_core.domain.acquisition import ModelAcquisitionDecision, ModelAggregate, NodeAction
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.plan_text import (
    MODEL_WORDS,
    NODE_WORDS,
    PlanLine,
    keys_of_name,
    missing,
    model_names,
    parse_plan,
    quoted,
    wrong,
)
from comfydock_core.errors import UsageError
from comfydock_core.importing.plan import PlanChoices, answered
from comfydock_core.resolution.substitutes import named_models


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What decisions are held against: the bundle, what of it is here, and all models here."""

    summary: ImportSummary
    local: LocalModels
    library: Sequence[ModelWithLocation]


def follow_plan(text: str, ground: Ground, choices: PlanChoices) -> PlanChoices:
    """Return the choices with everything that a plan's text decides.

    PlanTextError where it was made for another bundle, where a line cannot be followed, or where
    it leaves something open.
    """
    plan = parse_plan(text)
    if plan.bundle and plan.bundle != ground.summary.digest:
        raise wrong(
            "the plan",
            "it was made for another bundle, or for another version of this one",
            "a plan that was saved with `--save-plan` for this bundle",
        )
    followed = apply_lines(plan.lines, ground, replace(choices, nodes={}, decided={}))
    if left := list(_left_open(ground.summary, followed)):
        raise missing(left)
    return followed


def _left_open(summary: ImportSummary, choices: PlanChoices) -> Iterable[str]:
    for _, node in sorted(summary.manifest.nodes.items()):
        if node.name not in choices.nodes:
            yield quoted(node.name)
    names = model_names(summary.aggregates)
    for key, aggregate in summary.aggregates.items():
        answers = choices.decided.get(key, ())
        plain = [answer for answer in answers if answer.action != "substitute"]
        rest = _uncovered(aggregate, answers)
        if rest and not plain:
            yield quoted(names[key]) + (f" in {', '.join(rest)}" if answers else "")


def _uncovered(aggregate: ModelAggregate, answers: Iterable[ModelAcquisitionDecision]) -> list[str]:
    """Return the workflows for which nothing is substituted."""
    covered: set[str] = set()
    for answer in answers:
        if answer.action == "substitute":
            covered.update(answer.workflows or aggregate.workflows)
    return [name for name in aggregate.workflows if name not in covered]


def apply_lines(lines: Iterable[PlanLine], ground: Ground, choices: PlanChoices) -> PlanChoices:
    """Return the choices with what ``lines`` decide; PlanTextError names the line that is wrong."""
    nodes: dict[str, NodeAction] = dict(choices.nodes)
    said: dict[str, list[ModelAcquisitionDecision]] = {}
    seen: set[str] = set()
    for line in lines:
        if action := NODE_WORDS.get(line.word):
            _check_node(line, ground.summary, seen)
            nodes[line.name] = action
        else:
            key = _key(line, ground.summary)
            answers = said.setdefault(key, [])
            answer = _answer(line, key, ground)
            _check_again(line, ground.summary.aggregates[key], answers, answer)
            answers.append(answer)
    decided = {key: tuple(answers) for key, answers in said.items()}
    return replace(choices, nodes=nodes, decided={**choices.decided, **decided})


def _check_node(line: PlanLine, summary: ImportSummary, seen: set[str]) -> None:
    known = sorted(node.name for node in summary.manifest.nodes.values())
    if line.name not in known:
        listed = ", ".join(map(quoted, known))
        raise wrong(line.place, f"the bundle has no node `{line.name}`", listed or "no nodes")
    if line.name in seen:
        raise wrong(line.place, f"`{line.name}` was decided before", "one line for each node")
    seen.add(line.name)


def _key(line: PlanLine, summary: ImportSummary) -> str:
    keys = keys_of_name(line.name, summary.aggregates)
    if len(keys) == 1:
        return keys[0]
    names = model_names(summary.aggregates)
    if keys:
        listed = " or ".join(quoted(names[key]) for key in keys)
        raise wrong(line.place, f"{len(keys)} models are called `{line.name}`", listed)
    listed = ", ".join(quoted(name) for name in names.values())
    raise wrong(line.place, f"the bundle has no model `{line.name}`", listed or "no models")


def _answer(line: PlanLine, key: str, ground: Ground) -> ModelAcquisitionDecision:
    aggregate = ground.summary.aggregates[key]
    substitute = _named(line, ground.library) if line.word == "substitute" else None
    answer = ModelAcquisitionDecision(
        key=key,
        model=aggregate.model,
        action=MODEL_WORDS[line.word],
        source_url=line.value if line.word == "download" else "",
        substitute=substitute,
        workflows=line.workflows,
    )
    try:
        return answered(aggregate, ground.local, answer, inside=key in ground.summary.inside)
    except UsageError as error:
        raise wrong(line.place, error.sentence, f"something else: {error.hint}") from error


def _named(line: PlanLine, library: Sequence[ModelWithLocation]) -> ModelWithLocation:
    found = named_models(line.value, library)
    expected = "the path of a model below a models directory (`comfydock model list`)"
    if not found:
        raise wrong(line.place, f"no model here is called `{line.value}`", expected)
    if len(found) > 1:
        paths = " or ".join(quoted(model.path) for model in found)
        raise wrong(line.place, f"{len(found)} models here are called `{line.value}`", paths)
    return found[0]


def _check_again(
    line: PlanLine,
    aggregate: ModelAggregate,
    before: Sequence[ModelAcquisitionDecision],
    answer: ModelAcquisitionDecision,
) -> None:
    """Refuse a second decision for the same workflows."""
    free = set(_uncovered(aggregate, before))
    plain = any(each.action != "substitute" for each in before)
    if answer.action == "substitute":
        mine = set(answer.workflows or aggregate.workflows)
        twice = not mine <= free or (plain and mine == free)
    else:
        twice = plain or not free
    if twice:
        raise wrong(line.place, f"`{line.name}` was decided before", "one line for each model")
