"""A workflow as ComfyUI's page saves it -> the prompt that the page would queue (pure).

Subgraphs are laid flat, as the page does. Widgets that only the page has (what becomes of a seed
after a run, an upload button) are not known here: the demo's workflows have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Graph = Mapping[str, Any]

_WIDGET_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
_SUBGRAPH_INPUTS = -10


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scope:
    """The graph of one instance of a subgraph, or the top one, which has no ``outer``."""

    graph: Graph
    definitions: Mapping[str, Graph]
    prefix: str = ""
    instance: Graph = field(default_factory=dict)
    outer: _Scope | None = None

    def inside(self, node: Graph) -> _Scope | None:
        """Return the scope within ``node`` if that is an instance of a subgraph."""
        definition = self.definitions.get(node["type"])
        if definition is None:
            return None
        return _Scope(
            graph=definition,
            definitions=self.definitions,
            prefix=f"{self.prefix}{node['id']}:",
            instance=node,
            outer=self,
        )

    def source(self, link: int) -> list[Any]:
        """Return [node, slot] of the node that really feeds ``link``."""
        origin, slot = next((o, s) for number, o, s in _links(self.graph) if number == link)
        if origin == _SUBGRAPH_INPUTS and self.outer:
            return self.outer.source(self.instance["inputs"][slot]["link"])
        node = next(node for node in self.graph["nodes"] if node["id"] == origin)
        inner = self.inside(node)
        if inner:
            return inner.source(inner.graph["outputs"][slot]["linkIds"][0])
        return [f"{self.prefix}{origin}", slot]


def api_prompt(workflow: Graph, classes: Mapping[str, Graph]) -> dict[str, Any]:
    """Return ``{id: {class_type, inputs}}``; ``classes`` is what ComfyUI's /object_info answers."""
    subgraphs = workflow.get("definitions", {}).get("subgraphs", [])
    top = _Scope(graph=workflow, definitions={graph["id"]: graph for graph in subgraphs})
    return dict(_prompt_nodes(top, classes))


def _prompt_nodes(
    scope: _Scope, classes: Mapping[str, Graph]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for node in scope.graph["nodes"]:
        inner = scope.inside(node)
        if inner:
            yield from _prompt_nodes(inner, classes)
            continue
        inputs = dict(zip(_widgets(classes[node["type"]]), node["widgets_values"], strict=True))
        linked = {slot["name"]: slot["link"] for slot in node["inputs"]}
        inputs |= {name: scope.source(link) for name, link in linked.items() if link is not None}
        yield f"{scope.prefix}{node['id']}", {"class_type": node["type"], "inputs": inputs}


def _widgets(described: Graph) -> list[str]:
    """Name the inputs of a class that have a widget, in their order."""
    groups = (described["input"].get(group, {}) for group in ("required", "optional"))
    return [
        name
        for group in groups
        for name, (kind, *_) in group.items()
        if isinstance(kind, list) or kind in _WIDGET_TYPES
    ]


def _links(graph: Graph) -> Iterator[tuple[int, int, int]]:
    """Yield number, source and slot of each link; subgraphs write links as objects."""
    for link in graph["links"]:
        if isinstance(link, dict):
            yield link["id"], link["origin_id"], link["origin_slot"]
        else:
            yield link[0], link[1], link[2]
