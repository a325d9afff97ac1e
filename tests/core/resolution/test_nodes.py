from __future__ import annotations

from typing import Any

import pytest
from comfydock_core.domain.model_loaders import LOADERS
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_needs import needs_of
from comfydock_core.resolution.nodes import NodeResolution, resolve_nodes

from tests.core.domain.workflow_samples import SUBGRAPH, loader_subgraph, node, ui


def resolve(data: bytes, **more: Any) -> dict[str, NodeResolution]:
    found = resolve_nodes(
        needs_of(parse_workflow(data, "w.json"), LOADERS),
        core_classes={"CheckpointLoaderSimple", "KSampler"},
        installed={"PackNode": "some-pack", "KSampler": "shadow-pack"},
        frontend={"SetNode": "js-pack", "PackNode": "js-pack", "Note": "js-pack"},
        custom_node_map=more,
    )
    return {each.node_type: each for each in found}


def hinted(**properties: str) -> bytes:
    return ui(node(1, "Gone", properties=properties))


@pytest.mark.parametrize(
    ("node_type", "decided", "state", "pack"),
    [
        ("KSampler", {}, "core", ""),
        ("MarkdownNote", {}, "core", ""),
        ("workflow>my group", {}, "core", ""),
        ("PackNode", {}, "installed", "some-pack"),
        ("PackNode", {"PackNode": "other-pack"}, "installed", "some-pack"),
        ("Note", {}, "core", ""),
        ("SetNode", {}, "installed", "js-pack"),
        ("SetNode", {"SetNode": "other-pack"}, "installed", "js-pack"),
        ("Gone", {"Gone": "a-pack"}, "mapped", "a-pack"),
        ("Gone", {"Gone": False}, "mapped", ""),
        ("Gone", {}, "missing", ""),
    ],
)
def test_states(node_type: str, decided: dict[str, str | bool], state: str, pack: str) -> None:
    found = resolve(ui(node(1, node_type)), **decided)[node_type]
    assert (found.state, found.pack, found.nodes) == (state, pack, ("1",))


@pytest.mark.parametrize(
    ("data", "pack", "evidence"),
    [
        (hinted(cnr_id="a-pack", ver="1.2.0"), "a-pack", "registry node `a-pack`, version 1.2.0"),
        (hinted(aux_id="owner/repo"), "owner/repo", "repository `owner/repo`"),
        (hinted(aux_id="https://github.com/owner/repo.git"), "owner/repo", "`owner/repo`"),
        (hinted(cnr_id="a-pack", aux_id="owner/repo"), "a-pack", "registry node"),
        (hinted(cnr_id="comfy-core", ver="9.9.9"), "", "saved with ComfyUI 9.9.9"),
    ],
)
def test_a_missing_class_says_what_its_nodes_know(data: bytes, pack: str, evidence: str) -> None:
    found = resolve(data)["Gone"]
    assert (found.state, found.pack) == ("missing", pack)
    assert evidence in found.evidence[0]


def test_a_dirty_hint_is_none() -> None:
    assert resolve(hinted(aux_id="../../etc; rm x"))["Gone"].evidence == ()


def test_two_hints_are_ambiguous() -> None:
    data = ui(
        node(1, "Gone", properties={"cnr_id": "one"}),
        node(2, "Gone", properties={"cnr_id": "two"}),
    )
    found = resolve(data)["Gone"]
    assert (found.state, found.pack, found.candidates) == ("ambiguous", "", ("one", "two"))
    assert found.nodes == ("1", "2")


def test_instances_are_no_classes_and_inner_nodes_count() -> None:
    found = resolve(ui(node(1, SUBGRAPH, []), definitions=(loader_subgraph(),)))
    assert list(found) == ["CheckpointLoaderSimple"]
    assert found["CheckpointLoaderSimple"].nodes == (f"{SUBGRAPH}:47",)


def test_a_well_known_class_is_only_a_hint_and_comes_last() -> None:
    found = resolve(ui(node(1, "UnetLoaderGGUF")))["UnetLoaderGGUF"]
    assert (found.state, found.pack) == ("missing", "city96/ComfyUI-GGUF")
    assert "well-known pack" in found.evidence[0]
    said = ui(node(1, "UnetLoaderGGUF", properties={"aux_id": "me/my-gguf"}))
    assert resolve(said)["UnetLoaderGGUF"].pack == "me/my-gguf"
