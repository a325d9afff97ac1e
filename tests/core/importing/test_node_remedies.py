"""What is proposed after each way in which a pack really fails: it helps, or nothing is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from comfydock_core.domain.acquisition import NodeAcquisitionDecision
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.errors import ComfydockError
from comfydock_core.importing.node_remedies import remedy
from comfydock_core.importing.plan import node_source
from comfydock_core.workspace.nodes import add_named, stage_git, stage_registry
from comfydock_core.workspace.workspace import Workspace

from tests.core.workspace.workspaces import environment_in, workspace_at
from tests.hub.git_http import git_host
from tests.hub.registry import Pack, PackVersion, node_registry
from tests.journeys.town import make_repository, write_files

HERE = "https://github.com/acme/pack"
GONE = "https://github.com/acme/gone"
WRONG, COMMIT = "0" * 64, "0" * 40
PACKED = PackVersion(version="1.0.0", files={"__init__.py": "X = 1\n"})
RIGHT = hashlib.sha256(PACKED.zip).hexdigest()
PACKS = (Pack(node_id="acme", versions=(PACKED,)), Pack(node_id="banned", banned=True))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    make_repository(write_files(tmp_path / "git/acme/pack", {"a.py": "1\n"}), "v1")
    with git_host(tmp_path / "git") as host, node_registry(PACKS) as registry:
        yield workspace_at(
            tmp_path,
            COMFYDOCK_MIRRORS=f"https://github.com/={host.url}",
            COMFYDOCK_REGISTRY=registry.url,
            COMFYDOCK_ALLOWED_HOSTS="127.0.0.1",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A node that fails, what `node add` is told then, and a part of what is said."""

    node: NodeInfo
    words: str
    remark: str


def registry_node(name: str, version: str, sha256: str = "") -> NodeInfo:
    return NodeInfo(name=name, source="registry", version=version, registry_id=name, sha256=sha256)


def git_node(repository: str) -> NodeInfo:
    return NodeInfo(name="pack", source="git", version=COMMIT, repository=repository)


FAILING = {
    "other bytes": Case(
        node=registry_node("acme", "1.0.0", WRONG), words="", remark="not the file that the sender"
    ),
    "no such version": Case(node=registry_node("acme", "9.9.9", WRONG), words="acme", remark=""),
    "no such pack": Case(node=registry_node("none", "1.0.0"), words="", remark="does not have it"),
    "banned": Case(node=registry_node("banned", "1.0.0"), words="", remark="banned it"),
    "no such commit": Case(node=git_node(HERE), words=HERE, remark="its newest state"),
    "no repository": Case(node=git_node(GONE), words="", remark="gone or private"),
}


def stage(workspace: Workspace, node: NodeInfo, staging: Path) -> None:
    staging.mkdir()
    if node.source == "git":
        stage_git(workspace, node.repository, node.version, staging)
    else:
        stage_registry(workspace, node.registry_id, node.version, staging, node.sha256)


@pytest.mark.parametrize("name", FAILING)
def test_what_fails_for_good_is_not_proposed_again(
    name: str, workspace: Workspace, tmp_path: Path
) -> None:
    case = FAILING[name]
    with pytest.raises(ComfydockError) as caught:
        stage(workspace, case.node, tmp_path / "first")
    source = node_source(case.node)
    decision = NodeAcquisitionDecision(node=case.node, action="install", source=source)
    found = remedy(decision, caught.value.in_one_line)
    assert found.words == case.words
    assert case.remark in found.remark
    assert bool(found.remark) == bool(case.remark)


@pytest.mark.parametrize("reason", ["", "`registry` could not be reached"])
def test_what_has_a_digest_is_proposed_with_it(reason: str, workspace: Workspace) -> None:
    environment = environment_in(workspace)
    for digest in (WRONG, RIGHT):
        node = registry_node("acme", "1.0.0", digest)
        decision = NodeAcquisitionDecision(node=node, action="install", source="acme@1.0.0")
        words = remedy(decision, reason).words
        assert words == f"'acme@1.0.0#sha256={digest}'"
    with pytest.raises(ComfydockError) as caught:
        add_named(workspace, environment, f"acme@1.0.0#sha256={WRONG}")
    assert "is not that file" in caught.value.in_one_line


@pytest.mark.parametrize(
    "text", ["acme#sha256=" + RIGHT, "acme@1.0.0#sha256=12", f"{HERE}#sha256="]
)
def test_a_digest_that_cannot_be_held_to_is_refused(text: str, workspace: Workspace) -> None:
    with pytest.raises(ComfydockError):
        add_named(workspace, environment_in(workspace), text)
