from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.lock import LockedPackage, parse_lock
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.errors import PythonEnvironmentError, RequirementConflictError
from comfydock_core.workspace.nodes import group_name
from comfydock_core.workspace.python_packages import (
    install,
    install_torch,
    resolve,
    resolve_pinned,
)

from tests.core.storage.small_wheels import make_wheel
from tests.core.workspace.workspaces import SMALL, environment_in, workspace_at
from tests.hub.serving import Exchange, serving


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        make_wheel(folder, "alpha", version, f"beta>={version}")
        make_wheel(folder, "beta", version)
    return folder


def asking(*requirements: str, **nodes: str) -> Manifest:
    """ComfyUI with its requirements, and nodes that ask for one package each."""
    infos = {
        name: NodeInfo(name=name, source="development", version="dev", group=group_name(name))
        for name in nodes
    }
    groups = {infos[name].group: (line,) for name, line in nodes.items()}
    return replace(SMALL, requirements=requirements, groups=groups, nodes=infos)


def versions(lock: str) -> dict[str, str]:
    return {package.name: package.version for package in parse_lock(lock.encode())}


@pytest.mark.parametrize(
    ("manifest", "sentence", "subject"),
    [
        (
            asking("beta<2", **{"My-Pack": "beta>=2"}),
            "`My-Pack` and ComfyUI ask for versions of `beta` that exclude each other",
            "beta",
        ),
        (
            asking(one="beta<2", two="beta>=2"),
            "`one` and `two` ask for versions of `beta` that exclude each other",
            "beta",
        ),
        (
            asking("beta<2", pack="alpha>=2"),
            "`pack` and ComfyUI ask for versions of `beta` that exclude each other",
            "beta",
        ),
    ],
)
def test_a_conflict_names_both_sides(
    tmp_path: Path, manifest: Manifest, sentence: str, subject: str
) -> None:
    workspace = workspace_at(tmp_path)
    environment = environment_in(workspace)
    before = environment.pyproject_path.read_bytes()
    with pytest.raises(RequirementConflictError) as caught:
        resolve(workspace, environment, manifest)
    assert caught.value.sentence == sentence
    assert caught.value.subject == subject
    assert "comfydock-env" not in caught.value.cause
    assert not any(node.group in caught.value.cause for node in manifest.nodes.values())
    assert environment.pyproject_path.read_bytes() == before
    assert os.listdir(workspace.staging_path) == []


def test_one_resolution_covers_all_and_keeps_what_was_locked(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    environment = environment_in(workspace)
    first = resolve(workspace, environment, asking("torch", "alpha<2", pack="beta<2"))
    assert versions(first) == {"alpha": "1.0", "beta": "1.0"}
    assert not environment.lock_path.exists()
    environment.lock_path.write_text(first, encoding="utf-8")
    assert versions(resolve(workspace, environment, asking("alpha", pack="beta"))) == versions(
        first
    )
    environment.lock_path.unlink()
    assert versions(resolve(workspace, environment, asking("alpha")))["alpha"] == "2.0"


def test_a_bundles_versions_are_taken(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    pinned = (
        LockedPackage(name="alpha", version="1.0", source="registry"),
        LockedPackage(name="beta", version="1.0", source="registry", markers=("os_name != ''",)),
        LockedPackage(name="beta", version="9", source="git", address="https://h.org/beta"),
    )
    lock = resolve_pinned(workspace, asking("alpha", pack="beta"), pinned, build=False)
    assert versions(lock) == {"alpha": "1.0", "beta": "1.0"}
    assert "constraints" not in lock


def test_versions_that_uv_knows_are_taken_without_asking_the_index(
    tmp_path: Path, wheels: Path
) -> None:
    def answer(exchange: Exchange) -> None:
        asked = wheels / exchange.path_asked.strip("/").rpartition("/")[2]
        if asked.is_file():
            exchange.reply(200, asked.read_bytes())
            return
        links = (f'<a href="/files/{p.name}">{p.name}</a>' for p in wheels.glob(f"{asked.name}-*"))
        exchange.reply(200, "".join(links).encode(), {"Content-Type": "text/html"})

    pinned = (LockedPackage(name="beta", version="1.0", source="registry"),)
    with serving(answer) as index:
        address = f"{index.url.rstrip('/')}/simple"
        workspace = workspace_at(tmp_path, COMFYDOCK_PYTHON_INDEX=address, COMFYDOCK_FIND_LINKS="")
        first = resolve_pinned(workspace, asking("beta"), pinned, build=False)
        asked = len(index.requests)
        assert resolve_pinned(workspace, asking("beta"), pinned, build=False) == first
        assert (asked > 0, len(index.requests)) == (True, asked)
        more = (*pinned, LockedPackage(name="alpha", version="1.0", source="registry"))
        lock = resolve_pinned(workspace, asking("beta", "alpha"), more, build=False)
    assert versions(first) == {"beta": "1.0"}
    assert versions(lock) == {"alpha": "1.0", "beta": "1.0"}


def test_a_bundles_version_that_this_machine_cannot_have_is_refused(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    pinned = (LockedPackage(name="alpha", version="7", source="registry"),)
    with pytest.raises(PythonEnvironmentError) as caught:
        resolve_pinned(workspace, asking("alpha"), pinned, build=False)
    assert "alpha" in caught.value.cause
    assert os.listdir(workspace.staging_path) == []


def test_what_a_lock_no_longer_holds_is_removed(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    environment = environment_in(workspace)
    for requirement, expected in (("alpha", {"alpha", "beta"}), ("beta", {"beta"})):
        manifest = asking(requirement)
        lock = resolve(workspace, environment, manifest)
        environment.write_manifest(manifest)
        install(workspace, environment, lock, build=False)
        installed = workspace.tools.uv.installed(environment.venv_path)
        assert {package.name for package in installed} == expected


def test_what_torch_requires_stays_when_no_lock_asks_for_it(tmp_path: Path, wheels: Path) -> None:
    make_wheel(wheels, "torch", "2.9", "Gam_ma>=1; python_version > '3'", 'beta; extra == "x"')
    make_wheel(wheels, "gam_ma", "1.0", "delta")
    make_wheel(wheels, "delta", "1.0")
    workspace = workspace_at(tmp_path, COMFYDOCK_TORCH_WHEELS=str(wheels))
    environment = environment_in(workspace)
    for requirements, expected in (
        (("torch", "gam-ma", "alpha"), {"alpha", "beta", "gam-ma", "delta"}),
        (("torch",), {"torch", "gam-ma", "delta"}),
    ):
        manifest = asking(*requirements)
        lock = resolve(workspace, environment, manifest)
        environment.write_manifest(manifest)
        install(workspace, environment, lock, build=False)
        installed = workspace.tools.uv.installed(environment.venv_path)
        assert {package.name for package in installed} == expected
        install_torch(workspace, environment, manifest, "cpu")
