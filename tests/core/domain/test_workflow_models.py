from __future__ import annotations

import json

import pytest
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_models import ModelReference, model_references

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

Found = list[tuple[str, int, str, str, str]]


def references(data: bytes) -> tuple[ModelReference, ...]:
    return model_references(parse_workflow(data, "w.json"))


def places(data: bytes) -> Found:
    """Return (node, index, widget, value, category) with subgraph ids cut to four letters."""
    return [
        (
            found.reference.node_id.replace(SUBGRAPH, "sub").replace(NESTED, "nested"),
            found.reference.widget_index,
            found.reference.widget_name,
            found.reference.widget_value,
            found.category,
        )
        for found in references(data)
    ]


def api(class_type: str, inputs: object) -> bytes:
    return json.dumps({"4": {"class_type": class_type, "inputs": inputs}}).encode()


POWER_ROWS = [
    {},
    {"type": "Header"},
    {"on": True, "lora": "a\\b.sft"},
    {"on": False, "lora": "c.sft"},
]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ui(node(1, "UNETLoader", ["u.sft", "default"])),
         [("1", 0, "unet_name", "u.sft", "diffusion_models")]),
        (ui(node(1, "DualCLIPLoader", ["a.sft", "b.sft", "sdxl"])),
         [("1", 0, "clip_name1", "a.sft", "text_encoders"),
          ("1", 1, "clip_name2", "b.sft", "text_encoders")]),
        (ui(node(1, "CheckpointLoader", ["v1.yaml", "c.ckpt"])),
         [("1", 1, "ckpt_name", "c.ckpt", "checkpoints")]),
        (ui(node(1, "VAELoader", ["pixel_space"]), node(2, "VAELoader", ["taesdxl"])), []),
        (ui(node(1, "VAELoader", {"vae_name": "v.sft"})), [("1", 0, "vae_name", "v.sft", "vae")]),
        (ui(node(1, "Power Lora Loader (rgthree)", POWER_ROWS)),
         [("1", 2, "lora", "a\\b.sft", "loras"), ("1", 3, "lora", "c.sft", "loras")]),
        (ui(node(1, "LoraLoader|pysssss", [{"content": "l.sft", "image": "l.png"}, 1])),
         [("1", 0, "lora_name.content", "l.sft", "loras")]),
        (ui(node(1, "Unknown", [1, {"rows": [{"file": "x/y.gguf"}]}])),
         [("1", 1, "rows.0.file", "x/y.gguf", "")]),
        (ui(node(1, "Unknown", ["m.sft"], properties=declared("m.sft", "clip"))),
         [("1", 0, "", "m.sft", "text_encoders")]),
        (ui(node(1, "Unknown", ["m.task"], properties=declared("m.task", "poses"))),
         [("1", 0, "", "m.task", "poses")]),
        (ui(node(1, "Unknown", ["m.sft"], inputs=[widget_input("model")])),
         [("1", 0, "model", "m.sft", "")]),
        (ui(node(1, "CLIPTextEncode", ["a photo of x.pt"]), node(2, "Note", ["a.ckpt"])), []),
        (ui(node(1, "VAELoader", ["größe/名前.sft"])),
         [("1", 0, "vae_name", "größe/名前.sft", "vae")]),
        (ui(node(1, "LoadImage", ["a.png", "image"])), []),
        (api("LoraLoader", {"clip": ["1", 0], "lora_name": "l.sft"}),
         [("4", 0, "lora_name", "l.sft", "loras")]),
        (api("Power Lora Loader (rgthree)", {"lora_1": {"lora": "l.sft"}}),
         [("4", 0, "lora_1.lora", "l.sft", "loras")]),
    ],
)  # fmt: skip
def test_references(data: bytes, expected: Found) -> None:
    assert places(data) == expected


INNER = ("sub:47", 0, "ckpt_name", "a.safetensors", "checkpoints")


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ([node(1, SUBGRAPH, [], properties={"proxyWidgets": [["47", "ckpt_name"]]})], [INNER]),
        ([node(1, SUBGRAPH, ["a.safetensors"])],
         [("1", 0, "ckpt_name", "a.safetensors", "checkpoints"), INNER]),
        ([node(1, SUBGRAPH, ["b.safetensors"])],
         [("1", 0, "ckpt_name", "b.safetensors", "checkpoints")]),
        ([node(1, SUBGRAPH, ["b.safetensors"]), node(2, SUBGRAPH, ["c.safetensors"])],
         [("1", 0, "ckpt_name", "b.safetensors", "checkpoints"),
          ("2", 0, "ckpt_name", "c.safetensors", "checkpoints")]),
        ([node(1, SUBGRAPH, ["b.safetensors"]), node(2, SUBGRAPH, [None])],
         [("1", 0, "ckpt_name", "b.safetensors", "checkpoints"), INNER]),
        ([], [INNER]),
    ],
)  # fmt: skip
def test_an_instances_value_wins(instances: list[dict[str, object]], expected: Found) -> None:
    assert places(ui(*instances, definitions=(loader_subgraph(),))) == expected


def test_nested_promotion_reaches_the_loader() -> None:
    inner = node(3, SUBGRAPH, ["a.safetensors"], inputs=[widget_input("ckpt_name", 8)])
    middle = definition(NESTED, inner, inputs=(("ckpt_name", 8),))
    data = ui(node(1, NESTED, ["a.safetensors"]), definitions=(middle, loader_subgraph()))
    assert [(found[0], found[4]) for found in places(data)] == [
        ("1", "checkpoints"),
        ("nested:3", "checkpoints"),
        ("sub:47", "checkpoints"),
    ]


def test_a_cycle_of_promotions_ends() -> None:
    inner = node(3, SUBGRAPH, ["a.sft"], inputs=[widget_input("x", 8)])
    looped = definition(SUBGRAPH, inner, inputs=(("x", 8),))
    data = ui(node(1, SUBGRAPH, ["a.sft"]), definitions=(looped,))
    assert [found[4] for found in places(data)] == ["", ""]


def test_a_primitive_names_the_model_of_its_loader() -> None:
    primitive = node(1, "PrimitiveNode", ["new.sft", "fixed"], outputs=[{"links": [9]}])
    loader = node(2, "VAELoader", ["old.sft"], inputs=[widget_input("vae_name", 9)])
    assert places(ui(primitive, loader)) == [("1", 0, "value", "new.sft", "vae")]


def test_what_was_declared_comes_along() -> None:
    properties = declared("m.sft", "vae", hash="AB" * 32, hash_type="SHA256")
    (found,) = references(ui(node(1, "VAELoader", ["m.sft"], properties=properties)))
    assert (found.url, found.sha256) == ("https://models.example/m.sft", "ab" * 32)


@pytest.mark.parametrize(
    ("data", "active"),
    [
        (ui(node(1, "VAELoader", ["m.sft"])), True),
        (ui(node(1, "VAELoader", ["m.sft"], mode=2)), False),
        (ui(node(1, "VAELoader", ["m.sft"], mode=4)), False),
        (ui(node(1, "Power Lora Loader (rgthree)", POWER_ROWS[3:])), False),
        (ui(definitions=(loader_subgraph(),)), False),
    ],
)
def test_what_cannot_matter_is_not_active(data: bytes, active: bool) -> None:
    assert [found.active for found in references(data)] == [active]


def test_deep_values_and_many_nodes() -> None:
    deep = b'{"nodes": [{"id": 1, "type": "X", "widgets_values": [' + b"[" * 400
    deep += b'"m.sft"' + b"]" * 400 + b"]}]}"
    assert len(references(deep)) == 1
    many = ui(*(node(each, "VAELoader", ["m.sft"]) for each in range(5_000)))
    assert len(references(many)) == 5_000
