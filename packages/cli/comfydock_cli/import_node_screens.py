"""What an import shows of its nodes before they are chosen (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from comfydock_core.domain.known_packs import shadowed_pack
from comfydock_core.domain.manifest import NodeInfo, NodeSource
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.interaction import ImportNodeContext

from comfydock_cli.measures import counted, size_text

_SHOWN = 20
_TITLES: dict[NodeSource, str] = {
    "registry": "Registry nodes",
    "git": "Git nodes",
    "development": "Development nodes",
}


def node_lines(context: ImportNodeContext) -> list[str]:
    """Draw the nodes by where they come from, and what of them is on this machine already."""
    lines = ["", "📦 Custom Nodes Required:", ""]
    for source, title in _TITLES.items():
        found = [node for node in context.all_nodes if node.source == source]
        if found:
            lines.append(f"{title} ({len(found)}):")
            lines += [_line(node, context) for node in found[:_SHOWN]]
            more = len(found) - _SHOWN
            lines += [f"  • ... ({more} more)", ""] if more > 0 else [""]
    return [*lines, _total(context), ""]


def _total(context: ImportNodeContext) -> str:
    wanted = [node for node in context.all_nodes if node.source != "development"]
    fetched = [node for node in wanted if node.name not in context.cached]
    here = len(wanted) - len(fetched)
    return f"Total to download: {counted(len(fetched), 'node')}" + (
        f" ({here} already on this machine)" if here else ""
    )


def _line(node: NodeInfo, context: ImportNodeContext) -> str:
    facts = [*_origin(node), *_cached(node, context), *_warnings(node, context)]
    shown = node.repository if node.source == "git" else node.name
    return f"  • {escape_text(shown)} ({escape_text(', '.join(facts))})"


def _origin(node: NodeInfo) -> Iterable[str]:
    if node.source == "development":
        yield "bundled"
    else:
        yield node.version[:8] if node.source == "git" else f"v{node.version}"


def _cached(node: NodeInfo, context: ImportNodeContext) -> Iterable[str]:
    if node.name in context.cached:
        size = context.cached[node.name]
        yield f"cached, {size_text(size)}" if size else "cached"


def _warnings(node: NodeInfo, context: ImportNodeContext) -> Iterable[str]:
    for origin in context.code:
        _, brings, scripts = origin.detail.partition(", brings ")
        if brings and (origin.kind, origin.name) == (node.source, node.name):
            yield f"⚠ brings {scripts}"
    if pack := shadowed_pack(node):
        yield f"⚠ has the name of {pack} and is not it"
