from __future__ import annotations

from typing import Any

import pytest
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_subgraphs import Graph, PromotedWidget, Wiring

from tests.core.domain.workflow_samples import SUBGRAPH, definition, node, ui, widget_input


def two_loaders() -> dict[str, Any]:
    """A definition that promotes the loaders' widgets in another order than its nodes'."""
    vae = node(5, "VAELoader", ("v.sft",), inputs=[widget_input("vae_name", 3)])
    unet = node(6, "UNETLoader", ("u.sft", "default"), inputs=[widget_input("unet_name", 2)])
    inputs = (("image", 1), ("unet_name", 2), ("vae_name", 3))
    return definition(SUBGRAPH, vae, unet, inputs=inputs)


def shown(instance: dict[str, Any]) -> list[tuple[str, int | None, str]]:
    graph = Graph(
        id=SUBGRAPH, location=(), raw=two_loaders() | {"nodes": [*two_loaders()["nodes"]]}
    )
    return [
        (slot.name, slot.index, ",".join(f"{t.node_id[-1]}.{t.widget}" for t in slot.targets))
        for slot in Wiring([graph]).promoted(instance, graph)
    ]


UNET, VAE = "6.unet_name", "5.vae_name"


@pytest.mark.parametrize(
    ("values", "proxies", "expected"),
    [
        (["u", "v"], None, [("unet_name", 0, UNET), ("vae_name", 1, VAE)]),
        (["u", "v"], [], [("unet_name", 0, UNET), ("vae_name", 1, VAE)]),
        ([], [["5", "vae_name"]], [("vae_name", None, VAE), ("unet_name", None, UNET)]),
        ([], [["-1", "vae_name"]], [("vae_name", None, VAE), ("unet_name", None, UNET)]),
        (["v", "d"], [["-1", "vae_name"], ["6", "weight_dtype"]],
         [("vae_name", 0, VAE), ("weight_dtype", 1, "6.weight_dtype")]),
        (["u", "v"], [["6", "weight_dtype"]], [("unet_name", 0, UNET), ("vae_name", 1, VAE)]),
        ([], [["5", "12: 34: vae_name"]], [("vae_name", None, VAE), ("unet_name", None, UNET)]),
        (["u"], [["-1", "gone"]], [("gone", 0, "")]),
    ],
)  # fmt: skip
def test_promotion_formats(
    values: list[str], proxies: object, expected: list[tuple[str, int | None, str]]
) -> None:
    properties = {} if proxies is None else {"proxyWidgets": proxies}
    assert shown(node(1, SUBGRAPH, values, properties=properties)) == expected


@pytest.mark.parametrize("proxies", [3, [None, 4, [], [[]], ["5"], {"a": 1}]])
def test_odd_proxies_are_never_fatal(proxies: object) -> None:
    slots = shown(node(1, SUBGRAPH, [], properties={"proxyWidgets": proxies}))
    assert ("unet_name", 0 if proxies == 3 else None, UNET) in slots


def test_a_primitive_drives_what_it_links_to() -> None:
    primitive = node(1, "PrimitiveNode", ["a.sft", "fixed"], outputs=[{"links": [9]}])
    loader = node(2, "VAELoader", ["a.sft"], inputs=[widget_input("vae_name", 9)])
    first = parse_workflow(ui(primitive, loader), "w.json").nodes[0]
    (slot,) = first.promoted
    assert isinstance(slot, PromotedWidget)
    assert [(target.node_id, target.widget) for target in slot.targets] == [("2", "vae_name")]
