"""Workflows as they come: each with every model that it names, or the refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from comfydock_core.domain.lenient_json import fast_decoder, plain_decoder
from comfydock_core.domain.model_loaders import NO_INDEX, LoaderWidget, known_loaders
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_container import embedded_workflow
from comfydock_core.domain.workflow_meaning import meaning
from comfydock_core.domain.workflow_models import model_references
from comfydock_core.errors import WorkflowError

from tests.core.domain.containers import mp4_with_comment, png, webp
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

Found = list[tuple[str, str, str]]

LEARNED = known_loaders(
    {
        "Learned": (LoaderWidget(name="m", index=1, folder="loras", fixed=("ESAM", "any.pt")),),
        "ByName": (LoaderWidget(name="m", index=NO_INDEX, folder="vae"),),
    }
)
VAE = ("1", "v.sft", "vae")
PROXY = {"proxyWidgets": [["47", "ckpt_name"]]}
CHECKPOINT = "checkpoints"


def api(**nodes: tuple[str, Any]) -> bytes:
    return json.dumps(
        {key[1:]: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    ).encode()


def raw(nodes: str, rest: str = "") -> bytes:
    return f'{{"nodes": [{nodes}]{rest}}}'.encode()


def group(*inner: dict[str, Any], instance: dict[str, Any], **more: Any) -> bytes:
    """Return a workflow with a group node ``G`` made of ``inner``."""
    numbered = [{**each, "id": -1, "index": at} for at, each in enumerate(inner)]
    document = json.loads(ui(instance)) | {"extra": {"groupNodes": {"G": {"nodes": numbered}}}}
    return json.dumps(document | more).encode()


def instances(*nodes: dict[str, Any]) -> bytes:
    return ui(*nodes, definitions=(loader_subgraph("a.sft"),))


def cyclic() -> bytes:
    one = definition(SUBGRAPH, node(1, NESTED, ["a.sft"], inputs=[widget_input("x", 3)]),
                     inputs=(("x", 3),))  # fmt: skip
    two = definition(NESTED, node(1, SUBGRAPH, ["a.sft"], inputs=[widget_input("x", 3)]),
                     inputs=(("x", 3),))  # fmt: skip
    return ui(node(1, SUBGRAPH, ["a.sft"]), definitions=(one, two))


def loader(value: object, **more: Any) -> dict[str, Any]:
    return node(1, "VAELoader", value if isinstance(value, list | dict) else [value], **more)


INNER = ("sub:47", "a.sft", CHECKPOINT)
RGTHREE = "Power Lora Loader (rgthree)"
ROWS = [{}, {"on": True, "lora": "a\\b.sft", "strength": 1}, {"on": False, "lora": "None"}]

AWKWARD: dict[str, tuple[bytes, Found]] = {
    "no nodes": (ui(), []),
    "missing keys": (raw('{"type": "VAELoader", "widgets_values": ["v.sft"]}'),
                     [("", "v.sft", "vae")]),
    "nodes that are none": (raw('null, 3, "x", [], {}, {"type": 4}'), []),
    "a text for an id": (raw('{"id": "x:1", "type": "VAELoader", "widgets_values": ["v.sft"]}'),
                         [("x:1", "v.sft", "vae")]),
    "a float for an id": (raw('{"id": 1.0, "type": "VAELoader", "widgets_values": ["v.sft"]}'),
                          [VAE]),
    "odd types everywhere": (raw('{"id": [], "type": "VAELoader", "mode": "x", "inputs": 3, '
                                 '"properties": [], "widgets_values": "v.sft"}',
                                 ', "extra": 3, "definitions": []'), []),
    "a byte order mark": (b"\xef\xbb\xbf" + ui(loader("v.sft")), [VAE]),
    "NaN and infinity": (raw('{"id": 1, "type": "VAELoader", "widgets_values": '
                             '["v.sft", NaN, Infinity]}'), [VAE]),
    "a huge integer": (raw('{"id": 1, "type": "VAELoader", "widgets_values": '
                           '["v.sft", 18446744073709551616123]}'), [VAE]),
    "a key given twice": (raw('{"id": 1, "type": "X", "type": "VAELoader", '
                              '"widgets_values": ["v.sft"]}'), [VAE]),
    "two nodes with one id": (ui(loader("v.sft"), loader("w.sft")),
                              [VAE, ("1", "w.sft", "vae")]),
    "windows path": (ui(loader("sub\\v.sft")), [("1", "sub\\v.sft", "vae")]),
    "an absolute path": (ui(loader("C:\\m\\v.sft")), [("1", "C:\\m\\v.sft", "vae")]),
    "unicode": (ui(loader("größe/名前 🙂.sft")), [("1", "größe/名前 🙂.sft", "vae")]),
    "a lone surrogate": (raw('{"id": 1, "type": "VAELoader", "widgets_values": ["\\ud800.sft"]}'),
                         [("1", "\ud800.sft", "vae")]),
    "upper case suffix": (ui(loader("V.SafeTensors")), [("1", "V.SafeTensors", "vae")]),
    "the same model twice": (ui(loader("v.sft"), node(2, "VAELoader", ["v.sft"])),
                             [VAE, ("2", "v.sft", "vae")]),
    "values that are no files": (ui(*(loader(each) for each in ("pixel_space", "taesd", "None"))),
                                 []),
    "a name without a suffix": (ui(loader("something")), [("1", "something", "vae")]),
    "prose that ends like a model": (ui(node(1, "CLIPTextEncode", ["load x.pt"]),
                                        node(2, "Note", ["x.ckpt"]),
                                        node(3, "X", ["two\nlines.pt"])), []),
    "an address": (ui(node(1, "X", ["https://h.example/x.pt"])), []),
    "an image and a font": (ui(node(1, "LoadImage", ["a.png", "image"]), node(2, "X", ["f.ttf"])),
                            []),
    "an unknown node": (ui(node(1, "X", [1, "m.gguf"])), [("1", "m.gguf", "")]),
    "aliases of folders": (ui(node(1, "X", ["u.sft"], properties=declared("u.sft", "unet"))),
                           [("1", "u.sft", "diffusion_models")]),
    "declared, and not in the widgets": (ui(node(1, "X", [], properties=declared("u.sft", "vae"))),
                                         []),
    "declared twice": (ui(loader("v.sft", properties={"models": [{"name": "v.sft"},
                                                                {"name": "v.sft"}, 3]})), [VAE]),
    "muted": (ui(loader("v.sft", mode=2)), [VAE]),
    "bypassed": (ui(loader("v.sft", mode=4)), [VAE]),
    "widgets as an object": (ui(loader({"vae_name": "v.sft", "x": 1})), [VAE]),
    "rows in a list": (ui(node(1, RGTHREE, ROWS)), [("1", "a\\b.sft", "loras")]),
    "rows in an object": (ui(node(1, RGTHREE, {"lora_1": ROWS[1]})),
                          [("1", "a\\b.sft", "loras")]),
    "a picture beside the name": (ui(node(1, "LoraLoader|pysssss", [{"content": "l.sft"}])),
                                  [("1", "l.sft", "loras")]),
    "nested deep": (raw('{"id": 1, "type": "X", "widgets_values": [' + "[" * 300 + '"m.sft"'
                        + "]" * 300 + "]}"), [("1", "m.sft", "")]),
    "named by the file": (ui(node(1, "VAELoader", [0, "v.sft"],
                                  widgets_values_named={"x": 0, "vae_name": "v.sft"})), [VAE]),
    "learned from code": (ui(node(1, "Learned", ["x", "l.sft"])), [("1", "l.sft", "loras")]),
    "a choice that is no file": (ui(node(1, "Learned", ["x", "ESAM"])), []),
    "a choice that is a file": (ui(node(1, "Learned", ["x", "any.pt"])),
                                [("1", "any.pt", "loras")]),
    "a value where the code expects none": (ui(node(1, "Learned", ["l.sft", "None"])),
                                            [("1", "l.sft", "")]),
    "learned by name alone": (ui(node(1, "ByName", [0, "v.sft"], inputs=[widget_input("x"),
                                                                        widget_input("m")])),
                              [VAE]),
    "learned by name, in API form": (api(_1=("ByName", {"m": "v.sft"})), [VAE]),
    "API form": (api(_1=("VAELoader", {"vae_name": "v.sft", "x": ["2", 0]})), [VAE]),
    "API form with more beside it": (b'{"1": {"class_type": "VAELoader", "inputs": {"vae_name": '
                                     b'"v.sft"}}, "extra": 3, "x": {"inputs": []}}', [VAE]),
    "API form without inputs": (b'{"1": {"class_type": "VAELoader"}}', []),
    "a subgraph, inner value": (instances(node(1, SUBGRAPH, [], properties=PROXY)), [INNER]),
    "a subgraph, outer value": (instances(node(1, SUBGRAPH, ["b.sft"])),
                                [("1", "b.sft", CHECKPOINT)]),
    "two instances that differ": (instances(node(1, SUBGRAPH, ["b.sft"]),
                                            node(2, SUBGRAPH, ["a.sft"])),
                                  [("1", "b.sft", CHECKPOINT), ("2", "a.sft", CHECKPOINT), INNER]),
    "a subgraph never used": (instances(), [INNER]),
    "a subgraph that is not there": (ui(node(1, SUBGRAPH, ["b.sft"])), [("1", "b.sft", "")]),
    "subgraphs in a circle": (cyclic(), [("1", "a.sft", ""), ("sub:1", "a.sft", ""),
                                         ("nested:1", "a.sft", "")]),
    "a definition given twice": (ui(node(1, SUBGRAPH, []), definitions=(
        loader_subgraph("a.sft"), loader_subgraph("z.sft"))), [INNER]),
    "a primitive": (ui(node(2, "PrimitiveNode", ["w.sft"], outputs=[{"links": [9]}]),
                       loader("v.sft", inputs=[widget_input("vae_name", 9)])),
                    [("2", "w.sft", "vae")]),
    "a group node": (group(node(0, "VAELoader", ["old.sft"]), node(0, "KSampler", [1]),
                           instance=node(1, "workflow>G", ["v.sft", 1])), [VAE]),
    "a group node of old": (group(node(0, "KSampler", [1]), node(0, "VAELoader", ["v.sft"]),
                                  instance=node(1, "workflow/G", [1, "v.sft"])),
                            [VAE, ("workflow>G:1", "v.sft", "vae")]),
    "a group node with hidden widgets": (group(node(0, "VAELoader", ["v.sft"]),
                                               node(0, "KSampler", [1]),
                                               instance=node(1, "workflow>G", [1])),
                                         [("workflow>G:0", "v.sft", "vae")]),
    "a group node that is not there": (ui(node(1, "workflow>H", ["v.sft"])), [("1", "v.sft", "")]),
    "in a PNG": (png((b"tEXt", b"workflow\0" + ui(loader("v.sft")))), [VAE]),
    "in a PNG, API form": (png((b"tEXt", b"prompt\0" + api(_1=("VAELoader", {"x": "v.sft"})))),
                           [("1", "v.sft", "")]),
    "in a WebP": (webp(b"prompt:{}", b"workflow:" + ui(loader("v.sft"))), [VAE]),
    "in an MP4": (mp4_with_comment(b'{"workflow": ' + ui(loader("v.sft")) + b"}"), [VAE]),
}  # fmt: skip


@pytest.mark.parametrize("decode", [plain_decoder, fast_decoder()], ids=["plain", "fast"])
@pytest.mark.parametrize(("data", "expected"), AWKWARD.values(), ids=AWKWARD.keys())
def test_awkward_workflows(data: bytes, expected: Found, decode: Any) -> None:
    workflow = parse_workflow(embedded_workflow(data, "w"), "w", decode)
    found = [
        (
            each.reference.node_id.replace(SUBGRAPH, "sub").replace(NESTED, "nested"),
            each.reference.widget_value,
            each.category,
        )
        for each in model_references(workflow, LEARNED)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "line 1, column 1"),
        (b"not json", "line 1, column 1"),
        (b"\xff\xfe{", "it is not UTF-8 text (byte 0)"),
        (b"[]", "neither a list `nodes` nor"),
        (b"null", "neither a list `nodes` nor"),
        (b'{"nodes": {}}', "neither a list `nodes` nor"),
        (b'{"version": 1, "templates": []}', "neither a list `nodes` nor"),
        (b'{"nodes": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "nested too deeply"),
        (b'{"nodes": [' + b"1" * 5_000 + b"]}", "too many digits"),
        (b'{"nodes": []} {}', "line 1, column 15"),
        (png(), ""),
    ],
)
@pytest.mark.parametrize("decode", [plain_decoder, fast_decoder()], ids=["plain", "fast"])
def test_what_is_no_workflow(data: bytes, cause: str, decode: Any) -> None:
    with pytest.raises(WorkflowError) as refused:
        parse_workflow(embedded_workflow(data, "w"), "w", decode)
    assert cause in refused.value.cause


@pytest.mark.parametrize(
    "data",
    [
        ui(*(node(each, "VAELoader", [f"{each}.sft"]) for each in range(50_000))),
        instances(*(node(each, SUBGRAPH, [f"{each}.sft"]) for each in range(50_000))),
        ui(*(node(each, "PrimitiveNode", [f"{each}.sft"], outputs=[{"links": [each]}])
             for each in range(50_000))),
    ],
    ids=["loaders", "instances", "primitives"],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_50000_nodes(data: bytes) -> None:
    assert len(model_references(parse_workflow(data, "w"))) == 50_000


def test_a_group_node_counts_in_the_meaning() -> None:
    inner = node(0, "VAELoader", ["v.sft"])
    instance = node(1, "workflow>G", ["v.sft"])
    same = group(inner | {"pos": [9, 9]}, instance=instance)
    assert meaning(group(inner, instance=instance)) == meaning(same)
    other = group(inner | {"widgets_values": ["w.sft"]}, instance=instance)
    assert meaning(group(inner, instance=instance)) != meaning(other)
