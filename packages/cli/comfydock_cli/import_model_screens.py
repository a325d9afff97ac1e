"""What an import shows of its models: the overview, the list, one model in full (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from comfydock_core.domain.acquisition import ModelAggregate
from comfydock_core.domain.criticality import CRITICALITIES, MEANING, Criticality
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.untrusted import escape_part
from comfydock_core.importing.plan import likeness
from comfydock_core.interaction import ImportModelContext
from comfydock_core.resolution.substitutes import Substitute

from comfydock_cli.import_screens import sizes
from comfydock_cli.measures import counted, size_text


def overview_lines(summary: ImportSummary, local: LocalModels) -> list[str]:
    """Draw the model overview: how critical, how large, what is here, what must be fetched."""
    everything = list(summary.aggregates.values())
    inside = [a for a in everything if a.key in summary.inside - local.verified.keys()]
    here = [a for a in everything if a.key in local.known and a not in inside]
    missing = [a for a in everything if a not in here and a not in inside]
    lines = [
        "📦 Model Acquisition Overview:",
        "",
        f"{counted(len(everything), 'unique model')} required ({sizes(everything)} total):",
    ]
    for criticality in CRITICALITIES:
        some = [a for a in everything if a.criticality == criticality]
        if some:
            title = criticality.capitalize()
            lines.append(f"  • {title}: {counted(len(some), 'model')} ({sizes(some)})")
    return [
        *lines,
        "",
        "Local availability:",
        f"  ✓ {counted(len(here), 'model')} found locally ({sizes(here)})",
        *(
            [f"  📦 {counted(len(inside), 'model')} in the bundle ({sizes(inside)})"]
            if inside
            else []
        ),
        f"  ⬇ {counted(len(missing), 'model')} {_need(missing)} acquisition ({sizes(missing)})",
        "",
    ]


def _need(some: Sequence[ModelAggregate]) -> str:
    return "needs" if len(some) == 1 else "need"


def strategy_lines(summary: ImportSummary, local: LocalModels) -> list[str]:
    """Draw the choices of the overview with what each would download."""
    missing = [
        a
        for a in summary.aggregates.values()
        if a.sources and a.key not in local.known | summary.inside
    ]
    required = [a for a in missing if a.criticality == "required"]
    flexible = [a for a in missing if a.criticality != "optional"]
    return [
        "[v] View detailed list",
        "",
        "Choose acquisition strategy:",
        f"  [a] Download ALL available ({sizes(missing)})",
        f"  [r] Download REQUIRED only ({sizes(required)})",
        f"  [f] Download REQUIRED + FLEXIBLE ({sizes(flexible)})",
        "  [c] Custom (decide for each model)",
        "  [q] Quit import",
    ]


def list_lines(aggregates: Iterable[ModelAggregate]) -> list[str]:
    """Draw every model by how critical it is, with the workflows that use it."""
    everything = sorted(aggregates, key=lambda aggregate: (aggregate.model.filename, aggregate.key))
    lines: list[str] = []
    for criticality in CRITICALITIES:
        some = [aggregate for aggregate in everything if aggregate.criticality == criticality]
        if some:
            title = f"{criticality.capitalize()} ({counted(len(some), 'model')}, {sizes(some)}):"
            lines += ["", title, *(line for each in some for line in _listed(each))]
    return [*lines, ""]


def _listed(aggregate: ModelAggregate) -> tuple[str, str]:
    facts = [
        escape_part(aggregate.model.filename),
        _size(aggregate),
        escape_part(aggregate.model.category or "unknown folder"),
    ]
    return (f"  • {' - '.join(facts)}", f"    Used by: {_users(aggregate.workflows)}")


def _size(aggregate: ModelAggregate) -> str:
    return size_text(aggregate.total_size) if aggregate.total_size else "unknown size"


def _users(workflows: Iterable[str]) -> str:
    return ", ".join(escape_part(f"{name}.json") for name in workflows)


def model_lines(context: ImportModelContext, criticality: Criticality) -> list[str]:
    """Draw one model with everything that a decision about it needs."""
    aggregate = context.aggregate
    source = next(iter(aggregate.sources), "")
    return [
        "",
        f"📦 {escape_part(aggregate.model.filename)} ({_size(aggregate)})",
        f"   Category: {escape_part(aggregate.model.category or 'unknown')}",
        f"   Criticality: {criticality.upper()} - {MEANING[criticality]}",
        f"   Used by: {_users(aggregate.workflows)}",
        f"   Source: {escape_part(source) if source else 'None (must provide or substitute)'}",
        "",
    ]


def lookalike_lines(aggregate: ModelAggregate, here: ModelWithLocation) -> list[str]:
    """Draw the question about a file that only looks like a model of the bundle."""
    return [
        "",
        f"📦 {escape_part(aggregate.model.filename)} ({_size(aggregate)})",
        f"   {escape_part(here.path)}: {likeness(aggregate)}",
        "   Existing model with same hash found. Use existing or download?",
        "   [Y] Use existing  [a] Use all that look the same  [d] Download",
    ]


def substitute_lines(offered: Sequence[Substitute]) -> list[str]:
    """Draw the files that could be taken instead, with the reasons."""
    lines = [
        f"   [{number}] {escape_part(each.model.relative_path)} "
        f"({size_text(each.model.size)}; {escape_part(each.reason)})"
        for number, each in enumerate(offered, start=1)
    ]
    return [
        *(lines or ["   No similar model is here"]),
        "",
        "   [f] Search  [b] Back",
    ]
