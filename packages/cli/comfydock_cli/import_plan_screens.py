"""What an import shows of its plan, for people and for programs (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision
from comfydock_core.domain.criticality import CRITICALITIES
from comfydock_core.domain.download_time import download_time
from comfydock_core.domain.untrusted import escape_text

from comfydock_cli.import_machine_screens import machine_lines, problem_lines
from comfydock_cli.import_node_screens import NODE_SOURCES, planned_node_lines
from comfydock_cli.import_screens import code_line, sizes
from comfydock_cli.measures import about_text, counted, size_text

_LEGEND = "⚠ marks code that nobody vouches for: look at it before you go on"


def plan_lines(plan: ImportPlan) -> list[str]:
    """Draw the plan: what it meets here, everything that it does, and all code that it brings."""
    others = [origin for origin in plan.code if origin.kind not in NODE_SOURCES]
    unvouched = any(not origin.pinned for origin in plan.code)
    return [
        "📋 Acquisition Plan Summary:",
        "",
        f"Environment: {plan.environment}",
        *(machine_lines(plan) or [""]),
        "Nodes:",
        *planned_node_lines(plan),
        "",
        _models_title(plan),
        *_model_lines(plan),
        "",
        *(["Other code:", *(f"  {code_line(origin)}" for origin in others)] if others else []),
        *([_LEGEND] if unvouched else []),
        *([""] if others or unvouched else []),
        *(f"⚠ {escape_text(warning)}" for warning in plan.warnings),
        *([_dropped(plan)] if plan.dropped else []),
        *problem_lines(plan.preflight),
        _total_download(plan),
        *_estimate(plan),
    ]


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
    return f"Total download: ~{size_text(plan.download_size)}{more}"


def _estimate(plan: ImportPlan) -> list[str]:
    found = download_time(plan)
    if found is None:
        return []
    rest = ", ".join(map(escape_text, found.unmeasured))
    if not found.speeds:
        return [f"Estimated time: unknown, nothing was downloaded from {rest} here before"]
    hosts = ", ".join(map(escape_text, found.speeds))
    speed = size_text(int(next(iter(found.speeds.values()))))
    measured = f"the {speed}/s" if len(found.speeds) == 1 else "the speeds"
    later = f"; more for {rest}, never measured here" if rest else ""
    time = about_text(found.seconds)
    return [f"Estimated time: {time} at {measured} measured from {hosts}{later}"]


def _model_lines(plan: ImportPlan) -> list[str]:
    lines: list[str] = []
    downloads, skips = plan.models_for("download"), plan.models_for("skip")
    replaced = plan.models_for("substitute")
    existing, inside = plan.models_for("existing"), plan.models_for("unpack")
    if inside:
        title = f"{counted(len(inside), 'model')} ({_total(plan, inside)})"
        lines += [f"  📦 Unpack from the bundle: {title}", *(_planned(plan, d) for d in inside)]
    if downloads:
        title = f"{counted(len(downloads), 'model')} ({_total(plan, downloads)})"
        lines += [f"  ⬇ Download: {title}", *(_planned(plan, d) for d in downloads)]
    if replaced:
        lines.append(f"  ↔ Substitute: {counted(len(replaced), 'model')}")
        lines += [_substituted(decision) for decision in replaced]
    if skips:
        lines += [f"  ⊗ Skip: {counted(len(skips), 'model')}", *(_planned(plan, d) for d in skips)]
    if existing:
        title = f"{counted(len(existing), 'model')} ({_total(plan, existing)})"
        unproved = [decision for decision in existing if decision.reason]
        share = f", {len(unproved)} by looks alone:" if unproved else ""
        lines += [f"  ✓ Found locally: {title}{share}"]
        lines += [_planned(plan, decision) for decision in unproved]
    return lines or ["  none"]


def _total(plan: ImportPlan, decisions: Sequence[ModelAcquisitionDecision]) -> str:
    return sizes(plan.aggregates[decision.key] for decision in decisions)


def _planned(plan: ImportPlan, decision: ModelAcquisitionDecision) -> str:
    aggregate = plan.aggregates[decision.key]
    facts: list[str] = [aggregate.criticality]
    facts += [size_text(aggregate.total_size)] if aggregate.total_size else []
    facts += [escape_text(decision.reason)] if decision.reason else []
    return f"    • {escape_text(decision.model.filename)} ({', '.join(facts)})"


def _substituted(decision: ModelAcquisitionDecision) -> str:
    name, chosen = escape_text(decision.model.filename), decision.substitute
    limit = f" (only in {', '.join(map(escape_text, decision.workflows))})"
    shown = escape_text(chosen.relative_path) if chosen else ""
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
