"""What of an environment travels, found where it lies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.bundle import DevelopmentOrigin
from comfydock_core.domain.manifest import Manifest, ManifestModel, ManifestWorkflow, NodeInfo
from comfydock_core.errors import StorageError
from comfydock_core.exporting.gathering import GatheredFiles, gather
from comfydock_core.exporting.selection import contents_of
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

from tests.core.workspace.workspaces import SMALL, environment_in, workspace_at
from tests.journeys.town import git, make_repository, write_files

BUDGET = 1000
FLOW = json.dumps(
    {
        "nodes": [
            {"id": 1, "type": "LoadImage", "inputs": [], "widgets_values": ["cat.png", "image"]}
        ]
    }
)
KEY = "1" * 16


def manifest() -> Manifest:
    absent = ManifestModel(
        hash=KEY, filename="gone.sft", size=1, relative_path="vae/gone.sft", category="vae"
    )
    return replace(
        SMALL,
        nodes={"pack": NodeInfo(name="pack", source="development", version="dev")},
        workflows={"sub/w": ManifestWorkflow(name="sub/w", path="workflows/sub/w.json")},
        models={KEY: absent},
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path)


@pytest.fixture
def environment(workspace: Workspace) -> Environment:
    made = environment_in(workspace, manifest=manifest())
    write_files(made.workflows_cec_path, {"sub/w.json": FLOW, "other.json": "{}"})
    write_files(made.workflows_path, {"sub/w.json": FLOW})
    write_files(made.comfyui_path / "input", {"cat.png": "meow", "dog.png": "woof"})
    write_files(
        made.custom_nodes_path / "pack",
        {"__init__.py": "x = 1\n", ".env": "K=1", "scratch/a": "", ".gitignore": "scratch/\n"},
    )
    return made


def gathered(
    workspace: Workspace, environment: Environment, profile: str = "minimal", budget: int = BUDGET
) -> GatheredFiles:
    return gather(workspace, environment, environment.manifest(), contents_of(profile), budget)


NODE = {"dev_nodes/pack/.gitignore", "dev_nodes/pack/__init__.py"}


@pytest.mark.parametrize(
    ("profile", "budget", "members", "missing"),
    [
        ("minimal", BUDGET, {"workflows/sub/w.json", "inputs/cat.png", *NODE}, ()),
        ("minimal", 3, {"workflows/sub/w.json", *NODE}, ("cat.png",)),
        ("minimal", 0, {"workflows/sub/w.json", *NODE}, ("cat.png",)),
        ("full", BUDGET, {"workflows/sub/w.json", "inputs/cat.png", *NODE}, ()),
        ("workflow-only", BUDGET, {"workflows/sub/w.json"}, ("cat.png",)),
    ],
)
def test_each_profile_has_its_members(
    workspace: Workspace,
    environment: Environment,
    profile: str,
    budget: int,
    members: set[str],
    missing: tuple[str, ...],
) -> None:
    found = gathered(workspace, environment, profile, budget)
    assert set(found.files) == members
    assert found.missing_inputs == missing
    assert found.inputs == (0 if missing else 1)
    assert found.size == sum(path.stat().st_size for path in found.files.values())


def test_what_stays_behind_is_said(workspace: Workspace, environment: Environment) -> None:
    assert gathered(workspace, environment, budget=0).warnings == (
        "pack/.env does not travel: it holds environment variables, which is where keys are kept",
        "input file cat.png does not travel: it does not fit into the size allowed for input files",
    )


def test_a_full_bundle_has_the_models_that_are_here(
    workspace: Workspace, environment: Environment
) -> None:
    place = workspace.root / "models/vae/here.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x" * 5000)
    workspace.scan_models()
    [here] = workspace.tools.models.all()
    known = replace(
        environment.manifest().models[KEY],
        hash=here.hash,
        filename="here.safetensors",
        relative_path="vae/here.safetensors",
        sha256_hash="2" * 64,
    )
    models = {**environment.manifest().models, here.hash: known}
    environment.write_manifest(replace(environment.manifest(), models=models))
    found = gathered(workspace, environment, "full")
    assert found.models == {"vae/here.safetensors": place}
    assert found.model_digests == {"vae/here.safetensors": "2" * 64}
    assert "model file gone.sft does not travel: it is not here" in found.warnings
    assert gathered(workspace, environment).models == {}


def test_the_state_of_a_nodes_repository_is_recorded(
    workspace: Workspace, environment: Environment
) -> None:
    node = environment.custom_nodes_path / "pack"
    assert gathered(workspace, environment).development == {"pack": DevelopmentOrigin()}
    commit = make_repository(node, "v1")
    git(node, "remote", "add", "origin", "git@github.com:me/pack.git")
    write_files(node, {"new.py": ""})
    assert gathered(workspace, environment).development == {
        "pack": DevelopmentOrigin(
            remote="ssh://git@github.com/me/pack.git", commit=commit, dirty=True, unpushed=True
        )
    }


def test_a_node_of_many_bytes_is_warned_about(
    workspace: Workspace, environment: Environment
) -> None:
    with (environment.custom_nodes_path / "pack/big.bin").open("wb") as file:
        file.truncate(60 * 1024 * 1024)
    [said] = (w for w in gathered(workspace, environment).warnings if "Development" in w)
    assert said.startswith("Development node 'pack' is 60.0 MB; largest files: big.bin (60.0 MB), ")


def test_a_node_that_is_gone_is_an_error(workspace: Workspace, environment: Environment) -> None:
    (environment.custom_nodes_path / "pack").rename(environment.path / "away")
    with pytest.raises(StorageError, match="`pack` is missing"):
        gathered(workspace, environment)
    assert gathered(workspace, environment, "workflow-only").development == {}
