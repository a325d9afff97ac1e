from __future__ import annotations

import json

import pytest
from comfydock_core.domain.workflow import DeclaredModel, parse_workflow
from comfydock_core.errors import WorkflowError

from tests.core.domain.workflow_samples import (
    NESTED,
    SUBGRAPH,
    definition,
    loader_subgraph,
    node,
    ui,
    widget_input,
)


def test_ui_form() -> None:
    properties = {
        "cnr_id": "comfy-core",
        "aux_id": "owner/repository",
        "ver": "0.3.75",
        "models": [
            {"name": "a.sft", "url": "https://h.example/a", "directory": "vae"},
            {"name": "b.sft", "hash": "AB", "hash_type": "SHA256"},
            {"name": "c.sft", "hash": "AB", "hash_type": "MD5"},
        ],
    }
    inputs = [widget_input("vae_name"), {"name": "x", "link": 3}]
    data = ui(node(7, "VAELoader", ["a.sft"], properties=properties, inputs=inputs, mode=4))
    workflow = parse_workflow(data, "w.json")
    (loader,) = workflow.nodes
    assert (workflow.form, loader.id, loader.mode, loader.active) == ("ui", "7", 4, False)
    assert (loader.cnr_id, loader.aux_id, loader.ver) == (
        "comfy-core",
        "owner/repository",
        "0.3.75",
    )
    assert [(slot.name, slot.widget, slot.linked) for slot in loader.inputs] == [
        ("vae_name", "vae_name", False),
        ("x", "", True),
    ]
    assert loader.declared_models == (
        DeclaredModel(name="a.sft", url="https://h.example/a", directory="vae"),
        DeclaredModel(name="b.sft", sha256="ab"),
        DeclaredModel(name="c.sft"),
    )


def test_api_form_tells_links_from_values() -> None:
    inputs = {"model": ["4", 0], "lora_name": "l.sft", "rows": ["a", "b"], "strength": 1}
    document = {"12:3": {"class_type": "LoraLoader", "inputs": inputs}, "extra": {"x": 1}}
    workflow = parse_workflow(json.dumps(document).encode(), "w.json")
    (loader,) = workflow.nodes
    assert (workflow.form, loader.id, loader.type) == ("api", "12:3", "LoraLoader")
    assert loader.widgets == {"lora_name": "l.sft", "rows": ["a", "b"], "strength": 1}
    assert [(slot.name, slot.linked) for slot in loader.inputs] == [("model", True)]


def test_subgraph_nodes_have_path_ids() -> None:
    data = ui(node(1, SUBGRAPH, []), definitions=(loader_subgraph(),))
    outer, inner = parse_workflow(data, "w.json").nodes
    assert (outer.id, outer.subgraph, inner.id, inner.subgraph) == (
        "1",
        SUBGRAPH,
        f"{SUBGRAPH}:47",
        "",
    )


@pytest.mark.parametrize(
    ("modes", "active"),
    [((0,), True), ((2,), False), ((4, 2), False), ((4, 0), True), ((), False)],
)
def test_inner_nodes_run_when_some_instance_does(modes: tuple[int, ...], active: bool) -> None:
    instances = [node(position, SUBGRAPH, [], mode=mode) for position, mode in enumerate(modes)]
    workflow = parse_workflow(ui(*instances, definitions=(loader_subgraph(),)), "w.json")
    assert workflow.nodes[-1].active is active


def test_cyclic_subgraphs_end() -> None:
    there = definition(SUBGRAPH, node(1, NESTED, []))
    back = definition(NESTED, node(1, SUBGRAPH, []), node(2, "VAELoader", ["v.sft"]))
    workflow = parse_workflow(ui(node(1, SUBGRAPH, []), definitions=(there, back)), "w.json")
    assert [found.id for found in workflow.nodes] == [
        "1",
        f"{SUBGRAPH}:1",
        f"{NESTED}:1",
        f"{NESTED}:2",
    ]


def test_definitions_inside_definitions_are_found() -> None:
    inner = definition(NESTED, node(2, "VAELoader", ["v.sft"]))
    outer = definition(SUBGRAPH, node(1, NESTED, []), definitions={"subgraphs": [inner]})
    workflow = parse_workflow(ui(node(1, SUBGRAPH, []), definitions=(outer,)), "w.json")
    last = workflow.nodes[-1]
    assert last.active
    assert last.location == (
        *("definitions", "subgraphs", 0),
        *("definitions", "subgraphs", 0),
        *("nodes", 0),
    )


@pytest.mark.parametrize(
    ("odd", "count"),
    [
        ({"nodes": []}, 0),
        ({"nodes": [None, 3, "x", [], {"id": 1}, {"id": 1, "type": 5}]}, 0),
        ({"nodes": [{"type": "A"}]}, 1),
        ({"nodes": [{"id": None, "type": "A", "mode": "x", "inputs": 3, "properties": []}]}, 1),
        ({"nodes": [{"id": 1, "type": "A", "inputs": [None, 4], "widgets_values": "x"}]}, 1),
        ({"nodes": [{"id": 1, "type": "A", "properties": {"models": [1, None, {}]}}]}, 1),
        ({"nodes": [], "definitions": {"subgraphs": [None, {"id": 3, "nodes": 4}]}}, 0),
        ({"nodes": [], "definitions": []}, 0),
        ({"1": {"class_type": "A"}}, 1),
        ({"1": {"class_type": "A", "inputs": []}, "2": None}, 1),
    ],
)
def test_missing_and_odd_fields_are_never_fatal(odd: object, count: int) -> None:
    assert len(parse_workflow(json.dumps(odd).encode(), "w.json").nodes) == count


@pytest.mark.parametrize(
    "data", [b"{}", b"[]", b"null", b'"x"', b"3", b'{"nodes": {}}', b'{"1": {"inputs": {}}}']
)
def test_what_is_no_workflow_is_refused(data: bytes) -> None:
    with pytest.raises(WorkflowError, match=r"`w\.json` is not a ComfyUI workflow"):
        parse_workflow(data, "w.json")
