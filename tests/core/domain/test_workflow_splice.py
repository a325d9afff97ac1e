from __future__ import annotations

import json
from typing import Any

import pytest
from comfydock_core.domain.manifest import NodeReference
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_models import model_references
from comfydock_core.domain.workflow_splice import rewrite_values
from comfydock_core.errors import WorkflowError

from tests.core.domain.workflow_samples import (
    NESTED,
    SUBGRAPH,
    declared,
    definition,
    loader_subgraph,
    node,
    ui,
    widget_input,
)

OLD, NEW = "a.safetensors", "süb\\b.safetensors"


def rewrite(data: bytes, *node_ids: str, to: str = NEW) -> Any:
    """Rewrite every reference at the given nodes and return the document as it is then."""
    found = [each.reference for each in model_references(parse_workflow(data, "w.json"))]
    changes = {reference: to for reference in found if reference.node_id in node_ids}
    done = rewrite_values(data, changes)
    assert (set(done.changed), done.left_alone) == (set(changes), ())
    return json.loads(done.data)


def inner_value(document: Any, position: int = 0) -> str:
    return str(document["definitions"]["subgraphs"][position]["nodes"][0]["widgets_values"][0])


def test_only_the_meant_bytes_change() -> None:
    data = (
        b'\xef\xbb\xbf{\r\n\t"nodes": [ {"id":1,"type":"VAELoader","widgets_values":["old.sft"],'
        b'"size":[315.0,1e2], "title":"old.sft \\u00e9"} ],"seed": 18446744073709551616, "n":NaN}\n'
    )
    reference = NodeReference(node_id="1", node_type="VAELoader", widget_value="old.sft")
    done = rewrite_values(data, {reference: "new/x.sft"})
    assert done.data == data.replace(b'["old.sft"]', b'["new/x.sft"]')


def test_what_repeats_the_value_at_the_node_goes_with_it() -> None:
    loader = node(
        1,
        "DualCLIPLoader",
        [OLD, "t5.sft", "flux"],
        widgets_values_named={"clip_name1": OLD, "clip_name2": "t5.sft", "type": "flux"},
        properties=declared(OLD, "text_encoders"),
    )
    reference = NodeReference(node_id="1", node_type="DualCLIPLoader", widget_value=OLD)
    changed = json.loads(rewrite_values(ui(loader), {reference: NEW}).data)["nodes"][0]
    assert changed["widgets_values"] == [NEW, "t5.sft", "flux"]
    assert changed["widgets_values_named"]["clip_name1"] == NEW
    assert changed["properties"]["models"][0]["name"] == NEW


def test_api_form_and_nested_rows() -> None:
    api = {"4": {"class_type": "LoraLoader", "inputs": {"clip": ["1", 0], "lora_name": OLD}}}
    assert rewrite(json.dumps(api).encode(), "4")["4"]["inputs"]["lora_name"] == NEW
    rows = [{}, {"on": True, "lora": OLD}, {"on": True, "lora": "other.sft"}]
    data = ui(node(1, "Power Lora Loader (rgthree)", rows))
    reference = NodeReference(
        node_id="1", node_type="", widget_index=1, widget_value=OLD, widget_name="lora"
    )
    changed = json.loads(rewrite_values(data, {reference: NEW}).data)["nodes"][0]["widgets_values"]
    assert [row.get("lora") for row in changed] == [None, NEW, "other.sft"]


@pytest.mark.parametrize("asked", [("1",), (f"{SUBGRAPH}:47",), ("1", f"{SUBGRAPH}:47")])
def test_a_promoted_widget_changes_in_both_places(asked: tuple[str, ...]) -> None:
    instance = node(1, SUBGRAPH, [OLD], widgets_values_named={"ckpt_name": OLD})
    document = rewrite(ui(instance, definitions=(loader_subgraph(OLD),)), *asked)
    assert document["nodes"][0]["widgets_values"] == [NEW]
    assert document["nodes"][0]["widgets_values_named"] == {"ckpt_name": NEW}
    assert inner_value(document) == NEW
    inner = document["definitions"]["subgraphs"][0]["nodes"][0]
    assert inner["properties"]["models"][0]["name"] == NEW


def test_two_instances_keep_their_own_models() -> None:
    instances = [node(1, SUBGRAPH, [OLD]), node(2, SUBGRAPH, ["other.safetensors"])]
    document = rewrite(ui(*instances, definitions=(loader_subgraph(OLD),)), "1")
    values = [each["widgets_values"] for each in document["nodes"]]
    assert values == [[NEW], ["other.safetensors"]]


def test_an_inner_value_that_another_instance_relies_on_stays() -> None:
    instances = [node(1, SUBGRAPH, [OLD]), node(2, SUBGRAPH, [])]
    document = rewrite(ui(*instances, definitions=(loader_subgraph(OLD),)), "1")
    assert document["nodes"][0]["widgets_values"] == [NEW]
    assert inner_value(document) == OLD


@pytest.mark.parametrize("asked", ["1", f"{NESTED}:3", f"{SUBGRAPH}:47"])
def test_nested_subgraphs_change_all_the_way(asked: str) -> None:
    inner = node(3, SUBGRAPH, [OLD], inputs=[widget_input("ckpt_name", 8)])
    middle = definition(NESTED, inner, inputs=(("ckpt_name", 8),))
    data = ui(node(1, NESTED, [OLD]), definitions=(middle, loader_subgraph(OLD)))
    document = rewrite(data, asked)
    assert document["nodes"][0]["widgets_values"] == [NEW]
    assert [inner_value(document, position) for position in (0, 1)] == [NEW, NEW]


def test_a_primitive_and_its_loader_change_together() -> None:
    primitive = node(1, "PrimitiveNode", [OLD, "fixed"], outputs=[{"links": [9]}])
    loader = node(2, "VAELoader", [OLD], inputs=[widget_input("vae_name", 9)])
    document = rewrite(ui(primitive, loader), "2")
    assert [each["widgets_values"][0] for each in document["nodes"]] == [NEW, NEW]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (NodeReference(node_id="9", node_type="VAELoader", widget_value=OLD), "no longer has"),
        (NodeReference(node_id="1", node_type="VAELoader", widget_value="b"), "no longer has"),
        (
            NodeReference(node_id="1", node_type="V", widget_value=OLD, widget_name="x"),
            "no longer has",
        ),
        (NodeReference(node_id="2", node_type="Odd", widget_value="x.sft"), "`Odd` names its"),
    ],
)
def test_the_rest_is_left_alone_and_named(reference: NodeReference, reason: str) -> None:
    data = ui(node(1, "VAELoader", [OLD]), node(2, "Odd", ["x.sft"]))
    done = rewrite_values(data, {reference: NEW})
    assert (done.data, done.changed) == (data, ())
    assert [each.reference for each in done.left_alone] == [reference]
    assert reason in done.left_alone[0].reason


def test_the_same_value_is_no_change() -> None:
    data = ui(node(1, "VAELoader", [OLD]))
    reference = NodeReference(node_id="1", node_type="VAELoader", widget_value=OLD)
    done = rewrite_values(data, {reference: OLD})
    assert (done.data, done.changed, done.left_alone) == (data, (), ())


def test_there_and_back_is_the_same_file() -> None:
    instance = node(1, SUBGRAPH, [OLD], title="größe")
    data = ui(instance, node(2, "VAELoader", ["v.sft"]), definitions=(loader_subgraph(OLD),))
    changes = {
        each.reference: f"x/{each.reference.widget_value}"
        for each in model_references(parse_workflow(data, "w.json"))
    }
    there = rewrite_values(data, changes)
    back = {
        each.reference: each.reference.widget_value.removeprefix("x/")
        for each in model_references(parse_workflow(there.data, "w.json"))
    }
    assert there.data != data
    assert rewrite_values(there.data, back).data == data


def test_what_is_no_workflow_is_refused() -> None:
    with pytest.raises(WorkflowError, match=r"`w\.json`"):
        rewrite_values(b"{}", {}, name="w.json")


def test_many_paths_through_nested_subgraphs_are_walked_once() -> None:
    """Forty levels with two instances each are 2**40 paths."""
    names = [f"{level:08d}-0000-0000-0000-000000000000" for level in range(40)]
    levels = [
        definition(
            name,
            node(1, inner, [OLD], inputs=[widget_input("ckpt_name", 8)]),
            node(2, inner, [OLD], inputs=[widget_input("ckpt_name", 9)]),
            inputs=(("ckpt_name", 8),),
        )
        for name, inner in zip(names, [*names[1:], SUBGRAPH], strict=True)
    ]
    for level in levels:
        level["inputs"][0]["linkIds"] = [8, 9]
    data = ui(node(1, names[0], [OLD]), definitions=(*levels, loader_subgraph(OLD)))
    document = rewrite(data, "1")
    assert OLD not in json.dumps(document["nodes"])
    assert inner_value(document, 40) == NEW
