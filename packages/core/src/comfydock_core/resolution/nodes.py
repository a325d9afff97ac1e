"""Which node pack a workflow's node classes come from: what is known, and why."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from comfydock_core.domain.known_packs import KNOWN_PACKS
from comfydock_core.domain.workflow_needs import UsedNode, WorkflowNeeds

NodeState = Literal["core", "installed", "mapped", "ambiguous", "missing"]

FRONTEND_CLASSES = frozenset({"MarkdownNote", "Note", "PrimitiveNode", "Reroute"})
"""ComfyUI's own classes that live in the browser alone and never reach its Python side."""

_CORE_IDS = frozenset({"comfy-core", "comfyui"})
_GROUP_NODE = ("workflow>", "workflow/")
_REPOSITORY = re.compile(r"(?:https?://)?(?:www\.)?(?:github\.com/)?([\w.-]+/[\w.-]+?)(?:\.git)?/?")


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeResolution:
    """What is known about one node class.

    ``pack`` is the node pack that has it, or that the workflow says has it: a name from
    ``installed`` or the map, a registry id, or ``owner/repository``. A mapped class with an empty
    pack was left out on purpose. ``nodes`` are the ids of the nodes of that class. ``candidates``
    are the packs to choose from, ``evidence`` half sentences. A class that is ``in_browser`` exists
    there alone: ComfyUI's Python side never has it.
    """

    node_type: str
    state: NodeState
    pack: str = ""
    evidence: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    in_browser: bool = False


def _is_frontend_class(name: str) -> bool:
    return name in FRONTEND_CLASSES or name.startswith(_GROUP_NODE)


def resolve_nodes(
    needs: WorkflowNeeds,
    *,
    core_classes: Collection[str],
    installed: Mapping[str, str],
    frontend: Mapping[str, str],
    custom_node_map: Mapping[str, str | bool],
) -> tuple[NodeResolution, ...]:
    """Resolve every class that a workflow uses, by name.

    ``installed`` says which pack has a class, ``frontend`` which has one in the browser alone,
    ``custom_node_map`` what was decided before. What is really there comes first, then the
    decision, then what the nodes themselves say.
    """
    by_class: dict[str, list[UsedNode]] = defaultdict(list)
    for node in needs.nodes:
        by_class[node.type].append(node)
    return tuple(
        _there(by_class[name], core_classes, installed, frontend)
        or _otherwise(by_class[name], custom_node_map.get(name))
        for name in sorted(by_class)
    )


def _there(
    nodes: list[UsedNode],
    core_classes: Collection[str],
    installed: Mapping[str, str],
    frontend: Mapping[str, str],
) -> NodeResolution | None:
    """Resolve a class that this ComfyUI or one of its packs has."""
    name = nodes[0].type
    if name in core_classes:
        return _resolution(nodes, "core", "", "this ComfyUI has it")
    if _is_frontend_class(name):
        found = _resolution(nodes, "core", "", "ComfyUI's frontend has it")
        return replace(found, in_browser=True)
    if name in installed:
        pack = installed[name]
        return _resolution(nodes, "installed", pack, f"`{pack}` is installed and has it")
    if name in frontend:
        pack = frontend[name]
        why = f"`{pack}` is installed and has it in the browser"
        return replace(_resolution(nodes, "installed", pack, why), in_browser=True)
    return None


def _otherwise(nodes: list[UsedNode], decision: str | bool | None) -> NodeResolution:
    if isinstance(decision, str) and decision:
        return _resolution(nodes, "mapped", decision, "it was decided before")
    if decision is False:
        return _resolution(nodes, "mapped", "", "it was left out on purpose")
    return _by_hints(nodes)


def _resolution(nodes: list[UsedNode], state: NodeState, pack: str, why: str) -> NodeResolution:
    return NodeResolution(
        node_type=nodes[0].type,
        state=state,
        pack=pack,
        evidence=(why,),
        nodes=tuple(node.id for node in nodes),
    )


def _by_hints(nodes: list[UsedNode]) -> NodeResolution:
    """Report a class that is not there with what its nodes say about where it comes from."""
    hints = dict(hint for node in nodes for hint in _hints(node))
    if not hints and (known := KNOWN_PACKS.get(nodes[0].type)):
        hints = {known: f"a class of that name is in the well-known pack `{known}`"}
    packs = tuple(pack for pack in hints if pack)
    return NodeResolution(
        node_type=nodes[0].type,
        state="ambiguous" if len(packs) > 1 else "missing",
        pack=packs[0] if len(packs) == 1 else "",
        evidence=tuple(hints.values()),
        candidates=packs,
        nodes=tuple(node.id for node in nodes),
    )


def _hints(node: UsedNode) -> Iterable[tuple[str, str]]:
    """Yield (pack, evidence) for what a node says about itself; no pack stands for ComfyUI."""
    if node.cnr_id in _CORE_IDS:
        yield "", f"the workflow was saved with ComfyUI {node.ver}, which has it".replace(" ,", ",")
    elif node.cnr_id:
        yield node.cnr_id, f"the workflow names registry node `{node.cnr_id}`{_version(node)}"
    elif repository := _REPOSITORY.fullmatch(node.aux_id.strip()):
        pack = repository.group(1)
        yield pack, f"the workflow names repository `{pack}`{_version(node)}"


def _version(node: UsedNode) -> str:
    return f", version {node.ver}" if node.ver else ""
