"""Commits of `.cec`: what a bundle last said, and going back to exactly what one holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import NotFoundError
from comfydock_core.storage.git import Git
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.recorded_states import (
    BundleState,
    RecordedStates,
    message_with_kept,
)

KEPT = {"workflow:my own/flow": "", "workflow:upscale": "abc", "node:p": "registry|1|p"}


@pytest.fixture
def git() -> Git:
    return Git(HostSettings(), {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})


@pytest.fixture
def environment(tmp_path: Path, git: Git) -> Environment:
    return Environment("x", tmp_path / "x", git)


def commit(environment: Environment, git: Git, message: str, **files: str) -> str:
    history = History(environment, git)
    history.start()
    for path in environment.cec_path.glob("*.txt"):
        path.unlink()
    for name, text in files.items():
        (environment.cec_path / f"{name}.txt").write_text(text)
    return history.commit(message, even_if_empty=True)


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_what_a_bundle_last_said(environment: Environment, git: Git) -> None:
    states = RecordedStates(environment, git)
    History(environment, git).start()
    assert states.bundle_state() is None
    commit(environment, git, "Create environment", a="1")
    assert states.bundle_state() is None
    first = commit(environment, git, "Initial import from bundle", a="2")
    commit(environment, git, "mine", a="3")
    assert states.bundle_state() == BundleState(commit=first, kept={})
    second = commit(environment, git, message_with_kept("Update from bundle 0123", KEPT), a="4")
    assert states.bundle_state() == BundleState(commit=second, kept=KEPT)
    commit(environment, git, f"Rollback to {first[:7]}", a="2")
    assert states.bundle_state() == BundleState(commit=first, kept={})


def test_going_back_is_exact_and_mends_what_was_cut(environment: Environment, git: Git) -> None:
    states = RecordedStates(environment, git)
    first = commit(environment, git, "one", a="1", b="1")
    second = commit(environment, git, "two", a="2", c="2")
    (environment.cec_path / ".git/index.lock").touch()
    (environment.cec_path / "d.txt").write_text("never committed")
    (environment.cec_path / "c.txt").write_text("torn")
    states.go_back(first)
    assert files(environment.cec_path) == {"a.txt": "1", "b.txt": "1"}
    assert not states.is_current(first)
    third = History(environment, git).commit("back")
    assert states.is_current(first)
    assert states.since(second) == (second, third)
    assert states.before_last() == second
    (environment.cec_path / "a.txt").write_text("torn")
    states.go_back(third)
    assert files(environment.cec_path) == {"a.txt": "1", "b.txt": "1"}


def test_a_state_is_laid_out_aside(environment: Environment, git: Git, tmp_path: Path) -> None:
    first = commit(environment, git, "one", a="1")
    commit(environment, git, "two", a="2")
    states = RecordedStates(environment, git)
    states.lay_out(first, tmp_path / "aside")
    assert files(tmp_path / "aside") == {"a.txt": "1"}
    assert [path.name for path in (tmp_path / "aside").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("text", ["nothing", "--all", "0" * 40])
def test_an_unknown_state_is_named(text: str, environment: Environment, git: Git) -> None:
    commit(environment, git, "one", a="1")
    states = RecordedStates(environment, git)
    with pytest.raises(NotFoundError, match=text):
        states.find(text)
    with pytest.raises(NotFoundError):
        states.before_last()
