"""A bundle merged into an environment: nodes, workflows, their records, and the code that comes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_core.domain.acquisition import CodeOrigin
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.lock import LockedPackage
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeInfo,
)
from comfydock_core.domain.update import ConflictChoice, WorkflowStep
from comfydock_core.importing.merging import (
    NodeMerge,
    Sides,
    merge_nodes,
    merge_workflows,
    merged_manifest,
    new_code,
    still_needed,
    without_failed,
)

EMPTY = Manifest(name="x", comfyui_version="v1", comfyui_commit="c" * 40, python_version="3.12")


def pack(name: str, version: str) -> NodeInfo:
    return NodeInfo(name=name, source="registry", version=version, registry_id=name, group=name)


def state(**versions: str) -> Manifest:
    nodes = {name: pack(name, version) for name, version in versions.items()}
    return replace(EMPTY, nodes=nodes, groups={n: (f"{n}=={v}",) for n, v in versions.items()})


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "expected"),
    [
        ({"a": "1"}, {"a": "1"}, {"a": "2"}, ("a", "", "", "")),
        ({"a": "1"}, {"a": "1"}, {}, ("", "a", "", "")),
        ({"a": "1"}, {"a": "2"}, {"a": "1"}, ("", "", "a", "")),
        ({"a": "1"}, {"a": "2"}, {"a": "3"}, ("a", "", "", "")),
        ({"a": "1"}, {}, {"a": "1"}, ("", "", "", "a")),
        ({}, {"a": "1"}, {}, ("", "", "a", "")),
        ({}, {}, {"a": "1"}, ("a", "", "", "")),
        (None, {"a": "1"}, {}, ("", "", "a", "")),
        (None, {"a": "1"}, {"a": "2"}, ("a", "", "", "")),
        (None, {"a": "1"}, {"a": "1"}, ("", "", "", "")),
    ],
)
def test_nodes(
    base: dict[str, str] | None,
    mine: dict[str, str],
    theirs: dict[str, str],
    expected: tuple[str, str, str, str],
) -> None:
    common = None if base is None else state(**base)
    found = merge_nodes(Sides(mine=state(**mine), theirs=state(**theirs), base=common))
    come = tuple(node.name for node in found.installs)
    parts = (come, found.removes, found.keeps, found.left_out)
    assert tuple("".join(part) for part in parts) == expected


def test_a_pack_that_a_kept_workflow_needs_stays() -> None:
    sides = Sides(mine=state(a="1", b="1"), theirs=state(), base=state(a="1", b="1"))
    found = merge_nodes(sides, frozenset("a"))
    assert (found.removes, found.keeps) == (("b",), ("a",))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (WorkflowStep(name="w", action="keep"), {"a"}),
        (WorkflowStep(name="w", action="take", kept_as="w.mine"), {"a"}),
        (WorkflowStep(name="w", action="take"), set()),
        (WorkflowStep(name="w", action="remove"), set()),
        (WorkflowStep(name="other", action="keep"), set()),
    ],
)
def test_what_kept_workflows_need(step: WorkflowStep, expected: set[str]) -> None:
    assert still_needed({"w": ("a",), "x": ("b",)}, [step]) == expected


def test_what_the_bundle_had_then_counts_as_common() -> None:
    mine, theirs = state(a="2"), state(a="1")
    sides = Sides(mine=mine, theirs=theirs, base=mine)
    assert [node.version for node in merge_nodes(sides).installs] == ["1"]
    told = replace(sides, base_identities={"a": "registry|1|a"})
    assert merge_nodes(told).keeps == ("a",)


def test_other_sources_of_the_same_version_come() -> None:
    both = state(a="1", b="1")
    sides = Sides(mine=both, theirs=both, base=both, other_sources=frozenset("a"))
    assert [node.name for node in merge_nodes(sides).installs] == ["a"]


@pytest.mark.parametrize(
    ("conflict", "mine", "expected"),
    [
        ({}, {"w": "m"}, WorkflowStep(name="w", action="keep", conflict=True)),
        ({"w": "keep"}, {"w": "m"}, WorkflowStep(name="w", action="keep", conflict=True)),
        (
            {"w": "take"},
            {"w": "m"},
            WorkflowStep(name="w", action="take", conflict=True, kept_as="w.mine"),
        ),
        ({"w": "take"}, {"w": "b"}, WorkflowStep(name="w", action="take")),
    ],
)
def test_a_workflow_that_both_changed(
    conflict: dict[str, ConflictChoice], mine: dict[str, str], expected: WorkflowStep
) -> None:
    assert merge_workflows({"w": "b"}, mine, {"w": "t"}, conflict) == (expected,)


def test_a_kept_workflow_gets_a_name_that_is_free() -> None:
    mine = {"w": "m", "w.mine": "x", "w.mine-2": "x"}
    steps = {s.name: s for s in merge_workflows({}, mine, {"w": "t"}, {"w": "take"})}
    assert steps["w"].kept_as == "w.mine-3"
    assert steps["w.mine"].action == "keep"


def record(name: str, criticality: Criticality = "required") -> ManifestWorkflow:
    model = ManifestWorkflowModel(
        filename="m", category="vae", criticality=criticality, status="resolved", hash="k"
    )
    return ManifestWorkflow(name=name, path=f"workflows/{name}.json", models=(model,))


def with_workflows(manifest: Manifest, *records: ManifestWorkflow) -> Manifest:
    return replace(manifest, workflows={one.name: one for one in records})


@pytest.mark.parametrize(
    ("action", "mine", "expected"),
    [
        ("take", "required", "optional"),
        ("take", "flexible", "optional"),
        ("keep", "required", "required"),
        ("", "required", "optional"),
        ("", "flexible", "flexible"),
    ],
)
def test_what_was_said_of_a_workflow_stays_said(
    action: str, mine: Criticality, expected: Criticality
) -> None:
    sides = Sides(
        base=with_workflows(EMPTY, record("w")),
        mine=with_workflows(EMPTY, record("w", mine)),
        theirs=with_workflows(EMPTY, record("w", "optional")),
    )
    steps = [WorkflowStep(name="w", action=action)] if action else []  # type: ignore[arg-type]
    merged = merged_manifest(sides, NO_NODES, steps, ["w"])
    assert merged.workflows["w"].models[0].criticality == expected


NO_NODES = NodeMerge(installs=(), removes=(), keeps=(), left_out=())


def test_the_merged_manifest() -> None:
    models = {
        key: ManifestModel(hash=key, filename=key, size=1, relative_path=key, category="vae")
        for key in ("k", "unused")
    }
    mine = replace(
        with_workflows(state(a="1", b="1", own="1"), record("gone"), record("mine")),
        python_version="3.12.1",
        models=models,
    )
    theirs = replace(with_workflows(state(a="2"), record("new")), name="y", comfyui_version="v2")
    sides = Sides(mine=mine, theirs=theirs, base=state(a="1", b="1"))
    steps = [
        WorkflowStep(name="gone", action="remove"),
        WorkflowStep(name="new", action="take"),
    ]
    merged = merged_manifest(sides, merge_nodes(sides), steps, ["gone", "mine", "unrecorded"])
    assert {name: node.version for name, node in merged.nodes.items()} == {"a": "2", "own": "1"}
    assert merged.groups == {"a": ("a==2",), "own": ("own==1",)}
    assert sorted(merged.workflows) == ["mine", "new", "unrecorded"]
    assert list(merged.models) == ["k"]
    assert (merged.name, merged.comfyui_version, merged.python_version) == ("x", "v2", "3.12.1")


def test_a_node_that_could_not_be_had_stays_what_it_was() -> None:
    left = without_failed(state(a="2", b="2", c="2"), state(a="1"), ("a", "b"))
    assert {name: node.version for name, node in left.nodes.items()} == {"a": "1", "c": "2"}
    assert left.groups == {"a": ("a==1",), "c": ("c==2",)}


def test_only_new_code_is_named() -> None:
    code = [
        CodeOrigin(kind="comfyui", name="v1", detail=""),
        CodeOrigin(kind="registry", name="a", detail=""),
        CodeOrigin(kind="git", name="b", detail=""),
        CodeOrigin(kind="python-source", name="built 1.0", detail=""),
        CodeOrigin(kind="python-source", name="built 2.0", detail=""),
        CodeOrigin(kind="pickle", name="m.ckpt", detail=""),
    ]
    locked = [LockedPackage(name="built", version="1.0", source="registry")]
    sides = Sides(mine=EMPTY, theirs=EMPTY)
    nodes = replace(NO_NODES, installs=(pack("a", "1"),))
    kept = [origin.name for origin in new_code(code, sides, nodes, locked)]
    assert kept == ["a", "built 2.0", "m.ckpt"]
    other = replace(sides, theirs=replace(EMPTY, comfyui_commit="d" * 40))
    assert next(o.name for o in new_code(code, other, nodes, locked)) == "v1"
