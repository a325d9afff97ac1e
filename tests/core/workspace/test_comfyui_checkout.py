"""ComfyUI goes from one commit to another around what is the user's, and back, however cut."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from comfydock_core.errors import GitError
from comfydock_core.workspace.comfyui_checkout import (
    check_unchanged,
    comfyui_head,
    fetch_comfyui,
    switch_comfyui,
)
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

from tests.core.workspace.workspaces import environment_in, workspace_at

OLD = {"main.py": "1", "only_old.py": "old", "same.py": "same"}
NEW = {"main.py": "2", "nodes/only_new.py": "new", "same.py": "same"}


@dataclass(frozen=True, kw_only=True)
class Made:
    workspace: Workspace
    environment: Environment
    repository: Path
    old: str
    new: str

    def files(self) -> dict[str, str]:
        folder = self.environment.comfyui_path
        paths = (path for path in folder.rglob("*") if path.is_file())
        return {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in paths
            if ".git" not in path.relative_to(folder).parts
        }

    def know(self) -> None:
        fetch_comfyui(self.workspace, self.environment, str(self.repository), self.new)

    def switch(self, commit: str, leaving: str) -> None:
        switch_comfyui(self.workspace, self.environment, commit, leaving)


def committed(repository: Path, files: dict[str, str]) -> str:
    def run(*words: str) -> str:
        names = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        command = ["git", *names, *words]
        done = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    if not (repository / ".git").exists():
        repository.mkdir()
        run("init", "-q", "-b", "master", ".")
    run("rm", "-r", "-q", "--ignore-unmatch", ".")
    for name, text in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    run("add", "-A")
    run("commit", "-q", "-m", "x")
    return run("rev-parse", "HEAD")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    workspace = workspace_at(tmp_path)
    repository = tmp_path / "comfyui"
    old = committed(repository, OLD)
    workspace.tools.git.allow_folder(str(repository))
    workspace.tools.repositories.update(str(repository))
    environment = environment_in(workspace)
    workspace.tools.repositories.check_out(str(repository), old, environment.comfyui_path)
    (environment.comfyui_path / "mine.txt").write_text("mine")
    new = committed(repository, NEW)
    return Made(
        workspace=workspace, environment=environment, repository=repository, old=old, new=new
    )


def test_there_and_back(made: Made) -> None:
    made.know()
    check_unchanged(made.workspace, made.environment, made.new)
    for commit, leaving, files in ((made.new, made.old, NEW), (made.old, made.new, OLD)):
        made.switch(commit, leaving)
        made.switch(commit, leaving)
        assert comfyui_head(made.workspace, made.environment) == commit
        assert made.files() == {**files, "mine.txt": "mine"}


@pytest.mark.parametrize("way", ["on", "back"])
def test_a_cut_switch_goes_on_or_back(way: str, made: Made) -> None:
    made.know()
    folder = made.environment.comfyui_path
    (folder / ".git/index.lock").touch()
    (folder / "main.py").write_text("torn")
    (folder / "only_old.py").unlink()
    (folder / "nodes").mkdir()
    (folder / "nodes/only_new.py").write_text("to")
    if way == "on":
        made.switch(made.new, made.old)
    else:
        made.switch(made.old, made.new)
    assert made.files() == {**(NEW if way == "on" else OLD), "mine.txt": "mine"}


@pytest.mark.parametrize("name", ["main.py", "same.py", "nodes/only_new.py"])
def test_what_was_changed_by_hand_is_named(name: str, made: Made) -> None:
    made.know()
    place = made.environment.comfyui_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("changed by hand")
    with pytest.raises(GitError, match=name):
        check_unchanged(made.workspace, made.environment, made.new)
