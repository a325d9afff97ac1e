"""Small workflows in every form, built by hand after files that the frontend wrote."""

from __future__ import annotations

import json
from typing import Any

SUBGRAPH = "11111111-2222-3333-4444-555555555555"
NESTED = "99999999-8888-7777-6666-555555555555"

Node = dict[str, Any]


def node(identity: int, node_type: str, widgets: object = (), **more: Any) -> Node:
    """Return a node as the frontend saves it; tuples become lists."""
    found = {"id": identity, "type": node_type, "pos": [0, 0], "mode": 0, "properties": {}}
    return found | {"widgets_values": widgets} | more


def widget_input(name: str, link: int | None = None) -> Node:
    """Return an input that a widget stands behind."""
    return {"name": name, "type": "COMBO", "widget": {"name": name}, "link": link}


def declared(name: str, directory: str, **more: str) -> Node:
    """Return node properties that declare one model."""
    url = f"https://models.example/{name}"
    return {"models": [{"name": name, "url": url, "directory": directory, **more}]}


def ui(*nodes: Node, definitions: tuple[Node, ...] = (), links: tuple[Any, ...] = ()) -> bytes:
    """Return a workflow in UI form."""
    document: Node = {"id": "w", "nodes": nodes, "links": links, "groups": [], "version": 0.4}
    if definitions:
        document["definitions"] = {"subgraphs": definitions}
    return json.dumps(document, ensure_ascii=False).encode()


def definition(
    identity: str, *nodes: Node, inputs: tuple[tuple[str, int], ...] = (), **more: Any
) -> Node:
    """Return a subgraph definition whose inputs are (name, link id)."""
    slots = [{"name": name, "type": "COMBO", "linkIds": [link]} for name, link in inputs]
    return {"id": identity, "name": "sub", "inputs": slots, "nodes": nodes, "links": [], **more}


def loader_subgraph(value: str = "a.safetensors") -> Node:
    """Return a definition with a checkpoint loader (47) whose widget is its second input."""
    image = ("image", 1)
    loader = node(
        47,
        "CheckpointLoaderSimple",
        (value,),
        inputs=[widget_input("ckpt_name", 2)],
        properties=declared(value, "checkpoints"),
    )
    return definition(SUBGRAPH, loader, inputs=(image, ("ckpt_name", 2)))
