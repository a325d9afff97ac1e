"""A bundle may call a commit what it likes; where the repository knows better, that counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from comfydock_core.workspace.comfyui_label import true_label
from comfydock_core.workspace.workspace import Workspace

from tests.core.workspace.workspaces import workspace_at
from tests.hub.git_http import git_host
from tests.journeys.town import git, make_repository, write_files

REPOSITORY = "https://github.com/acme/comfyui"


@pytest.fixture
def commits(tmp_path: Path) -> dict[str, str]:
    folder = write_files(tmp_path / "git/acme/comfyui", {"main.py": "1\n"})
    found = {"released": make_repository(folder, "v0.3.75")}
    git(folder, "tag", "odd-name")
    git(folder, "tag", "-a", "-m", "again", "v0.3.75.1")
    git(folder, "commit", "-q", "--allow-empty", "-m", "after it")
    return {**found, "between": git(folder, "rev-parse", "HEAD")}


@pytest.fixture
def workspace(tmp_path: Path, commits: dict[str, str]) -> Iterator[Workspace]:
    with git_host(tmp_path / "git") as host:
        made = workspace_at(
            tmp_path,
            COMFYDOCK_MIRRORS=f"https://github.com/={host.url}",
            COMFYDOCK_ALLOWED_HOSTS="127.0.0.1",
        )
        made.tools.repositories.update(REPOSITORY)
        yield made


@pytest.mark.parametrize(
    ("commit", "label", "expected"),
    [
        ("released", "v0.3.75", "v0.3.75"),
        ("released", "0.3.75", "0.3.75"),
        ("released", "v9.9.9", "v0.3.75.1"),
        ("released", "master", "master"),
        ("between", "v9.9.9", "v9.9.9"),
        ("between", "v0.3.75", ""),
        ("between", "", ""),
    ],
)
def test_a_release_is_believed_where_nothing_speaks_against_it(
    commit: str, label: str, expected: str, workspace: Workspace, commits: dict[str, str]
) -> None:
    found = true_label(workspace, REPOSITORY, commits[commit], label)
    assert found == (expected or (label and commits[commit][:8]))


def test_without_the_commit_nothing_is_known(workspace: Workspace) -> None:
    for repository in (REPOSITORY, "https://github.com/acme/never-seen"):
        assert true_label(workspace, repository, "0" * 40, "v9.9.9") == "v9.9.9"
