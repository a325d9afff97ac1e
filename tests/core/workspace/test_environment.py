from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.errors import GitError, NotReadyError
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.journal import Journal

from tests.core.importing.summaries import summary
from tests.core.workspace.workspaces import SMALL, environment_in, workspace_at


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return environment_in(workspace_at(tmp_path))


@pytest.fixture
def history(tmp_path: Path, environment: Environment) -> History:
    found = History(environment, workspace_at(tmp_path).tools.git)
    found.start()
    return found


def test_the_manifest_is_what_was_written(environment: Environment) -> None:
    assert environment.manifest() == SMALL


def test_a_history_begins_with_its_first_commit(history: History, environment: Environment) -> None:
    assert (history.head(), history.entries()) == ("", ())
    assert history.changes() == ("pyproject.toml",)
    first = history.commit('Create $(id) "it" -m')
    assert history.head() == first
    assert len(first) == 40
    assert history.changes() == ()
    assert history.commit("nothing") == ""
    [entry] = history.entries()
    assert entry.message == 'Create $(id) "it" -m'
    assert first.startswith(entry.commit)
    assert history.head_time() > 1_700_000_000
    assert environment.pyproject_path.exists()


def test_every_kind_of_change_is_seen(history: History, environment: Environment) -> None:
    cec = environment.cec_path
    for name in ("kept", "gone", "changed"):
        (cec / name).write_text(name, encoding="utf-8")
    history.commit("one")
    (cec / "gone").unlink()
    (cec / "changed").write_text("x", encoding="utf-8")
    (cec / "sub").mkdir()
    (cec / "sub" / "工作 流\n.json").write_text("{}", encoding="utf-8")
    assert set(history.changes()) == {"gone", "changed", "sub/工作 流\n.json"}
    history.commit("two")
    assert [entry.message for entry in history.entries()] == ["two", "one"]
    assert [entry.message for entry in history.entries(1)] == ["two"]


def test_hooks_of_the_repository_do_not_run(history: History, environment: Environment) -> None:
    hook = environment.cec_path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    assert history.commit("x")


def test_starting_again_keeps_the_history(history: History) -> None:
    first = history.commit("x")
    history.start()
    assert history.head() == first


def test_no_commit_has_no_time(history: History) -> None:
    with pytest.raises(GitError):
        history.head_time()


@pytest.mark.parametrize(
    ("journal", "hint"),
    [
        (None, ""),
        (
            Journal(work="import", plan=make_plan(summary(), LocalModels(), PlanChoices())),
            "comfydock import --resume studio",
        ),
        (Journal(work="import"), "comfydock delete studio"),
        (Journal(work="create"), "comfydock delete studio"),
    ],
)
def test_an_environment_that_is_being_made(
    environment: Environment, journal: Journal | None, hint: str
) -> None:
    if journal is None:
        environment.check_complete(journal)
        environment.pyproject_path.unlink()
        hint = "comfydock delete studio"
    with pytest.raises(NotReadyError, match="`studio` is not complete") as caught:
        environment.check_complete(journal)
    assert caught.value.hint == hint
