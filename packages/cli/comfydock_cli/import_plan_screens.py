"""What an import shows of its plan, for people and for programs (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision
from comfydock_core.domain.untrusted import escape_text

from comfydock_cli.import_machine_screens import machine_lines, problem_lines
from comfydock_cli.import_screens import code_lines, sizes
from comfydock_cli.measures import counted, size_text


def plan_lines(plan: ImportPlan) -> list[str]:
    """Draw the plan: everything that will be done, and all code that will be here afterwards."""
    lines = ["📋 Acquisition Plan Summary:", "", f"Environment: {plan.environment}", "", "Nodes:"]
    lines.append(f"  ⬇ Install: {counted(len(plan.nodes_for('install')), 'node')}")
    if skipped := plan.nodes_for("skip"):
        names = ", ".join(decision.node.name for decision in skipped)
        lines.append(f"  ⊗ Skip: {counted(len(skipped), 'node')} ({names})")
    lines += ["", "Models:", *_model_lines(plan), ""]
    lines += machine_lines(plan)
    lines += code_lines(plan.code)
    lines += [f"⚠ {escape_text(warning)}" for warning in plan.warnings]
    return [*lines, *problem_lines(plan.preflight), _total_download(plan)]


def _total_download(plan: ImportPlan) -> str:
    downloads = plan.models_for("download")
    unknown = sum(plan.aggregates[decision.key].total_size == 0 for decision in downloads)
    more = f", and {counted(unknown, 'model')} of unknown size" if unknown else ""
    return f"Total download: ~{size_text(plan.download_size)}{more}"


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
        lines += [f"  ✓ Found locally: {title}"]
        lines += [_planned(plan, decision) for decision in existing if decision.reason]
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
    return f"    • {name} → {shown}{limit if decision.workflows else ''}"


def plan_data(plan: ImportPlan) -> dict[str, object]:
    """Return a plan for programs."""
    return {
        "environment": plan.environment,
        "nodes": [
            {"name": d.node.name, "action": d.action, "source": d.source} for d in plan.nodes
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
        "warnings": list(plan.warnings),
        "preflight": asdict(plan.preflight),
    }
