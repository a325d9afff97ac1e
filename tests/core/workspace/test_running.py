from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from comfydock_core.domain.models import ModelRoot
from comfydock_core.errors import NotReadyError
from comfydock_core.storage.extra_model_paths import extra_model_roots
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.running import (
    comfyui_command,
    comfyui_variables,
    extra_model_paths,
    run_environment,
)
from comfydock_core.workspace.workspace import Workspace

from tests.core.workspace.workspaces import environment_in, workspace_at

VARIABLES: dict[str, Any] = {
    "PYTHONPATH": "/evil",
    "PYTHONDONTWRITEBYTECODE": "1",
    "HF_HOME": "/hf",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path, **VARIABLES)


@pytest.fixture
def environment(workspace: Workspace) -> Environment:
    """An environment whose ComfyUI is one line and whose Python is this one."""
    found = environment_in(workspace)
    found.python.parent.mkdir(parents=True)
    found.python.symlink_to(sys.executable)
    found.comfyui_path.mkdir()
    return found


def test_the_command_names_the_model_library(
    workspace: Workspace, environment: Environment
) -> None:
    command = comfyui_command(workspace, environment, ["--port", "1"])
    assert command[:3] == [str(environment.python), "main.py", "--extra-model-paths-config"]
    assert command[4:] == ["--port", "1"]
    text = Path(command[3]).read_text(encoding="utf-8")
    assert f'    base_path: "{workspace.root / "models"}"' in text.splitlines()


def test_the_users_variables_are_passed_on_but_for_those_that_disturb(
    workspace: Workspace, environment: Environment
) -> None:
    found = comfyui_variables(workspace, environment)
    assert found["HF_HOME"] == "/hf"
    assert not {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"} & set(found)
    assert found["PATH"].split(os.pathsep)[0] == str(environment.python.parent)
    assert found["VIRTUAL_ENV"] == str(environment.venv_path)


def test_every_folder_of_models_is_listed_under_all_its_names(tmp_path: Path) -> None:
    for name in ("loras", "ultralytics", "custom_nodes", "two words"):
        (tmp_path / name).mkdir()
    plain = [ModelRoot(path=str(tmp_path)), ModelRoot(path=str(tmp_path / "missing"))]
    lines = extra_model_paths(tmp_path, plain).splitlines()
    assert lines.count("    is_default: true") == 1
    assert lines.count("    loras: |") == 2
    assert lines.count("    ultralytics: |") == 1
    unet = lines.index("    diffusion_models: |")
    assert lines[unet + 1 : unet + 3] == ["        diffusion_models", "        unet"]
    assert not [line for line in lines if "custom_nodes" in line or "two words" in line]


def test_comfyui_sees_every_folder_of_the_library(tmp_path: Path) -> None:
    """What is written is read back by ComfyUI's rules; a cache's links are no models' names."""
    library = [
        ModelRoot(path=str(tmp_path / 'web "ui"' / "Stable-diffusion"), category="checkpoints"),
        ModelRoot(path=str(tmp_path / "$HOME: #1" / "Lora"), category="loras"),
        ModelRoot(path=str(tmp_path / "odd"), category="on"),
        ModelRoot(path=str(tmp_path / "odder"), category="a: b"),
    ]
    for root in library:
        Path(root.path).mkdir(parents=True)
    (tmp_path / "models" / "vae").mkdir(parents=True)
    (tmp_path / "hub" / "models--acme--m").mkdir(parents=True)
    file = tmp_path / "x.yaml"
    hub = ModelRoot(path=str(tmp_path / "hub"))
    file.write_text(extra_model_paths(tmp_path / "models", [hub, *library]), encoding="utf-8")
    own = ModelRoot(path=str(tmp_path / "models" / "vae"), category="vae")
    assert extra_model_roots(file) == (own, *library)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 15)", 143),
        ("import sys; raise SystemExit(len(sys.argv))", 4),
    ],
)
def test_the_exit_code_is_comfyuis(
    workspace: Workspace, environment: Environment, code: str, expected: int
) -> None:
    (environment.comfyui_path / "main.py").write_text(code, encoding="utf-8")
    assert run_environment(workspace, environment, ["--cpu"]) == expected


def test_a_python_that_is_gone_is_said(workspace: Workspace, environment: Environment) -> None:
    environment.python.unlink()
    with pytest.raises(NotReadyError, match="has no Python any more"):
        comfyui_command(workspace, environment)
