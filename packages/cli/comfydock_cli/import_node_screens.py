"""What an import shows of its nodes, to choose from and as they are planned (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from comfydock_core.domain.acquisition import CodeOrigin, ImportPlan, NodeAcquisitionDecision
from comfydock_core.domain.known_packs import shadowed_pack
from comfydock_core.domain.manifest import NodeInfo, NodeSource
from comfydock_core.domain.untrusted import escape_part
from comfydock_core.interaction import ImportNodeContext

from comfydock_cli.import_screens import SHOWN, capped, code_line
from comfydock_cli.measures import counted, size_text

_TITLES: dict[NodeSource, str] = {
    "registry": "Registry nodes",
    "git": "Git nodes",
    "development": "Development nodes",
}
NODE_SOURCES = frozenset(_TITLES)
"""Kinds of ``CodeOrigin`` that are nodes."""


def node_lines(context: ImportNodeContext) -> list[str]:
    """Draw the nodes by where they come from, and what of them is on this machine already."""
    lines = ["", "📦 Custom Nodes Required:", ""]
    for source, title in _TITLES.items():
        found = [node for node in context.all_nodes if node.source == source]
        if found:
            lines.append(f"{title} ({len(found)}):")
            lines += [_line(node, context) for node in found[:SHOWN]]
            more = len(found) - SHOWN
            lines += [f"  • ... ({more} more)", ""] if more > 0 else [""]
    return [*lines, _total(context), ""]


def planned_node_lines(plan: ImportPlan, most: int = SHOWN) -> list[str]:
    """Draw what becomes of each node: where its code comes from, and whether it is here.

    Of more than ``most`` nodes those come first for which nobody vouches.
    """
    installed, skipped = plan.nodes_for("install"), plan.nodes_for("skip")
    origins = {(origin.kind, origin.name): origin for origin in plan.code}
    lines = [f"  ⬇ Install: {counted(len(installed), 'node')}{_whence(plan, installed)}"]
    rows: list[tuple[bool, str]] = []
    for decision in installed:
        node = decision.node
        unknown = CodeOrigin(kind=node.source, name=node.name, detail=decision.source)
        origin = origins.get((node.source, node.name), unknown)
        facts = [*_cached(node, plan.preflight.cached), *_shadowed(node)]
        rows.append((origin.pinned, f"    {', '.join([code_line(origin), *facts])}"))
    if len(rows) > most:
        rows.sort(key=lambda row: row[0])
    lines += capped([line for _, line in rows], most)
    if skipped:
        names = ", ".join(capped([escape_part(d.node.name) for d in skipped], most, ""))
        lines.append(f"  ⊗ Skip: {counted(len(skipped), 'node')} ({names})")
        reasons = [d for d in skipped if d.reason]
        shown = [f"    ⚠ {escape_part(d.node.name)}: {escape_part(d.reason)}" for d in reasons]
        lines += capped(shown, most)
    return lines


def _whence(plan: ImportPlan, installed: Sequence[NodeAcquisitionDecision]) -> str:
    names = {decision.node.name for decision in installed}
    bundled = sum(decision.node.source == "development" for decision in installed)
    here = len(names & plan.preflight.cached.keys())
    rows = (
        (len(installed) - bundled - here, "to download"),
        (here, "already on this machine"),
        (bundled, "in the bundle"),
    )
    listed = ", ".join(f"{count} {where}" for count, where in rows if count)
    return f" ({listed})" if listed else ""


def _total(context: ImportNodeContext) -> str:
    wanted = [node for node in context.all_nodes if node.source != "development"]
    fetched = [node for node in wanted if node.name not in context.cached]
    here = len(wanted) - len(fetched)
    return f"Total to download: {counted(len(fetched), 'node')}" + (
        f" ({here} already on this machine)" if here else ""
    )


def _line(node: NodeInfo, context: ImportNodeContext) -> str:
    facts = [*_origin(node, context), *_cached(node, context.cached), *_warnings(node, context)]
    shown = node.repository if node.source == "git" else node.name
    return f"  • {escape_part(shown)} ({escape_part(', '.join(facts))})"


def _origin(node: NodeInfo, context: ImportNodeContext) -> Iterable[str]:
    if node.source == "development":
        here = any((o.kind, o.name) == (node.source, node.name) for o in context.code)
        yield "bundled" if here else "⚠ its source is not in the bundle"
    else:
        yield node.version[:8] if node.source == "git" else f"v{node.version}"


def _cached(node: NodeInfo, cached: Mapping[str, int]) -> Iterable[str]:
    if node.name in cached:
        size = cached[node.name]
        yield f"cached, {size_text(size)}" if size else "cached"


def _warnings(node: NodeInfo, context: ImportNodeContext) -> Iterable[str]:
    for origin in context.code:
        _, brings, scripts = origin.detail.partition(", brings ")
        if brings and (origin.kind, origin.name) == (node.source, node.name):
            yield f"⚠ brings {scripts}"
    yield from _shadowed(node)


def _shadowed(node: NodeInfo) -> Iterable[str]:
    if pack := shadowed_pack(node):
        yield f"⚠ has the name of {pack} and is not it"
