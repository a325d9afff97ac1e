"""Two states -> what changes from the first to the second."""

from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_core.domain.environment_difference import (
    EnvironmentContents,
    EnvironmentDifference,
    VersionChange,
    difference,
    node_identity,
)
from comfydock_core.domain.manifest import Manifest, ManifestModel, NodeInfo

EMPTY = Manifest(name="x", comfyui_version="v1", comfyui_commit="c" * 40, python_version="3.12")
PACK = NodeInfo(name="pack", source="registry", version="1.0", registry_id="pack")
GIT = NodeInfo(name="g", source="git", version="a" * 40, repository="https://x.example/g.git")
MODEL = ManifestModel(hash="h", filename="m", size=1, relative_path="vae/m", category="vae")


def contents(manifest: Manifest, **workflows: str) -> EnvironmentContents:
    return EnvironmentContents(manifest=manifest, workflows=workflows)


def with_nodes(*nodes: NodeInfo) -> Manifest:
    return replace(EMPTY, nodes={node.name: node for node in nodes})


def with_model(model: ManifestModel) -> Manifest:
    return replace(EMPTY, models={model.hash: model})


@pytest.mark.parametrize(
    ("of", "to", "expected"),
    [
        (contents(EMPTY, a="1"), contents(EMPTY, a="1"), EnvironmentDifference()),
        (
            contents(EMPTY, a="1", b="1"),
            contents(EMPTY, b="2", c="1"),
            EnvironmentDifference(
                workflows_added=("c",), workflows_changed=("b",), workflows_removed=("a",)
            ),
        ),
        (
            contents(EMPTY),
            contents(replace(EMPTY, comfyui_commit="d" * 40, python_version="3.11")),
            EnvironmentDifference(
                versions=(
                    VersionChange(name="ComfyUI", before="v1 (cccccccc)", after="v1 (dddddddd)"),
                    VersionChange(name="Python", before="3.12", after="3.11"),
                )
            ),
        ),
        (
            contents(with_nodes(PACK)),
            contents(with_nodes(replace(PACK, version="2.0"))),
            EnvironmentDifference(
                versions=(VersionChange(name="pack", before="registry 1.0", after="registry 2.0"),)
            ),
        ),
        (
            contents(with_nodes(PACK)),
            contents(with_nodes(replace(PACK, name="Pack"), GIT)),
            EnvironmentDifference(nodes_added=(GIT,)),
        ),
        (
            contents(with_nodes(PACK)),
            contents(EMPTY),
            EnvironmentDifference(nodes_removed=(PACK,)),
        ),
        (
            contents(with_model(MODEL)),
            contents(EMPTY),
            EnvironmentDifference(models_removed=(MODEL,)),
        ),
        (
            contents(with_model(replace(MODEL, sha256_hash="s"))),
            contents(with_model(replace(MODEL, hash="other", filename="n", sha256_hash="s"))),
            EnvironmentDifference(),
        ),
    ],
)
def test_difference(
    of: EnvironmentContents, to: EnvironmentContents, expected: EnvironmentDifference
) -> None:
    found = difference(of, to)
    assert found == expected
    assert bool(found) == (found != EnvironmentDifference())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (PACK, replace(PACK, sha256="5"), True),
        (PACK, replace(PACK, version="2.0"), False),
        (GIT, replace(GIT, repository="https://x.example/g"), True),
        (GIT, replace(GIT, repository="https://y.example/g"), False),
        (GIT, replace(GIT, version="b" * 40), False),
        (
            NodeInfo(name="d", source="development", version="dev"),
            NodeInfo(name="d", source="development", version="x"),
            True,
        ),
        (PACK, NodeInfo(name="pack", source="development", version="dev"), False),
    ],
)
def test_the_same_node(one: NodeInfo, other: NodeInfo, same: bool) -> None:
    assert (node_identity(one) == node_identity(other)) == same
