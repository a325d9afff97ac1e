from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.input_files import (
    PlacedInputs,
    input_folder,
    loaded_inputs,
    place_inputs,
    present_inputs,
)
from comfydock_core.workspace.workspace import Workspace

from tests.core.domain.workflow_samples import node, ui
from tests.core.workspace.workspaces import environment_in, workspace_at
from tests.journeys.town import write_files

LOADER = """import os
import folder_paths
class Mesh:
    @classmethod
    def INPUT_TYPES(cls):
        folder = folder_paths.get_input_directory()
        files = [f for f in os.listdir(folder) if f.endswith(".obj")]
        return {"required": {"size": ("INT",), "mesh": (sorted(files),)}}
NODE_CLASS_MAPPINGS = {"Mesh": Mesh}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path)


@pytest.fixture
def environment(workspace: Workspace) -> Environment:
    return environment_in(workspace)


def test_what_committed_workflows_load(workspace: Workspace, environment: Environment) -> None:
    write_files(environment.custom_nodes_path, {"meshes/__init__.py": LOADER, "example.py": ""})
    workflows = {
        "a.json": ui(node(1, "LoadImage", ("a.png", "image"))),
        "sub/b.json": ui(node(1, "Mesh", (3, "b.obj"))),
        "c.json": ui(node(1, "LoadImage", ("c.png", "image"))),
    }
    write_files(environment.workflows_cec_path, {k: v.decode() for k, v in workflows.items()})
    found = loaded_inputs(workspace, environment, ["sub/b", "a", "gone"])
    assert [(each.workflow, each.name) for each in found] == [("a", "a.png"), ("sub/b", "b.obj")]


def test_a_workflow_that_is_none_loads_nothing(
    workspace: Workspace, environment: Environment
) -> None:
    write_files(environment.workflows_cec_path, {"a.json": "[]"})
    assert loaded_inputs(workspace, environment, ["a"]) == ()


def test_only_files_below_the_input_folder_are_there(
    environment: Environment, tmp_path: Path
) -> None:
    assert present_inputs(environment) == {}
    root = write_files(input_folder(environment), {"a.png": "123", "sub/b.png": "1"})
    outside = write_files(tmp_path / "outside", {"secret.png": "x"})
    (root / "out.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    (root / "broken.png").symlink_to("nowhere")
    (root / "circle.png").symlink_to("circle.png")
    (root / "sub/inside.png").symlink_to("../a.png")
    assert present_inputs(environment) == {"a.png": 3, "sub/b.png": 1, "sub/inside.png": 3}


def test_an_input_folder_that_is_a_link_itself(environment: Environment, tmp_path: Path) -> None:
    outside = write_files(tmp_path / "disk", {"a.png": "123"})
    input_folder(environment).parent.mkdir(parents=True)
    input_folder(environment).symlink_to(outside)
    assert present_inputs(environment) == {"a.png": 3}
    bundle = write_files(tmp_path / "bundle", {"inputs/sub/b.png": "b"})
    assert place_inputs(bundle, environment) == PlacedInputs(placed=("sub/b.png",))
    assert (outside / "sub/b.png").read_text() == "b"


def test_inputs_are_placed_once(environment: Environment, tmp_path: Path) -> None:
    files = {"a.png": "a", "clipspace/b.png": "b"}
    bundle = write_files(tmp_path / "bundle", {f"inputs/{k}": v for k, v in files.items()})
    (bundle / "inputs/a.png").chmod(0o600)
    for _ in range(2):
        assert place_inputs(bundle, environment) == PlacedInputs(placed=tuple(files))
    root = input_folder(environment)
    assert {path.name for path in root.rglob("*")} == {"a.png", "clipspace", "b.png"}
    assert {name: (root / name).read_text() for name in files} == files
    assert (root / "a.png").stat().st_mode & 0o777 == 0o644


def test_a_bundle_without_inputs_changes_nothing(environment: Environment, tmp_path: Path) -> None:
    assert place_inputs(tmp_path, environment) == PlacedInputs(placed=())
    assert not input_folder(environment).exists()


@pytest.mark.parametrize("kind", ["other", "folder", "link", "broken link", "file above"])
def test_what_is_there_stays(environment: Environment, tmp_path: Path, kind: str) -> None:
    bundle = write_files(tmp_path / "bundle", {"inputs/s/a.png": "new", "inputs/b.png": "b"})
    root, outside = input_folder(environment), tmp_path / "outside"
    if kind == "file above":
        write_files(root, {"s": "mine"})
    else:
        write_files(root, {"s/other": ""})
    if kind == "other":
        write_files(root, {"s/a.png": "old"})
    elif kind == "folder":
        write_files(root, {"s/a.png/x": ""})
    elif kind.endswith("link"):
        (root / "s/a.png").symlink_to(outside)
        if kind == "link":
            outside.write_text("mine")
    assert place_inputs(bundle, environment) == PlacedInputs(placed=("b.png",), kept=("s/a.png",))
    if kind == "other":
        assert (root / "s/a.png").read_text() == "old"
    assert outside.exists() == (kind == "link")


def test_a_folder_that_leads_out_takes_nothing(environment: Environment, tmp_path: Path) -> None:
    bundle = write_files(tmp_path / "bundle", {"inputs/s/a.png": "new"})
    (tmp_path / "outside").mkdir()
    write_files(input_folder(environment), {"x": ""})
    (input_folder(environment) / "s").symlink_to(tmp_path / "outside")
    assert place_inputs(bundle, environment).kept == ("s/a.png",)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_folder_of_deeper_folders_that_leads_out(
    environment: Environment, tmp_path: Path
) -> None:
    bundle = write_files(tmp_path / "bundle", {"inputs/s/deep/a.png": "new"})
    (tmp_path / "outside").mkdir()
    write_files(input_folder(environment), {"x": ""})
    (input_folder(environment) / "s").symlink_to(tmp_path / "outside")
    assert place_inputs(bundle, environment).kept == ("s/deep/a.png",)
    assert list((tmp_path / "outside").iterdir()) == []


def test_no_place_for_the_folder_is_one_sentence(environment: Environment, tmp_path: Path) -> None:
    bundle = write_files(tmp_path / "bundle", {"inputs/a.png": "new"})
    write_files(environment.path, {"ComfyUI": "a file"})
    with pytest.raises(StorageError, match="ComfyUI"):
        place_inputs(bundle, environment)
