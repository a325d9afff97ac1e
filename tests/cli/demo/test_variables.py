"""The demo's commands get the user's settings, the demo's hosts, and no tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_cli.demo.variables import side_variables

CONFIG = """
[hosts]
comfyui_repository = "https://git.example/ComfyUI"
allowed = ["git.example"]

[hosts.mirrors]
"https://files.example/" = "https://mirror.example/"

[python]
torch_backend = "cpu"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config.toml").write_text(CONFIG)
    return {
        "COMFYDOCK_HOME": str(tmp_path),
        "HF_TOKEN": "t",
        "HF_ENDPOINT": "https://x",
        "A": "a",
        "NO_PROXY": "intranet",
    }


def test_what_both_kinds_get(environment: dict[str, str]) -> None:
    found = side_variables(environment, "http://hub", real=False)
    assert not {"HF_TOKEN", "HF_ENDPOINT"} & found.keys()
    assert found["A"] == "a"
    assert found["COMFYDOCK_TORCH_BACKEND"] == "cpu"
    assert found["COMFYDOCK_ALLOWED_HOSTS"] == "git.example"
    assert "https://files.example/=https://mirror.example/" in found["COMFYDOCK_MIRRORS"]
    assert found["NO_PROXY"] == "intranet,127.0.0.1,localhost"


@pytest.mark.parametrize(
    ("real", "repository"),
    [
        (False, "https://github.com/comfyanonymous/ComfyUI"),
        (True, "https://git.example/ComfyUI"),
    ],
)
def test_where_comfyui_comes_from(environment: dict[str, str], real: bool, repository: str) -> None:
    found = side_variables(environment, "http://hub", real=real)
    assert found["COMFYDOCK_COMFYUI_REPOSITORY"] == repository


def test_the_user_s_workspace_is_not_made(tmp_path: Path) -> None:
    home = tmp_path / "none"
    side_variables({"COMFYDOCK_HOME": str(home)}, "http://hub", real=False)
    assert not home.exists()
