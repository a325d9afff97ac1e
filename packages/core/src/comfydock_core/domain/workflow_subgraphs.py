"""The graphs of a workflow document: the top one, the subgraph definitions, and their instances.

An instance is a node whose type is a definition's id. It promotes widgets of inner nodes in one
of two formats: ``properties.proxyWidgets`` lists [inner node, widget] (``-1``: an input of the
subgraph), or ``widgets_values`` follows those inputs of the *definition* that link to a widget.
An instance's own value wins over the inner one.

Older workflows have group nodes instead: ``extra.groupNodes`` maps a name to nodes that are known
by their ``index``, an instance is of type ``workflow>NAME`` (before, ``workflow/NAME``), and its
``widgets_values`` are those of the inner nodes, one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comfydock_core.domain.json_positions import JsonPath
from comfydock_core.domain.lenient_json import as_list, as_object, as_text

STOPPED_MODES = frozenset({2, 4})
"""Node modes that do not run: muted and bypassed."""

_SUBGRAPH_INPUT = "-1"
_GROUP, _OLD_GROUP = "workflow>", "workflow/"
PRIMITIVE = "PrimitiveNode"
_LEGACY_PREFIX = re.compile(r"^(?:\s*\d+\s*:\s*)+")


@dataclass(frozen=True, kw_only=True, slots=True)
class WidgetTarget:
    """A widget of a node, by its name or, in group nodes, its index; ``node_id`` is a path id."""

    node_id: str
    widget: str = ""
    index: int | None = None

    def fits(self, name: str, index: int | None) -> bool:
        """Tell whether a widget of that node is the one meant."""
        return name == self.widget if self.index is None else index == self.index


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
    """One graph of the document; ``id`` is a definition's id, or empty for the top graph.

    A group node's is ``workflow>NAME``, and ``is_group`` True.
    """

    id: str
    location: JsonPath
    raw: Mapping[str, object]
    is_group: bool = False

    def path_id(self, node_id: object) -> str:
        """Return the id of one of its nodes within the whole workflow (``uuid:47``)."""
        return f"{self.id}:{as_text(node_id)}" if self.id else as_text(node_id)

    def node_id(self, position: int, node: Mapping[str, object]) -> str:
        """Return the path id of a node at a position of its list."""
        own = as_text(node.get("index", position) if self.is_group else node.get("id"))
        return f"{self.id}:{own}" if self.id else own

    def nodes(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (position, node) for every entry that is a node."""
        nodes = self.raw.get("nodes")
        for position, node in enumerate(nodes if isinstance(nodes, list) else ()):
            if isinstance(node, dict) and isinstance(node.get("type"), str):
                yield position, node


def all_graphs(document: Mapping[str, object]) -> tuple[Graph, ...]:
    """Return the top graph and every definition, also one defined inside another."""
    found = [Graph(id="", location=(), raw=document), *_group_nodes(document)]
    seen = {graph.id for graph in found}
    for graph in found:
        subgraphs = as_list(as_object(graph.raw.get("definitions")).get("subgraphs"))
        for position, raw in enumerate(subgraphs):
            identity = as_text(as_object(raw).get("id"))
            if identity not in seen:
                seen.add(identity)
                place = (*graph.location, "definitions", "subgraphs", position)
                found.append(Graph(id=identity, location=place, raw=as_object(raw)))
    return tuple(found)


def _group_nodes(document: Mapping[str, object]) -> Iterator[Graph]:
    groups = as_object(as_object(document.get("extra")).get("groupNodes"))
    for name, raw in groups.items():
        place = ("extra", "groupNodes", name)
        yield Graph(id=f"{_GROUP}{name}", location=place, raw=as_object(raw), is_group=True)


def definition_id(node_type: str) -> str:
    """Return the id of the graph that a node type stands for, if there is such a graph."""
    old = node_type.startswith(_OLD_GROUP)
    return f"{_GROUP}{node_type.removeprefix(_OLD_GROUP)}" if old else node_type


def running_graphs(graphs: Iterable[Graph]) -> frozenset[str]:
    """Return the ids of the graphs that some chain of running instances reaches from the top."""
    by_id = {graph.id: graph for graph in graphs}
    if len(by_id) == 1:
        return frozenset(by_id)
    waiting = [""]
    reached = set(waiting)
    for identity in waiting:
        for _, node in by_id[identity].nodes():
            inner = definition_id(node["type"])
            if inner in by_id and inner not in reached and not is_stopped(node):
                reached.add(inner)
                waiting.append(inner)
    return frozenset(reached)


def is_stopped(node: Mapping[str, object]) -> bool:
    """Tell whether a node is muted or bypassed."""
    mode = node.get("mode")
    return bool(mode) and isinstance(mode, int) and mode in STOPPED_MODES


_Slot = tuple[str, tuple[WidgetTarget, ...]]


class Wiring:
    """Which widgets of a document stand for which others; each graph is looked through once."""

    def __init__(self, graphs: Iterable[Graph]) -> None:
        self._definitions = {graph.id: graph for graph in graphs if graph.id}
        self._slots: dict[str, list[_Slot]] = {}
        self._links: dict[str, dict[str, WidgetTarget]] = {}

    def definition(self, node_type: str) -> str:
        """Return the id of the definition that a type is an instance of, else nothing."""
        if not self._definitions:
            return ""
        identity = definition_id(node_type)
        return identity if identity in self._definitions else ""

    def promoted(self, node: Mapping[str, Any], graph: Graph) -> tuple[PromotedWidget, ...]:
        """Return the widgets that a node shows in place of others."""
        node_type = node["type"]
        if node_type == PRIMITIVE:
            return _driven(node, self._targets(graph))
        definition = self._definitions.get(definition_id(node_type))
        if definition is None:
            return ()
        slots = self._slots.get(definition.id)
        if slots is None:
            linked = _linked_slots(definition, self._targets(definition))
            slots = list(_inner_widgets(definition) if definition.is_group else linked)
            self._slots[definition.id] = slots
        return _shown(node, definition, slots)

    def _targets(self, graph: Graph) -> dict[str, WidgetTarget]:
        if graph.id not in self._links:
            self._links[graph.id] = _widgets_by_link(graph)
        return self._links[graph.id]


def _inner_widgets(group: Graph) -> Iterator[_Slot]:
    for position, node in group.nodes():
        identity = group.node_id(position, node)
        for index in range(len(as_list(node.get("widgets_values")))):
            yield "", (WidgetTarget(node_id=identity, index=index),)


def _shown(
    instance: Mapping[str, object], definition: Graph, slots: Sequence[_Slot]
) -> tuple[PromotedWidget, ...]:
    values = as_list(instance.get("widgets_values"))
    if definition.is_group:
        # hidden widgets shift the others: without the frontend nobody can tell by how much
        return _numbered(slots) if len(values) == len(slots) else ()
    entries = as_list(as_object(instance.get("properties")).get("proxyWidgets"))
    if not entries:
        return _numbered(slots)
    proxies = [_proxy(entry, definition, dict(slots)) for entry in entries]
    if not values:
        return _without_values([*proxies, *slots])
    # older frontends kept only the linked inputs in widgets_values and named them in no entry
    listed = any(as_text(_first(entry)) == _SUBGRAPH_INPUT for entry in entries)
    return _numbered(proxies if listed or not slots else slots)


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


def _linked_slots(definition: Graph, targets: Mapping[str, WidgetTarget]) -> Iterator[_Slot]:
    """Yield the inputs of a definition that link to a widget, in their order."""
    for slot in as_list(definition.raw.get("inputs")):
        links = as_list(as_object(slot).get("linkIds"))
        linked = tuple(targets[as_text(link)] for link in links if as_text(link) in targets)
        if linked:
            yield as_text(as_object(slot).get("name")), linked


def _widgets_by_link(graph: Graph) -> dict[str, WidgetTarget]:
    """Return, for every link that ends at a widget, that widget."""
    found = {}
    for position, node in graph.nodes():
        for slot in as_list(node.get("inputs")):
            if isinstance(slot, dict) and "widget" in slot and slot.get("link") is not None:
                widget = as_text(as_object(slot["widget"]).get("name"))
                target = WidgetTarget(node_id=graph.node_id(position, node), widget=widget)
                found[as_text(slot["link"])] = target
    return found


def _driven(
    primitive: Mapping[str, object], targets: Mapping[str, WidgetTarget]
) -> tuple[PromotedWidget, ...]:
    """Return what a ``PrimitiveNode`` drives: its value is written into the widgets it links to."""
    output = as_object(_first(primitive.get("outputs")))
    links = [as_text(link) for link in as_list(output.get("links"))]
    linked = tuple(targets[link] for link in links if link in targets)
    return (PromotedWidget(name="value", index=0, targets=linked),) if linked else ()
