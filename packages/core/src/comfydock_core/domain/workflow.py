"""A workflow file as its nodes: what they are, what they are told, and where in the file.

Two forms are read: the UI form that ComfyUI's frontend saves (with subgraphs), and the API form
that is posted to ``/prompt``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from comfydock_core.domain.json_positions import JsonPath
from comfydock_core.domain.lenient_json import as_list, as_object, as_text, read_json
from comfydock_core.domain.workflow_subgraphs import (
    STOPPED_MODES,
    Graph,
    PromotedWidget,
    all_graphs,
    primitive_widgets,
    promoted_widgets,
    running_graphs,
)
from comfydock_core.errors import WorkflowError

Widgets = Sequence[object] | Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeInput:
    """An input of a node; ``widget`` is the name of the widget behind it, or empty."""

    name: str
    widget: str = ""
    linked: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredModel:
    """An entry of ``properties.models``: a file that the author says where to get."""

    name: str
    url: str = ""
    directory: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowNode:
    """A node as it stands in the file.

    ``id`` of a node in a subgraph is ``<definition id>:<id>``. ``widgets`` is a list or an object
    in the UI form and always an object in the API form; ``widgets_named`` repeats it by name in
    newer files. ``active`` is False when the node, or everything it is part of, is muted or
    bypassed. ``subgraph`` is the id of the definition that the node is an instance of, else empty.
    ``location`` leads to the node in the document, ``widgets_key`` from there to the widgets.
    """

    id: str
    type: str
    location: JsonPath
    mode: int = 0
    active: bool = True
    widgets: Widgets = ()
    widgets_key: str = "widgets_values"
    widgets_named: Mapping[str, object]
    inputs: tuple[NodeInput, ...] = ()
    promoted: tuple[PromotedWidget, ...] = ()
    subgraph: str = ""
    cnr_id: str = ""
    aux_id: str = ""
    ver: str = ""
    declared_models: tuple[DeclaredModel, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflow:
    """A workflow file's content; the nodes of every graph, instances of subgraphs included."""

    name: str
    form: Literal["ui", "api"]
    nodes: tuple[WorkflowNode, ...]


def parse_workflow(data: bytes, name: str) -> Workflow:
    """Read a workflow file; ``name`` is what errors call it.

    Raises WorkflowError for what is no JSON and for JSON that is no workflow.
    """
    document = read_json(data, name)
    if is_ui_form(document):
        return Workflow(name=name, form="ui", nodes=tuple(_ui_nodes(as_object(document))))
    if is_api_form(document):
        return Workflow(name=name, form="api", nodes=tuple(_api_nodes(as_object(document))))
    raise not_a_workflow(name)


def not_a_workflow(name: str) -> WorkflowError:
    """Return the refusal of a JSON file that is something else."""
    return WorkflowError(
        f"`{name}` is not a ComfyUI workflow",
        hint="save it in ComfyUI with Workflow > Save, or export it in API form",
        cause="it has neither a list `nodes` nor nodes with a `class_type`",
        subject=name,
    )


def is_ui_form(document: object) -> bool:
    """Tell whether a document is a workflow as the frontend saves it."""
    return isinstance(as_object(document).get("nodes"), list)


def is_api_form(document: object) -> bool:
    """Tell whether a document is a workflow as it is posted to ``/prompt``."""
    nodes = as_object(document).values()
    return any(isinstance(as_object(node).get("class_type"), str) for node in nodes)


def _ui_nodes(document: Mapping[str, object]) -> Iterator[WorkflowNode]:
    graphs = all_graphs(document)
    definitions = {graph.id: graph for graph in graphs if graph.id}
    running = running_graphs(graphs)
    for graph in graphs:
        for position, raw in graph.nodes():
            yield _ui_node(raw, graph, position, definitions, graph.id in running)


def _ui_node(
    raw: Mapping[str, object],
    graph: Graph,
    position: int,
    definitions: Mapping[str, Graph],
    running: bool,
) -> WorkflowNode:
    properties = as_object(raw.get("properties"))
    mode = raw.get("mode")
    widgets = raw.get("widgets_values")
    node_type = str(raw["type"])
    return WorkflowNode(
        id=graph.path_id(raw.get("id")),
        type=node_type,
        location=(*graph.location, "nodes", position),
        mode=mode if isinstance(mode, int) else 0,
        active=running and mode not in STOPPED_MODES,
        widgets=widgets if isinstance(widgets, list | dict) else (),
        widgets_named=as_object(raw.get("widgets_values_named")),
        inputs=tuple(_ui_input(slot) for slot in as_list(raw.get("inputs"))),
        promoted=_promoted(raw, graph, definitions),
        subgraph=node_type if node_type in definitions else "",
        cnr_id=as_text(properties.get("cnr_id")),
        aux_id=as_text(properties.get("aux_id")),
        ver=as_text(properties.get("ver")),
        declared_models=tuple(_declared(entry) for entry in as_list(properties.get("models"))),
    )


def _promoted(
    raw: Mapping[str, object], graph: Graph, definitions: Mapping[str, Graph]
) -> tuple[PromotedWidget, ...]:
    node_type = str(raw["type"])
    if node_type in definitions:
        return promoted_widgets(raw, definitions[node_type])
    return primitive_widgets(raw, graph) if node_type == "PrimitiveNode" else ()


def _ui_input(slot: object) -> NodeInput:
    fields = as_object(slot)
    return NodeInput(
        name=as_text(fields.get("name")),
        widget=as_text(as_object(fields.get("widget")).get("name")),
        linked=fields.get("link") is not None,
    )


def _declared(entry: object) -> DeclaredModel:
    fields = as_object(entry)
    is_sha256 = as_text(fields.get("hash_type")).lower() == "sha256"
    return DeclaredModel(
        name=as_text(fields.get("name")),
        url=as_text(fields.get("url")),
        directory=as_text(fields.get("directory")),
        sha256=as_text(fields.get("hash")).lower() if is_sha256 else "",
    )


def _api_nodes(document: Mapping[str, object]) -> Iterator[WorkflowNode]:
    for identity, raw in document.items():
        node_type = as_object(raw).get("class_type")
        if not isinstance(node_type, str):
            continue
        inputs = as_object(as_object(raw).get("inputs"))
        links = {name for name, value in inputs.items() if _is_link(value)}
        yield WorkflowNode(
            id=identity,
            type=node_type,
            location=(identity,),
            widgets={name: value for name, value in inputs.items() if name not in links},
            widgets_key="inputs",
            widgets_named={},
            inputs=tuple(NodeInput(name=name, linked=True) for name in inputs if name in links),
        )


def _is_link(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )
