"""Which node pack a workflow's node classes come from: what is known, and why."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from comfydock_core.domain.known_packs import KNOWN_PACKS
from comfydock_core.domain.workflow_needs import UsedNode, WorkflowNeeds

NodeState = Literal["core", "installed", "mapped", "ambiguous", "missing"]

FRONTEND_CLASSES = frozenset({"MarkdownNote", "Note", "PrimitiveNode", "Reroute"})
"""Classes that live in the browser alone and never reach ComfyUI's Python side."""

_CORE_IDS = frozenset({"comfy-core", "comfyui"})
_GROUP_NODE = ("workflow>", "workflow/")
_REPOSITORY = re.compile(r"(?:https?://)?(?:www\.)?(?:github\.com/)?([\w.-]+/[\w.-]+?)(?:\.git)?/?")


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeResolution:
    """What is known about one node class.

    ``pack`` is the node pack that has it, or that the workflow says has it: a name from
    ``installed`` or the map, a registry id, or ``owner/repository``. A mapped class with an empty
    pack was left out on purpose. ``nodes`` are the ids of the nodes of that class. ``candidates``
    are the packs to choose from, ``evidence`` half sentences.
    """

    node_type: str
    state: NodeState
    pack: str = ""
    evidence: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


def is_frontend_class(name: str) -> bool:
    """Tell whether a class lives in the browser alone."""
    return name in FRONTEND_CLASSES or name.startswith(_GROUP_NODE)


def resolve_nodes(
    needs: WorkflowNeeds,
    *,
    core_classes: Collection[str],
    installed: Mapping[str, str],
    custom_node_map: Mapping[str, str | bool],
) -> tuple[NodeResolution, ...]:
    """Resolve every class that a workflow uses, by name.

    ``installed`` says which pack has a class, ``custom_node_map`` what was decided before. What is
    really there comes first, then the decision, then what the nodes themselves say.
    """
    by_class: dict[str, list[UsedNode]] = defaultdict(list)
    for node in needs.nodes:
        by_class[node.type].append(node)
    return tuple(
        _resolve(by_class[name], core_classes, installed, custom_node_map.get(name))
        for name in sorted(by_class)
    )


def _resolve(
    nodes: list[UsedNode],
    core_classes: Collection[str],
    installed: Mapping[str, str],
    decision: str | bool | None,
) -> NodeResolution:
    name = nodes[0].type
    state: NodeState
    if name in core_classes:
        state, pack, evidence = "core", "", ("this ComfyUI has it",)
    elif is_frontend_class(name):
        state, pack, evidence = "core", "", ("ComfyUI's frontend has it",)
    elif name in installed:
        state, pack = "installed", installed[name]
        evidence = (f"`{pack}` is installed and has it",)
    elif isinstance(decision, str) and decision:
        state, pack, evidence = "mapped", decision, ("it was decided before",)
    elif decision is False:
        state, pack, evidence = "mapped", "", ("it was left out on purpose",)
    else:
        return _by_hints(nodes)
    return NodeResolution(
        node_type=name,
        state=state,
        pack=pack,
        evidence=evidence,
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
