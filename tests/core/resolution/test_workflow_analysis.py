from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from comfydock_core.domain.manifest import ManifestWorkflow, ManifestWorkflowModel, NodeReference
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_needs import needs_of
from comfydock_core.resolution.workflow_analysis import AnalysedWorkflow, KnownFacts, analyse

from tests.core.domain.workflow_samples import declared, node, ui


def local(path: str, key: str = "a" * 16) -> ModelWithLocation:
    folder, _, name = path.rpartition("/")
    return ModelWithLocation(
        hash=key, filename=name, size=5, relative_path=path, category=folder, path=f"/m/{path}"
    )


CHECKPOINT, LORA = local("checkpoints/a.safetensors"), local("loras/b.safetensors", "b" * 16)


def loader(identity: int = 1, value: str = "a.safetensors", **more: Any) -> dict[str, Any]:
    return node(identity, "CheckpointLoaderSimple", [value], **more)


def look(
    *nodes: dict[str, Any],
    models: tuple[ModelWithLocation, ...] = (),
    recorded: ManifestWorkflow | None = None,
) -> AnalysedWorkflow:
    facts = KnownFacts(
        core_classes={"CheckpointLoaderSimple", "LoraLoaderModelOnly"},
        installed={"PackNode": "pack"},
        models=models,
    )
    return analyse(needs_of(parse_workflow(ui(*nodes), "sub/w"), facts.loaders), recorded, facts)


def entry(**changes: Any) -> ManifestWorkflowModel:
    values: dict[str, Any] = {
        "filename": "a.safetensors",
        "category": "checkpoints",
        "criticality": "optional",
        "status": "unresolved",
        "hash": "c" * 16,
        "sources": ("https://h.org/a",),
        "nodes": (
            NodeReference(
                node_id="1", node_type="CheckpointLoaderSimple", widget_value="a.safetensors"
            ),
        ),
    }
    return ManifestWorkflowModel(**values | changes)


def recorded(*models: ManifestWorkflowModel, **node_map: str | bool) -> ManifestWorkflow:
    return ManifestWorkflow(
        name="sub/w", path="workflows/sub/w.json", models=models, custom_node_map=node_map
    )


def test_what_is_recorded_of_a_whole_workflow() -> None:
    record = look(loader(), node(2, "PackNode"), models=(CHECKPOINT,)).record()
    assert (record.name, record.path, record.nodes) == (
        "sub/w",
        "workflows/sub/w.json",
        ("pack",),
    )
    [model] = record.models
    assert (model.filename, model.hash, model.status) == ("a.safetensors", "a" * 16, "resolved")
    assert (model.category, model.criticality) == ("checkpoints", "required")
    assert [place.node_id for place in model.nodes] == ["1"]


def test_two_places_of_one_file_are_one_model() -> None:
    found = look(loader(1), loader(2), models=(CHECKPOINT,)).models
    assert [[place.node_id for place in model.entry.nodes] for model in found] == [["1", "2"]]
    missing = look(loader(1, "sub\\x.ckpt"), loader(2, "sub/X.ckpt")).models
    assert [model.entry.filename for model in missing] == ["x.ckpt"]
    assert missing[0].model is None


@pytest.mark.parametrize(
    ("criticality", "status", "blocking"),
    [
        ("required", "unresolved", True),
        ("flexible", "unresolved", False),
        ("optional", "unresolved", False),
    ],
)
def test_only_a_required_model_blocks(criticality: str, status: str, blocking: bool) -> None:
    found = look(loader(), recorded=recorded(entry(criticality=criticality)))
    [issue] = found.issues()
    assert (issue.kind, issue.subject, issue.blocking) == ("model", "a.safetensors", blocking)
    assert found.models[0].entry.status == status
    assert issue.sentence == f"{criticality} model `a.safetensors` is not here"


def test_several_files_of_one_name_are_an_issue() -> None:
    two = (local("checkpoints/x/a.safetensors"), local("checkpoints/y/a.safetensors", "b" * 16))
    [issue] = look(loader(), models=two).issues()
    assert "fits several files" in issue.sentence


@pytest.mark.parametrize(
    ("node_type", "node_map", "words"),
    [
        ("Gone", {}, "node class `Gone` is not installed"),
        ("Gone", {"Gone": "a-pack"}, "node class `Gone` (node pack `a-pack`) is not installed"),
        ("Gone", {"Gone": False}, ""),
        ("PackNode", {}, ""),
        ("CheckpointLoaderSimple", {}, ""),
    ],
)
def test_nodes_that_are_missing(
    node_type: str, node_map: dict[str, str | bool], words: str
) -> None:
    found = look(node(1, node_type), recorded=recorded(**node_map))
    assert [issue.sentence for issue in found.issues()] == ([words] if words else [])
    assert all(issue.blocking for issue in found.issues())
    assert found.record().custom_node_map == node_map


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        (entry(), True),
        (entry(nodes=(), hash=""), True),
        (entry(nodes=(), filename="A.SAFETENSORS"), True),
        (entry(nodes=(), filename="other.safetensors"), False),
    ],
)
def test_what_a_person_said_stays(known: ManifestWorkflowModel, kept: bool) -> None:
    [found] = look(loader(9), recorded=recorded(known)).models
    assert (found.entry.criticality == "optional") is kept
    assert (found.entry.sources == known.sources) is kept


def test_a_file_that_went_away_keeps_its_hash_and_path() -> None:
    known = entry(relative_path="checkpoints/old/a.safetensors", substituted_for="d" * 16)
    [found] = look(loader(), recorded=recorded(known)).models
    assert found.entry == replace(known, nodes=found.entry.nodes)


def test_what_opens_doors_is_not_recorded() -> None:
    url = "https://me:pw@models.example/a.safetensors?token=5ecret&type=Model"
    properties = declared("a.safetensors", "checkpoints")
    properties["models"][0]["url"] = url
    [found] = look(loader(1, properties=properties), models=(CHECKPOINT,)).models
    assert found.entry.sources == ("https://models.example/a.safetensors?type=Model",)


def test_declared_sources_are_recorded_once_and_only_addresses() -> None:
    bad = declared("b.safetensors", "loras")
    bad["models"][0]["url"] = "file:///etc/passwd"
    found = look(
        loader(1, properties=declared("a.safetensors", "checkpoints")),
        node(2, "LoraLoaderModelOnly", ["b.safetensors", 1.0], properties=bad),
        models=(CHECKPOINT, LORA),
        recorded=recorded(entry(sources=("https://models.example/a.safetensors",))),
    )
    assert [model.entry.sources for model in found.models] == [
        ("https://models.example/a.safetensors",),
        (),
    ]
