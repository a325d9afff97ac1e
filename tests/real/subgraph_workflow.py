"""A workflow whose upscale model loaders lie inside subgraphs, in both formats of promotion.

Node 2 shows the inner loader's widget by ``properties.proxyWidgets``: the inner value is the truth.
Nodes 3 and 4 are instances of one other subgraph whose input feeds that widget: each has a value of
its own, which wins over the inner one.
"""

from __future__ import annotations

from typing import Any

from tests.real.tiny_models import RED_UPSCALER, UPSCALER

Graph = dict[str, Any]

PROXIED = "3f1d2a52-7c0e-4b57-8d61-0c9b6f0a1d01"
PROMOTED = "3f1d2a52-7c0e-4b57-8d61-0c9b6f0a1d02"
WIDGET = "model_name"
FRAME: Graph = {"groups": [], "config": {}, "extra": {"ds": {"scale": 1.0, "offset": [0, -1e-07]}}}


def subgraph_workflow(models_url: str) -> Graph:
    """The workflow as the frontend saves it; one of its loaders says where its model can be had."""
    nodes = (
        _node(1, "EmptyImage", [64, 64, 1, 3368601], outputs=("IMAGE",)),
        _instance(2, PROXIED, [], properties={"proxyWidgets": [["1", WIDGET]]}),
        _instance(3, PROMOTED, [UPSCALER.filename], inputs=[_widget_input(None)]),
        _instance(4, PROMOTED, [RED_UPSCALER.filename], inputs=[_widget_input(None)]),
        _node(5, "SaveImage", ["enlarged"], inputs=[_input("images", "IMAGE", 4)]),
    )
    url = f"{models_url}/{UPSCALER.path}"
    declared = {"name": UPSCALER.filename, "url": url, "directory": UPSCALER.folder}
    return FRAME | {
        "id": "3f1d2a52-7c0e-4b57-8d61-0c9b6f0a1d00",
        "nodes": list(nodes),
        "links": [[number, number, 0, number + 1, 0, "IMAGE"] for number in range(1, 5)],
        "definitions": {
            "subgraphs": [
                _enlarging(PROXIED, _loader(properties={"models": [declared]})),
                _enlarging(PROMOTED, _loader(inputs=[_widget_input(4)]), promoted=True),
            ]
        },
        "version": 0.4,
    }


def _enlarging(identity: str, loader: Graph, *, promoted: bool = False) -> Graph:
    """A definition: a loader and what uses its model; its second input feeds the widget."""
    upscale = _node(
        2,
        "ImageUpscaleWithModel",
        [],
        inputs=[_input("upscale_model", "UPSCALE_MODEL", 2), _input("image", "IMAGE", 1)],
        outputs=("IMAGE",),
    )
    image = {"name": "image", "type": "IMAGE", "linkIds": [1]}
    widget = {"name": WIDGET, "type": "COMBO", "linkIds": [4]}
    links = (
        (1, -10, 0, 2, 1, "IMAGE"),
        (2, 1, 0, 2, 0, "UPSCALE_MODEL"),
        (3, 2, 0, -20, 0, "IMAGE"),
    )
    to_widget = (4, -10, 1, 1, 0, "COMBO")
    return FRAME | {
        "id": identity,
        "version": 1,
        "name": f"Größer mit {UPSCALER.filename}",
        "inputNode": {"id": -10, "bounding": [-120, 80, 120, 60]},
        "outputNode": {"id": -20, "bounding": [700, 80, 120, 60]},
        "inputs": [image, widget] if promoted else [image],
        "outputs": [{"name": "IMAGE", "type": "IMAGE", "linkIds": [3]}],
        "widgets": [],
        "nodes": [loader, upscale],
        "links": [_link(*link) for link in ((*links, to_widget) if promoted else links)],
    }


def _loader(**more: Any) -> Graph:
    widgets = [UPSCALER.filename]
    return _node(1, "UpscaleModelLoader", widgets, outputs=("UPSCALE_MODEL",), **more)


def _instance(number: int, definition: str, widgets: list[str], **more: Any) -> Graph:
    """An enlargement of what the node before makes."""
    inputs = [_input("image", "IMAGE", number - 1), *more.pop("inputs", ())]
    return _node(number, definition, widgets, inputs=inputs, outputs=("IMAGE",), **more)


def _node(
    number: int,
    kind: str,
    widgets: list[Any],
    *,
    inputs: list[Graph] | tuple[()] = (),
    outputs: tuple[str, ...] = (),
    properties: Graph | None = None,
) -> Graph:
    return {
        "id": number,
        "type": kind,
        "title": f"not {UPSCALER.filename}",
        "pos": [60 + 320 * number, 80],
        "size": [300, 120],
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": list(inputs),
        "outputs": [{"name": output, "type": output, "links": [number]} for output in outputs],
        "properties": {"Node name for S&R": kind} | (properties or {}),
        "widgets_values": widgets,
    }


def _input(name: str, kind: str, link: int | None) -> Graph:
    return {"name": name, "type": kind, "link": link}


def _widget_input(link: int | None) -> Graph:
    return _input(WIDGET, "COMBO", link) | {"widget": {"name": WIDGET}}


def _link(number: int, origin: int, slot: int, target: int, target_slot: int, kind: str) -> Graph:
    """Subgraphs write their links as objects."""
    return {
        "id": number,
        "origin_id": origin,
        "origin_slot": slot,
        "target_id": target,
        "target_slot": target_slot,
        "type": kind,
    }
