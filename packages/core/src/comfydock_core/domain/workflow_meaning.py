"""What a workflow does, as a digest: equal for two files that differ in looks alone.

The frontend changes positions, sizes, colours, numbering and translated names whenever it saves.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping

from comfydock_core.domain.lenient_json import (
    as_list,
    as_object,
    as_text,
    nested_too_deeply,
    read_json,
)
from comfydock_core.domain.workflow import is_api_form, is_ui_form, not_a_workflow
from comfydock_core.domain.workflow_subgraphs import Graph, all_graphs

_VIEW_WIDGETS = frozenset({"videopreview"})
_SUBGRAPH_OUTPUT = "-20"


def meaning(data: bytes, *, name: str = "workflow") -> str:
    """Return the hex digest of what a workflow does: node types, modes, widgets and links.

    Raises WorkflowError, naming ``name``, for what is no workflow.
    """
    document = read_json(data, name)
    if is_ui_form(document):
        content = [_graph(graph) for graph in all_graphs(as_object(document))]
    elif is_api_form(document):
        content = [_api(as_object(document))]
    else:
        raise not_a_workflow(name)
    try:
        canonical = json.dumps(_normal(content), sort_keys=True, separators=(",", ":"))
    except RecursionError as error:
        raise nested_too_deeply(name) from error
    return hashlib.sha256(canonical.encode()).hexdigest()


def _api(document: Mapping[str, object]) -> dict[str, object]:
    return {
        identity: [as_object(node).get("class_type"), as_object(node).get("inputs")]
        for identity, node in document.items()
    }


def _graph(graph: Graph) -> object:
    origins = _origins(graph)
    nodes = {graph.node_id(at, node): _node(node, origins) for at, node in graph.nodes()}
    if graph.is_group:
        return [graph.id, nodes, graph.raw.get("links"), graph.raw.get("config")]
    return [graph.id, nodes, _subgraph_slots(graph, "inputs"), list(_outputs(graph, origins))]


def _node(node: Mapping[str, object], origins: Mapping[str, object]) -> object:
    properties = as_object(node.get("properties"))
    links = {}
    for slot in map(as_object, as_list(node.get("inputs"))):
        origin = origins.get(as_text(slot.get("link")))
        if origin is not None:
            links[as_text(slot.get("name"))] = origin
    chosen = [properties.get(key) or [] for key in ("proxyWidgets", "models")]
    return [node["type"], node.get("mode") or 0, _widgets(node), links, chosen]


def _widgets(node: Mapping[str, object]) -> object:
    widgets = node.get("widgets_values")
    if isinstance(widgets, dict):
        return {key: value for key, value in widgets.items() if key not in _VIEW_WIDGETS}
    values = list(as_list(widgets))
    while values and values[-1] is None:
        values.pop()
    return values


def _origins(graph: Graph) -> dict[str, object]:
    """Return, for every link, where it comes from: links are renumbered at will."""
    return {link: origin for link, origin, _ in _links(graph)}


def _links(graph: Graph) -> Iterator[tuple[str, object, tuple[str, object]]]:
    """Yield (id, (from node, slot), (to node, slot)): a list in the top graph, else an object."""
    for link in as_list(graph.raw.get("links")):
        if isinstance(link, dict):
            ends = [link.get(key) for key in _LINK_KEYS]
        else:
            ends = list(as_list(link)[:5])
        if len(ends) == len(_LINK_KEYS):
            identity, origin, origin_slot, target, target_slot = ends
            yield as_text(identity), (as_text(origin), origin_slot), (as_text(target), target_slot)


_LINK_KEYS = ("id", "origin_id", "origin_slot", "target_id", "target_slot")


def _outputs(graph: Graph, origins: Mapping[str, object]) -> Iterator[object]:
    """Yield which node feeds which output of a subgraph."""
    names = _subgraph_slots(graph, "outputs")
    for link, _, (target, slot) in sorted(_links(graph), key=lambda entry: str(entry[2])):
        if target == _SUBGRAPH_OUTPUT and isinstance(slot, int) and slot < len(names):
            yield names[slot], origins[link]


def _subgraph_slots(graph: Graph, key: str) -> list[object]:
    """Return the (name, type) of a definition's inputs or outputs."""
    if not graph.id:
        return []
    slots = map(as_object, as_list(graph.raw.get(key)))
    return [(slot.get("name"), slot.get("type")) for slot in slots]


def _normal(value: object) -> object:
    """Write numbers as a browser would: 1.0 as 1, and no number as null."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {str(key): _normal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    return value
