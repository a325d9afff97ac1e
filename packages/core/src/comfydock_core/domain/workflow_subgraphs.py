"""The graphs of a workflow document: the top one, the subgraph definitions, and their instances.

An instance is a node whose type is a definition's id. It promotes widgets of inner nodes in one
of two formats: ``properties.proxyWidgets`` lists [inner node, widget] (``-1``: an input of the
subgraph), or ``widgets_values`` follows those inputs of the *definition* that link to a widget.
An instance's own value wins over the inner one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from comfydock_core.domain.json_positions import JsonPath
from comfydock_core.domain.lenient_json import as_list, as_object, as_text

STOPPED_MODES = frozenset({2, 4})
"""Node modes that do not run: muted and bypassed."""

_SUBGRAPH_INPUT = "-1"
_LEGACY_PREFIX = re.compile(r"^(?:\s*\d+\s*:\s*)+")


@dataclass(frozen=True, kw_only=True, slots=True)
class WidgetTarget:
    """A widget of a node, both by name; ``node_id`` is a path id."""

    node_id: str
    widget: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PromotedWidget:
    """A widget that stands for widgets of other nodes.

    ``index`` counts in the node's own ``widgets_values``; None when it holds no value itself.
    """

    name: str
    index: int | None
    targets: tuple[WidgetTarget, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """One graph of the document; ``id`` is a definition's id, or empty for the top graph."""

    id: str
    location: JsonPath
    raw: Mapping[str, object]

    def path_id(self, node_id: object) -> str:
        """Return the id of one of its nodes within the whole workflow (``uuid:47``)."""
        return f"{self.id}:{as_text(node_id)}" if self.id else as_text(node_id)

    def nodes(self) -> Iterator[tuple[int, Mapping[str, object]]]:
        """Yield (position, node) for every entry that is a node."""
        for position, node in enumerate(as_list(self.raw.get("nodes"))):
            if isinstance(node, dict) and isinstance(node.get("type"), str):
                yield position, node


def all_graphs(document: Mapping[str, object]) -> tuple[Graph, ...]:
    """Return the top graph and every definition, also one defined inside another."""
    found = [Graph(id="", location=(), raw=document)]
    seen = {""}
    for graph in found:
        subgraphs = as_list(as_object(graph.raw.get("definitions")).get("subgraphs"))
        for position, raw in enumerate(subgraphs):
            identity = as_text(as_object(raw).get("id"))
            if identity not in seen:
                seen.add(identity)
                place = (*graph.location, "definitions", "subgraphs", position)
                found.append(Graph(id=identity, location=place, raw=as_object(raw)))
    return tuple(found)


def running_graphs(graphs: Iterable[Graph]) -> frozenset[str]:
    """Return the ids of the graphs that some chain of running instances reaches from the top."""
    by_id = {graph.id: graph for graph in graphs}
    waiting = [""]
    reached = set(waiting)
    for identity in waiting:
        for _, node in by_id[identity].nodes():
            inner = as_text(node["type"])
            if inner in by_id and inner not in reached and node.get("mode") not in STOPPED_MODES:
                reached.add(inner)
                waiting.append(inner)
    return frozenset(reached)


def promoted_widgets(
    instance: Mapping[str, object], definition: Graph
) -> tuple[PromotedWidget, ...]:
    """Return the widgets that an instance shows, in both formats of promotion."""
    slots = list(_linked_slots(definition))
    entries = as_list(as_object(instance.get("properties")).get("proxyWidgets"))
    if not entries:
        return _numbered(slots)
    proxies = [_proxy(entry, definition, dict(slots)) for entry in entries]
    if not as_list(instance.get("widgets_values")):
        return _without_values([*proxies, *slots])
    # older frontends kept only the linked inputs in widgets_values and named them in no entry
    listed = any(as_text(_first(entry)) == _SUBGRAPH_INPUT for entry in entries)
    return _numbered(proxies if listed or not slots else slots)


_Slot = tuple[str, tuple[WidgetTarget, ...]]


def _numbered(slots: Sequence[_Slot]) -> tuple[PromotedWidget, ...]:
    return tuple(
        PromotedWidget(name=name, index=index, targets=targets)
        for index, (name, targets) in enumerate(slots)
    )


def _without_values(slots: Sequence[_Slot]) -> tuple[PromotedWidget, ...]:
    return tuple(
        PromotedWidget(name=name, index=None, targets=targets)
        for name, targets in dict(slots).items()
    )


def _proxy(
    entry: object, definition: Graph, slots: Mapping[str, tuple[WidgetTarget, ...]]
) -> _Slot:
    node_id = as_text(_first(entry))
    widget = _LEGACY_PREFIX.sub("", as_text(_first(as_list(entry)[1:])))
    if node_id == _SUBGRAPH_INPUT:
        return widget, slots.get(widget, ())
    return widget, (WidgetTarget(node_id=definition.path_id(node_id), widget=widget),)


def _first(values: object) -> object:
    listed = as_list(values)
    return listed[0] if listed else None


def _linked_slots(definition: Graph) -> Iterator[_Slot]:
    """Yield the inputs of a definition that link to a widget, in their order."""
    targets = _widgets_by_link(definition)
    for slot in as_list(definition.raw.get("inputs")):
        links = as_list(as_object(slot).get("linkIds"))
        linked = tuple(targets[as_text(link)] for link in links if as_text(link) in targets)
        if linked:
            yield as_text(as_object(slot).get("name")), linked


def _widgets_by_link(graph: Graph) -> dict[str, WidgetTarget]:
    """Return, for every link that ends at a widget, that widget."""
    found = {}
    for _, node in graph.nodes():
        for slot in map(as_object, as_list(node.get("inputs"))):
            widget = as_text(as_object(slot.get("widget")).get("name"))
            if widget and slot.get("link") is not None:
                target = WidgetTarget(node_id=graph.path_id(node.get("id")), widget=widget)
                found[as_text(slot["link"])] = target
    return found


def primitive_widgets(primitive: Mapping[str, object], graph: Graph) -> tuple[PromotedWidget, ...]:
    """Return what a ``PrimitiveNode`` drives: its value is written into the widgets it links to."""
    targets = _widgets_by_link(graph)
    output = as_object(_first(primitive.get("outputs")))
    links = [as_text(link) for link in as_list(output.get("links"))]
    linked = tuple(targets[link] for link in links if link in targets)
    return (PromotedWidget(name="value", index=0, targets=linked),) if linked else ()
