"""A workflow file as its nodes: what they are, what they are told, and where in the file.

Two forms are read: the UI form that ComfyUI's frontend saves (with subgraphs), and the API form
that is posted to ``/prompt``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from comfydock_core.domain.json_positions import JsonPath
from comfydock_core.domain.lenient_json import (
    Decoder,
    as_list,
    as_object,
    as_text,
    plain_decoder,
    read_json,
)
from comfydock_core.domain.workflow_subgraphs import (
    PRIMITIVE,
    PromotedWidget,
    Wiring,
    all_graphs,
    is_stopped,
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WorkflowNode:
    """A node as it stands in the file; what few callers ask for is read when it is asked for.

    ``id`` of a node in a subgraph is ``<definition id>:<id>``. ``widgets`` is a list or an object
    in the UI form and always an object in the API form. ``active`` is False when the node, or
    everything it is part of, is muted or bypassed. ``subgraph`` is the id of the definition (or
    group node) that the node is an instance of, else empty. ``location`` leads to the node in the
    document.
    """

    id: str
    type: str
    location: JsonPath
    raw: Mapping[str, object]
    active: bool = True
    widgets: Widgets = ()
    promoted: tuple[PromotedWidget, ...] = ()
    subgraph: str = ""

    @property
    def widgets_key(self) -> str:
        """The key that leads from the node to its widgets."""
        return "inputs" if "class_type" in self.raw else "widgets_values"

    @property
    def mode(self) -> int:
        """0, or 2 for muted and 4 for bypassed."""
        mode = self.raw.get("mode")
        return mode if isinstance(mode, int) else 0

    @property
    def widgets_named(self) -> Mapping[str, object]:
        """The widgets by name, which newer files repeat."""
        return as_object(self.raw.get("widgets_values_named"))

    @property
    def inputs(self) -> tuple[NodeInput, ...]:
        """The inputs; in the API form those that are linked."""
        inputs = self.raw.get("inputs")
        if isinstance(inputs, dict):
            linked = (name for name, value in inputs.items() if _is_link(value))
            return tuple(NodeInput(name=name, linked=True) for name in linked)
        return tuple(_ui_input(slot) for slot in as_list(inputs))

    @property
    def declared_models(self) -> tuple[DeclaredModel, ...]:
        """The files that the author says where to get."""
        models = as_object(self.raw.get("properties")).get("models")
        return tuple(_declared(entry) for entry in as_list(models))

    @property
    def cnr_id(self) -> str:
        """The registry id of the pack that the node came from."""
        return self._property("cnr_id")

    @property
    def aux_id(self) -> str:
        """The repository (``owner/name``) that the node came from."""
        return self._property("aux_id")

    @property
    def ver(self) -> str:
        """The version or commit of that pack."""
        return self._property("ver")

    def _property(self, key: str) -> str:
        return as_text(as_object(self.raw.get("properties")).get(key))


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflow:
    """A workflow file's content; the nodes of every graph, instances of subgraphs included."""

    name: str
    form: Literal["ui", "api"]
    nodes: tuple[WorkflowNode, ...]


def parse_workflow(data: bytes, name: str, decode: Decoder = plain_decoder) -> Workflow:
    """Read a workflow file; ``name`` is what errors call it.

    Raises WorkflowError for what is no JSON and for JSON that is no workflow.
    """
    document = read_json(data, name, decode)
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
    wiring = Wiring(graphs)
    running = running_graphs(graphs)
    for graph in graphs:
        runs = graph.id in running
        for position, raw in graph.nodes():
            widgets = raw.get("widgets_values")
            node_type = raw["type"]
            definition = wiring.definition(node_type)
            shows = definition or node_type == PRIMITIVE
            yield WorkflowNode(
                id=graph.node_id(position, raw),
                type=node_type,
                location=(*graph.location, "nodes", position),
                raw=raw,
                active=runs and not is_stopped(raw),
                widgets=widgets if isinstance(widgets, list | dict) else (),
                promoted=wiring.promoted(raw, graph) if shows else (),
                subgraph=definition,
            )


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
        if isinstance(node_type, str):
            inputs = as_object(as_object(raw).get("inputs"))
            yield WorkflowNode(
                id=identity,
                type=node_type,
                location=(identity,),
                raw=as_object(raw),
                widgets={name: value for name, value in inputs.items() if not _is_link(value)},
            )


def _is_link(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )
