from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_core.domain.bundle import PROFILES
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeInfo,
    NodeSource,
    TorchSpec,
)
from comfydock_core.errors import NotFoundError, UsageError
from comfydock_core.exporting.selection import Contents, contents_of, select


def workflow(
    name: str, *nodes: str, models: tuple[str, ...] = (), **more: str | bool
) -> ManifestWorkflow:
    """Return a workflow; a model ``a<b`` was put in the place of ``b``."""
    return ManifestWorkflow(
        name=name,
        path=f"workflows/{name}.json",
        nodes=nodes,
        models=tuple(used(model) for model in models),
        custom_node_map=more,
    )


def used(model: str) -> ManifestWorkflowModel:
    key, _, original = model.partition("<")
    return ManifestWorkflowModel(
        filename=key,
        category="loras",
        criticality="required",
        status="resolved" if key else "unresolved",
        hash=key,
        substituted_for=original,
    )


def pack(name: str, source: NodeSource = "registry", registry_id: str = "") -> NodeInfo:
    return NodeInfo(name=name, source=source, group=f"{name}-g", registry_id=registry_id)


NODES = {
    "one": pack("one"),
    "two": pack("two", "git"),
    "dev": replace(pack("dev", "development"), group=""),
    "Manager": pack("Manager", registry_id="comfyui-manager"),
    "key": pack("Folder"),
}
WHOLE = Manifest(
    name="studio",
    comfyui_version="v0.3.75",
    python_version="3.11",
    requirements=("torch", "numpy"),
    torch=TorchSpec(version="2.9.0"),
    groups={f"{name}-g": (name,) for name in ("one", "two", "Manager", "Folder")},
    nodes=NODES,
    workflows={
        each.name: each
        for each in (
            workflow("a", "one", models=("m1", "m2<m3")),
            workflow("sub/b", "two", "one", models=("m4", "")),
            workflow("plain"),
            workflow("mapped", Cls="dev", Left=False, Other="gone"),
            workflow("by-id", "comfyui-manager"),
            workflow("by-folder", "Folder"),
            workflow("x.json", "dev"),
        )
    },
    models={
        key: ManifestModel(
            hash=key, filename=key, size=1, relative_path=f"loras/{key}", category="loras"
        )
        for key in ("m1", "m2", "m3", "m4", "m5")
    },
)


@pytest.mark.parametrize(
    ("names", "workflows", "nodes", "groups", "models"),
    [
        (["a"], {"a"}, {"one"}, {"one-g"}, {"m1", "m2", "m3"}),
        (["a.json", "a"], {"a"}, {"one"}, {"one-g"}, {"m1", "m2", "m3"}),
        (["sub/b.json"], {"sub/b"}, {"one", "two"}, {"one-g", "two-g"}, {"m4"}),
        (["a", "sub/b"], {"a", "sub/b"}, {"one", "two"}, {"one-g", "two-g"},
         {"m1", "m2", "m3", "m4"}),
        (["plain"], {"plain"}, set(), set(), set()),
        (["mapped"], {"mapped"}, {"dev"}, set(), set()),
        (["by-id"], {"by-id"}, {"Manager"}, {"Manager-g"}, set()),
        (["by-folder"], {"by-folder"}, {"key"}, {"Folder-g"}, set()),
        (["x.json"], {"x.json"}, {"dev"}, set(), set()),
        (["x.json.json"], {"x.json"}, {"dev"}, set(), set()),
    ],
)  # fmt: skip
def test_only_what_is_needed_stays(
    names: list[str], workflows: set[str], nodes: set[str], groups: set[str], models: set[str]
) -> None:
    selection = select(WHOLE, names)
    manifest = selection.manifest
    assert set(manifest.workflows) == workflows
    assert set(manifest.nodes) == nodes
    assert set(manifest.groups) == groups
    assert set(manifest.models) == models
    assert selection.left_out == tuple(
        sorted(node.name for key, node in NODES.items() if key not in nodes)
    )
    same = replace(WHOLE, workflows={}, nodes={}, groups={}, models={})
    assert replace(manifest, workflows={}, nodes={}, groups={}, models={}) == same
    assert all(manifest.workflows[name] is WHOLE.workflows[name] for name in workflows)


@pytest.mark.parametrize(
    ("manifest", "names", "sentence", "hint"),
    [
        (WHOLE, ["a", "c"], "there is no workflow `c` in `studio`", "there are: `a`, `by-folder`"),
        (WHOLE, ["A", "d.json"], "there is no workflow `A` and no workflow `d.json` in `studio`",
         "there are: "),
        (replace(WHOLE, workflows={}), ["a"], "there is no workflow `a` in `studio`",
         "it has no workflow yet"),
    ],
)  # fmt: skip
def test_unknown_workflows_are_named(
    manifest: Manifest, names: list[str], sentence: str, hint: str
) -> None:
    with pytest.raises(NotFoundError) as caught:
        select(manifest, names)
    assert caught.value.sentence == sentence
    assert caught.value.hint.startswith(hint)


def test_no_workflow_is_no_selection() -> None:
    with pytest.raises(UsageError, match="no workflow is named"):
        select(WHOLE, [])


def test_profiles() -> None:
    found = {profile: contents_of(profile) for profile in PROFILES}
    assert found == {
        "minimal": Contents(node_sources=True, inputs=True, model_files=False),
        "full": Contents(node_sources=True, inputs=True, model_files=True),
        "workflow-only": Contents(node_sources=False, inputs=False, model_files=False),
    }
    with pytest.raises(UsageError, match="`fuller` is no profile"):
        contents_of("fuller")
