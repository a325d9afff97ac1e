"""What an import shows of its plan, for people and for programs (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision
from comfydock_core.domain.criticality import CRITICALITIES
from comfydock_core.domain.download_time import download_time, source_host
from comfydock_core.domain.untrusted import escape_part
from comfydock_core.importing.plan import brought_code

from comfydock_cli.import_machine_screens import machine_lines, problem_lines
from comfydock_cli.import_node_screens import NODE_SOURCES, planned_node_lines
from comfydock_cli.import_screens import SHOWN, WHAT_RUNS, capped, code_line, sizes
from comfydock_cli.measures import about_text, counted, size_text

_ROWS, _COLUMNS = 30, 80
"""A plan that fits on a small terminal is seen whole above the question."""
_NAMED, _LONGEST_NAME = 5, 40
_TIME = "Estimated time for the models"
_LEGEND = "⚠ marks code that nobody vouches for: look at it before you go on"


def plan_lines(plan: ImportPlan, most: int = SHOWN) -> list[str]:
    """Draw the plan: what it meets here, what it does, and the code that it brings.

    Of each list ``most`` lines are shown, and how many there are besides.
    """
    code = brought_code(plan)
    others = [f"  {code_line(origin)}" for origin in code if origin.kind not in NODE_SOURCES]
    unvouched = any(not origin.pinned for origin in code)
    return [
        "📋 Acquisition Plan Summary:",
        "",
        f"Environment: {plan.environment}",
        *(machine_lines(plan) or [""]),
        "Nodes:",
        *planned_node_lines(plan, most),
        "",
        _models_title(plan),
        *_model_lines(plan, most),
        "",
        *(["Other code:", *capped(others, most)] if others else []),
        *([_LEGEND] if unvouched else []),
        *([""] if others or unvouched else []),
        *capped([f"⚠ {escape_part(warning)}" for warning in plan.warnings], most),
        *([_dropped(plan)] if plan.dropped else []),
        *problem_lines(plan.preflight, most),
        _total_download(plan),
        *_estimate(plan),
    ]


def consent_lines(plan: ImportPlan, shown: Sequence[str]) -> list[str]:
    """Repeat in one line what nobody vouches for, where ``shown`` has moved it off the screen."""
    rows = sum(len(line) // _COLUMNS + 1 for line in shown)
    kinds: dict[str, list[str]] = {}
    for origin in brought_code(plan):
        if not origin.pinned:
            kinds.setdefault(origin.kind, []).append(_short(escape_part(origin.name)))
    if rows <= _ROWS or not kinds:
        return []
    listed = (f"{WHAT_RUNS.get(kind, kind)} {_few(names)}" for kind, names in sorted(kinds.items()))
    return [f"⚠ Nobody vouches for: {'; '.join(listed)}"]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _dropped(plan: ImportPlan) -> str:
    count = counted(len(plan.dropped), "part")
    return f"⚠ Left out or changed of what the other tool wrote: {count} (listed above)"


def _models_title(plan: ImportPlan) -> str:
    everything = plan.aggregates.values()
    if not everything:
        return "Models:"
    counts = Counter(aggregate.criticality for aggregate in everything)
    listed = ", ".join(f"{counts[each]} {each}" for each in CRITICALITIES if counts[each])
    return f"Models: {len(everything)} ({sizes(everything)}; {listed})"


def _total_download(plan: ImportPlan) -> str:
    downloads = plan.models_for("download")
    unknown = sum(plan.aggregates[decision.key].total_size == 0 for decision in downloads)
    more = f", and {counted(unknown, 'model')} of unknown size" if unknown else ""
    return f"Models to download: ~{size_text(plan.download_size)}{more}"


def _estimate(plan: ImportPlan) -> list[str]:
    found = download_time(plan)
    if found is None:
        return []
    rest = _in_a_line(found.unmeasured)
    if not found.speeds:
        return [f"{_TIME}: unknown, nothing was downloaded from {rest} here before"]
    hosts = _in_a_line(found.speeds)
    speed = size_text(int(next(iter(found.speeds.values()))))
    measured = f"the {speed}/s" if len(found.speeds) == 1 else "the speeds"
    later = f"; more for {rest}, never measured here" if rest else ""
    time = about_text(found.seconds)
    return [f"{_TIME}: {time} at {measured} measured from {hosts}{later}"]


def _in_a_line(names: Iterable[str]) -> str:
    return ", ".join(capped([escape_part(name) for name in names], indent=""))


def _model_lines(plan: ImportPlan, most: int) -> list[str]:
    lines: list[str] = []

    def listed(decisions: Sequence[ModelAcquisitionDecision]) -> list[str]:
        return capped([_planned(plan, decision) for decision in decisions], most)

    downloads, skips = plan.models_for("download"), plan.models_for("skip")
    replaced = plan.models_for("substitute")
    existing, inside = plan.models_for("existing"), plan.models_for("unpack")
    if inside:
        title = f"{counted(len(inside), 'model')} ({_total(plan, inside)})"
        lines += [f"  📦 Unpack from the bundle: {title}", *listed(inside)]
    if downloads:
        title = f"{counted(len(downloads), 'model')} ({_total(plan, downloads)})"
        lines += [f"  ⬇ Download: {title}", *listed(downloads)]
    if replaced:
        lines.append(f"  ↔ Substitute: {counted(len(replaced), 'model')}")
        lines += capped([_substituted(decision) for decision in replaced], most)
    if skips:
        lines += [f"  ⊗ Skip: {counted(len(skips), 'model')}", *listed(skips)]
    if existing:
        title = f"{counted(len(existing), 'model')} ({_total(plan, existing)})"
        unproved = [decision for decision in existing if decision.reason]
        share = f", {len(unproved)} by looks alone:" if unproved else ""
        lines += [f"  ✓ Found locally: {title}{share}"]
        lines += listed(unproved)
    return lines or ["  none"]


def _total(plan: ImportPlan, decisions: Sequence[ModelAcquisitionDecision]) -> str:
    return sizes(plan.aggregates[decision.key] for decision in decisions)


def _planned(plan: ImportPlan, decision: ModelAcquisitionDecision) -> str:
    aggregate = plan.aggregates[decision.key]
    facts: list[str] = [aggregate.criticality]
    facts += [size_text(aggregate.total_size)] if aggregate.total_size else []
    facts += [escape_part(decision.reason)] if decision.reason else []
    typed = decision.action == "download" and decision.source_url not in aggregate.sources
    facts += [f"from {escape_part(source_host(decision.source_url))}"] if typed else []
    return f"    • {escape_part(decision.model.filename)} ({', '.join(facts)})"


def _substituted(decision: ModelAcquisitionDecision) -> str:
    name, chosen = escape_part(decision.model.filename), decision.substitute
    limit = f" (only in {_in_a_line(decision.workflows)})"
    shown = escape_part(chosen.relative_path) if chosen else ""
    reason = f" ({decision.reason})" if decision.reason else ""
    return f"    • {name} → {shown}{limit if decision.workflows else ''}{reason}"


def plan_data(plan: ImportPlan) -> dict[str, object]:
    """Return a plan for programs."""
    return {
        "environment": plan.environment,
        "nodes": [
            {"name": d.node.name, "action": d.action, "source": d.source, "reason": d.reason}
            for d in plan.nodes
        ],
        "models": [
            {
                "filename": d.model.filename,
                "action": d.action,
                "url": d.source_url,
                "target": d.target_path,
                "substitute": d.substitute.path if d.substitute else "",
                "workflows": list(d.workflows),
                "reason": d.reason,
                "criticality": plan.aggregates[d.key].criticality,
            }
            for d in plan.models
        ],
        "code": [
            {"kind": o.kind, "name": o.name, "detail": o.detail, "vouched": o.pinned}
            for o in plan.code
        ],
        "download_size": plan.download_size,
        "estimated_seconds": _seconds(plan),
        "warnings": list(plan.warnings),
        "dropped": list(plan.dropped),
        "preflight": asdict(plan.preflight),
    }


def _seconds(plan: ImportPlan) -> int | None:
    """Return the estimate for all downloads, None where a part of it was never measured."""
    found = download_time(plan)
    return None if found is None or found.unmeasured else round(found.seconds)
