from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from comfydock_core.domain.workflow_meaning import meaning
from comfydock_core.errors import WorkflowError

from tests.core.domain.workflow_samples import SUBGRAPH, loader_subgraph, node, ui

Change = Callable[[Any], object]


def document() -> Any:
    loader = node(1, "VAELoader", ["v.sft"], outputs=[{"name": "VAE", "links": [4]}])
    decode = node(2, "VAEDecode", [], inputs=[{"name": "vae", "type": "VAE", "link": 4}])
    sampler = node(3, "KSampler", [42, "fixed", 8.0, None], size=[1, 2])
    instance = node(4, SUBGRAPH, ["a.safetensors"])
    links = ([4, 1, 0, 2, 0, "VAE"],)
    data = ui(loader, decode, sampler, instance, definitions=(loader_subgraph(),), links=links)
    return json.loads(data)


def digest(value: object) -> str:
    return meaning(json.dumps(value).encode())


COSMETIC: dict[str, Change] = {
    "position": lambda w: w["nodes"][0].update(pos=[5, 6]),
    "size": lambda w: w["nodes"][2].update(size={"0": 3}),
    "colour": lambda w: w["nodes"][0].update(color="#223", bgcolor="#335"),
    "order": lambda w: w["nodes"][0].update(order=7),
    "title": lambda w: w["nodes"][0].update(title="My VAE"),
    "flags": lambda w: w["nodes"][0].update(flags={"collapsed": True}),
    "node order": lambda w: w["nodes"].reverse(),
    "localized names": lambda w: w["nodes"][1]["inputs"][0].update(localized_name="vae"),
    "view": lambda w: w.update(extra={"ds": {"scale": 2}}, groups=[{"title": "g"}]),
    "revision": lambda w: w.update(revision=3, id="other", last_node_id=99),
    "version noted": lambda w: w["nodes"][0]["properties"].update(ver="0.4.0", cnr_id="x"),
    "widgets repeated by name": lambda w: w["nodes"][0].update(widgets_values_named={"a": 1}),
    "trailing null": lambda w: w["nodes"][2]["widgets_values"].pop(),
    "number written otherwise": lambda w: w["nodes"][2]["widgets_values"].__setitem__(2, 8),
    "no widgets at all": lambda w: w["nodes"][1].pop("widgets_values"),
    "unlinked widget input": lambda w: w["nodes"][1]["inputs"].insert(
        0, {"name": "w", "widget": {"name": "w"}, "link": None}
    ),
    "links renumbered": lambda w: (
        w["links"][0].__setitem__(0, 77),
        w["nodes"][1]["inputs"][0].update(link=77),
    ),
}
REAL: dict[str, Change] = {
    "widget": lambda w: w["nodes"][0].update(widgets_values=["other.sft"]),
    "seed": lambda w: w["nodes"][2]["widgets_values"].__setitem__(0, 43),
    "mode": lambda w: w["nodes"][0].update(mode=4),
    "type": lambda w: w["nodes"][0].update(type="VAELoaderTiled"),
    "new node": lambda w: w["nodes"].append(node(9, "Note", ["x"])),
    "removed node": lambda w: w["nodes"].pop(),
    "link cut": lambda w: w["nodes"][1]["inputs"][0].update(link=None),
    "link moved": lambda w: w["links"][0].__setitem__(1, 3),
    "inner widget": lambda w: w["definitions"]["subgraphs"][0]["nodes"][0].update(
        widgets_values=["b.safetensors"]
    ),
    "inner output": lambda w: w["definitions"]["subgraphs"][0].update(
        outputs=[{"name": "MODEL", "type": "MODEL"}],
        links=[{"id": 5, "origin_id": 47, "origin_slot": 0, "target_id": -20, "target_slot": 0}],
    ),
    "declared model": lambda w: w["nodes"][0]["properties"].update(models=[{"name": "v.sft"}]),
}


@pytest.mark.parametrize("change", COSMETIC)
def test_a_cosmetic_save_means_the_same(change: str) -> None:
    changed = document()
    COSMETIC[change](changed)
    assert digest(changed) == digest(document())


@pytest.mark.parametrize("change", REAL)
def test_a_real_change_does_not(change: str) -> None:
    changed = document()
    REAL[change](changed)
    assert digest(changed) != digest(document())


def test_the_preview_of_a_video_is_looks() -> None:
    one = {"nodes": [node(1, "VHS_VideoCombine", {"crf": 19, "videopreview": {"hidden": False}})]}
    other = {"nodes": [node(1, "VHS_VideoCombine", {"crf": 19})]}
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"1": {"class_type": "A", "inputs": {"x": 1.0}, "_meta": {"title": "t"}}}, True),
        ({"1": {"class_type": "A", "inputs": {"x": 2}}}, False),
        ({"2": {"class_type": "A", "inputs": {"x": 1}}}, False),
    ],
)
def test_api_form(other: object, same: bool) -> None:
    base = {"1": {"class_type": "A", "inputs": {"x": 1}}}
    assert (digest(other) == digest(base)) is same


def test_nan_is_null_as_in_a_browser() -> None:
    nan = b'{"1": {"class_type": "A", "inputs": {"x": NaN}}}'
    assert meaning(nan) == meaning(nan.replace(b"NaN", b"null"))


@pytest.mark.parametrize("data", [b"{}", b"[1]", b"{", b'{"nodes": [' + b"[" * 100_000])
def test_what_is_no_workflow_is_refused(data: bytes) -> None:
    with pytest.raises(WorkflowError, match=r"`w\.json`"):
        meaning(data, name="w.json")


def test_values_too_deep_to_compare_are_refused() -> None:
    rows = b"[" * 700 + b"]" * 700
    data = b'{"nodes": [{"id": 1, "type": "X", "widgets_values": [' + rows + b"]}]}"
    with pytest.raises(WorkflowError, match=r"`w\.json`"):
        meaning(data, name="w.json")
