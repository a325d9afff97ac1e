"""Nodes that the registry warns of are not taken from the copies that are kept here either."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.preflight import Preflight
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import NodeError
from comfydock_core.importing.host_checks import check_registry
from comfydock_core.importing.import_steps import Work, stage
from comfydock_core.storage.http import HttpClient
from comfydock_core.storage.node_registry import NodeRegistry

from tests.core.importing.summaries import manifest
from tests.core.storage.host_clients import QUICK
from tests.core.workspace.workspaces import environment_in, workspace_at
from tests.hub.registry import Pack, PackVersion, node_registry, zip_of

ZIP = zip_of({"__init__.py": "NODE_CLASS_MAPPINGS = {}"})
DIGEST = hashlib.sha256(ZIP).hexdigest()


def node(name: str) -> NodeInfo:
    return NodeInfo(
        name=name, source="registry", version="1.0.0", registry_id="pack", sha256=DIGEST
    )


def learned(status: str, *nodes: NodeInfo) -> Preflight:
    """Return what a registry that has the version in this state says of nodes."""
    packs = [Pack(node_id="pack", versions=(PackVersion(version="1.0.0", status=status),))]
    with node_registry(packs if status else []) as served:
        hosts = HostSettings(allowed=frozenset({"127.0.0.1"}), registry=served.url)
        registry = NodeRegistry(HttpClient(hosts, {}, QUICK), hosts)
        return Preflight(problems=check_registry(nodes, registry).problems)


def work_in(tmp_path: Path, preflight: Preflight) -> Work:
    """Return the work of an import on a machine that keeps the archive, and asks nobody."""
    workspace = workspace_at(tmp_path, COMFYDOCK_REGISTRY="http://127.0.0.1:9")
    (workspace.root / "cache/nodes" / f"{DIGEST}.zip").write_bytes(ZIP)
    plan = ImportPlan(
        environment="studio",
        bundle="0" * 64,
        manifest=manifest(),
        aggregates={},
        nodes=(),
        models=(),
        preflight=preflight,
    )
    return Work(
        workspace=workspace,
        environment=environment_in(workspace),
        plan=plan,
        bundle=tmp_path / "bundle",
    )


@pytest.mark.parametrize("status", ["Banned", "Flagged"])
def test_a_version_that_the_registry_warns_of_is_not_installed(status: str, tmp_path: Path) -> None:
    twin = replace(node("pack"), name="twin")
    work = work_in(tmp_path, learned(status, node("pack"), twin))
    for each in (node("pack"), twin):
        with pytest.raises(NodeError, match=rf"`pack@1.0.0` was {status.lower()}") as caught:
            stage(work, each, tmp_path)
        assert caught.value.subject == each.name
    assert not (tmp_path / "pack").exists()


@pytest.mark.parametrize("status", ["Active", "Pending", "Deleted", ""])
def test_any_other_is_taken_from_what_is_here(status: str, tmp_path: Path) -> None:
    staged = stage(work_in(tmp_path, learned(status, node("pack"))), node("pack"), tmp_path)
    assert (staged.folder / "__init__.py").is_file()


def test_what_nobody_was_asked_about_is_taken_from_what_is_here(tmp_path: Path) -> None:
    staged = stage(work_in(tmp_path, Preflight()), node("pack"), tmp_path)
    assert staged.info.sha256 == DIGEST
