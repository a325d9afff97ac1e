"""Workspaces of the tests: nothing is inherited, nothing is reached but a folder of wheels."""

from __future__ import annotations

import os
from pathlib import Path

from comfydock_core.domain.manifest import Manifest
from comfydock_core.events import Reporter
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

SMALL = Manifest(name="studio", comfyui_version="v0.3.75", python_version="3.11")


def workspace_at(tmp_path: Path, reporter: Reporter | None = None, **variables: str) -> Workspace:
    """Open a workspace whose uv looks at ``tmp_path/wheels`` and at an empty index."""
    (tmp_path / "wheels").mkdir(exist_ok=True)
    (tmp_path / "nothing").mkdir(exist_ok=True)
    ours = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "COMFYDOCK_FIND_LINKS": str(tmp_path / "wheels"),
        "COMFYDOCK_PYTHON_INDEX": (tmp_path / "nothing").as_uri(),
        "COMFYDOCK_UV_CACHE": str(tmp_path / "uv-cache"),
    }
    return Workspace.open(tmp_path / "home", ours | variables, reporter)


def environment_in(
    workspace: Workspace, name: str = "studio", manifest: Manifest = SMALL
) -> Environment:
    """Make an environment that has a manifest and nothing else."""
    environment = Environment(name, workspace.environments_path / name, workspace.tools.git)
    environment.write_manifest(manifest)
    return environment
