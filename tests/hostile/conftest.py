"""A machine whose files nobody may touch."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace in it, and files beside it that nobody may touch."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "x").write_text("mine", encoding="utf-8")
    workspace = Workspace.open(folder / "home", {"HOME": str(folder)})
    workspace.scan_models()
    workspace.staging_path.mkdir()
    return folder
