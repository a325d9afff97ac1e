from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.errors import BusyError, NotFoundError, NotReadyError, StorageError, UsageError
from comfydock_core.workspace.environments import (
    active_environment,
    delete_environment,
    ready_environment,
    use,
)
from comfydock_core.workspace.journal import Journal, write_journal
from comfydock_core.workspace.workspace import Workspace, default_root

from tests.core.workspace.workspaces import environment_in, workspace_at


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path)


def test_where_a_workspace_lies(tmp_path: Path) -> None:
    assert default_root({"COMFYDOCK_HOME": str(tmp_path)}) == tmp_path
    assert default_root({}) == Path.home() / ".comfydock" == default_root({"COMFYDOCK_HOME": ""})


def test_opening_makes_what_is_missing_once(tmp_path: Path) -> None:
    assert workspace_at(tmp_path).created
    assert not workspace_at(tmp_path).created
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is no folder"):
        Workspace.open(tmp_path / "file", {})
    with pytest.raises(StorageError):
        Workspace.open(tmp_path / "file" / "below", {})


def test_settings_are_read_again_after_a_change(workspace: Workspace) -> None:
    tools = workspace.tools
    workspace.change_settings({"active_environment": "x"})
    assert workspace.settings.active_environment == "x"
    assert workspace.tools is not tools


def test_the_first_models_directory_takes_downloads(workspace: Workspace, tmp_path: Path) -> None:
    assert list(workspace.models_directories) == [workspace.root / "models"]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    added = [workspace.add_models_directory(tmp_path / name) for name in ("a", "b", "a", "link")]
    assert added == [True, True, False, False]
    assert list(workspace.models_directories) == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "nul"])
def test_names_that_are_no_folder(workspace: Workspace, name: str) -> None:
    for act in (workspace.has_environment, workspace.environment):
        with pytest.raises(UsageError, match="is no name for an environment"):
            act(name)
    with pytest.raises(UsageError), workspace.lock(name):
        pass


def test_an_environment_is_held_by_one_process(workspace: Workspace, tmp_path: Path) -> None:
    environment_in(workspace)
    with workspace.lock("studio"):
        with (
            pytest.raises(BusyError, match="another comfydock"),
            workspace_at(tmp_path).lock("studio"),
        ):
            pass
        with pytest.raises(BusyError):
            delete_environment(workspace_at(tmp_path), "studio")
    assert workspace.has_environment("studio")
    with workspace_at(tmp_path).lock("studio"):
        pass


def test_which_environment_a_command_means(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="there is no environment yet"):
        active_environment(workspace)
    environment_in(workspace, "one")
    assert active_environment(workspace).name == "one"
    environment_in(workspace, "two")
    with pytest.raises(UsageError, match="no environment is active"):
        active_environment(workspace)
    use(workspace, "two")
    assert active_environment(workspace).name == "two"
    assert active_environment(workspace, "one").name == "one"
    with pytest.raises(NotFoundError, match="there is no environment `none`") as caught:
        use(workspace, "none")
    assert caught.value.hint == "there are: `one`, `two`"


def test_only_a_complete_environment_is_ready(workspace: Workspace) -> None:
    environment = environment_in(workspace)
    assert ready_environment(workspace, "studio").name == "studio"
    write_journal(environment.path, Journal(work="import"))
    with pytest.raises(NotReadyError, match="is not complete"):
        ready_environment(workspace, "studio")


@pytest.mark.parametrize("journal", [None, b"broken", b'{"work": "import"}'])
def test_delete_always_works(workspace: Workspace, journal: bytes | None) -> None:
    environment = environment_in(workspace)
    use(workspace, "studio")
    if journal is not None:
        (environment.path / "import.json").write_bytes(journal)
    delete_environment(workspace, "studio")
    assert workspace.environment_names() == ()
    assert workspace.settings.active_environment == ""
    with pytest.raises(NotFoundError):
        delete_environment(workspace, "studio")
