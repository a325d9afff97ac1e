"""A saved workflow -> the prompt that ComfyUI's page would queue (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from comfydock_cli.demo.prompt import api_prompt

Graph = dict[str, Any]

PAGE_ONLY = {"LoadImage": 1, "KSampler": 1}
"""Where ``widgets_values`` has a value that only the page knows: upload button, fate of a seed."""


def prompt_of(workflow: Graph, classes: Mapping[str, Graph]) -> Graph:
    """The prompt of a workflow in either form; ``classes`` is what /object_info answers.

    Instances of subgraphs may have values of their own at the top, not within other subgraphs.
    """
    if "nodes" not in workflow:
        return workflow
    plain = deepcopy(workflow)
    graphs = plain.get("definitions", {}).get("subgraphs", [])
    definitions = {graph["id"]: graph for graph in graphs}
    for graph in (plain, *graphs):
        for node in graph["nodes"]:
            if node["type"] in PAGE_ONLY:
                del node["widgets_values"][PAGE_ONLY[node["type"]]]
    for node in plain["nodes"]:
        if node["type"] in definitions:
            graphs.append(_with_values_inside(node, definitions[node["type"]]))
            node["type"] = graphs[-1]["id"]
    return api_prompt(plain, classes)


def prompt_changes(one: Graph, other: Graph) -> list[tuple[object, object]]:
    """Every value that differs between two prompts of the same nodes and inputs, sorted.

    What one of them lacks differs from None.
    """
    first, second = dict(_values(one)), dict(_values(other))
    pairs = ((first.get(key), second.get(key)) for key in first.keys() | second.keys())
    return sorted(((old, new) for old, new in pairs if old != new), key=str)


def _values(prompt: Graph) -> Iterator[tuple[tuple[str, str], object]]:
    for identity, node in prompt.items():
        yield (identity, "class_type"), node["class_type"]
        for name, value in node["inputs"].items():
            yield (identity, f"inputs.{name}"), value


def _with_values_inside(instance: Graph, definition: Graph) -> Graph:
    """A copy of ``definition`` for one instance, whose own values stand in the inner widgets."""
    own = deepcopy(definition) | {"id": f"{definition['id']} for {instance['id']}"}
    values = iter(instance["widgets_values"])
    for slot in own["inputs"]:
        fed = list(_fed_widgets(own, slot["linkIds"]))
        value = next(values) if fed else None
        for node, widget in fed:
            shown = [entry for entry in node["inputs"] if "widget" in entry]
            node["widgets_values"][shown.index(widget)] = value
            widget["link"] = None
    return own


def _fed_widgets(graph: Graph, links: list[int]) -> Iterator[tuple[Graph, Graph]]:
    for node in graph["nodes"]:
        for entry in node["inputs"]:
            if "widget" in entry and entry["link"] in links:
                yield node, entry
