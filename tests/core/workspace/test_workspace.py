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

from tests.core.storage.folder_trees import grow, shown
from tests.core.storage.model_files import write_model
from tests.core.workspace.workspaces import environment_in, workspace_at

WEBUI = "w/models/Stable-diffusion checkpoints"


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


def test_directories_are_added_in_turn(workspace: Workspace, tmp_path: Path) -> None:
    assert list(workspace.models_directories) == [workspace.root / "models"]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    added = [workspace.add_models_directory(tmp_path / name) for name in ("a", "b", "a", "link")]
    assert added == [True, True, False, False]
    assert list(workspace.models_directories) == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize(
    ("tree", "directories", "roots", "downloads"),
    [
        ([], [], ["home/models "], "home/models"),
        (["a/loras/", "b/"], ["a", "b"], ["a ", "b "], "a"),
        (["a/loras/", "home/models/"], ["a"], ["a ", "home/models "], "a"),
        (["ui/main.py", "ui/models/"], ["ui"], ["ui/models "], "ui/models"),
        (["w/models/Stable-diffusion/"], ["w"], [WEBUI], "home/models"),
        (
            ["w/models/Stable-diffusion/", "home/models/"],
            ["w"],
            [WEBUI, "home/models "],
            "home/models",
        ),
        (["w/models/Stable-diffusion/", "a/"], ["w", "a", "w"], [WEBUI, "a "], "home/models"),
        (["hub/models--a--b/"], ["hub"], ["hub "], "home/models"),
        (["x.yaml", "v/"], ["x.yaml"], ["v vae"], "home/models"),
    ],
)
def test_the_library_is_what_the_directories_hold(
    workspace: Workspace,
    tmp_path: Path,
    tree: list[str],
    directories: list[str],
    roots: list[str],
    downloads: str,
) -> None:
    grow(tmp_path, tree)
    if "x.yaml" in tree:
        (tmp_path / "x.yaml").write_text("x:\n  vae: v\n", encoding="utf-8")
    for name in directories:
        workspace.add_models_directory(tmp_path / name)
    found = [" ".join(each) for each in shown(workspace.model_roots, tmp_path)]
    assert found == roots
    assert workspace.download_directory == tmp_path / downloads


def test_models_are_indexed_where_another_tool_keeps_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    grow(tmp_path, ["w/models/Stable-diffusion/sub/a.ckpt", "w/models/Lora/"])
    write_model(tmp_path / "w/models/Lora/b.sft", b"more weights")
    snapshot = tmp_path / "hub/models--a--b/snapshots/c"
    snapshot.mkdir(parents=True)
    (snapshot / "d.sft").symlink_to(write_model(tmp_path / "hub/models--a--b/blobs/e", b"other"))
    for name in ("w", "hub"):
        workspace.add_models_directory(tmp_path / name)
    workspace.scan_models()
    assert sorted(
        (model.relative_path, model.category, Path(model.path).relative_to(tmp_path).as_posix())
        for model in workspace.tools.models.all()
    ) == [
        ("checkpoints/sub/a.ckpt", "checkpoints", "w/models/Stable-diffusion/sub/a.ckpt"),
        ("loras/b.sft", "loras", "w/models/Lora/b.sft"),
        (
            "models--a--b/snapshots/c/d.sft",
            "models--a--b",
            "hub/models--a--b/snapshots/c/d.sft",
        ),
    ]


def test_a_file_that_names_no_folders_is_not_added(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("x: 7\n", encoding="utf-8")
    with pytest.raises(StorageError, match=r"x\.yaml"):
        workspace.add_models_directory(tmp_path / "x.yaml")
    assert list(workspace.models_directories) == [workspace.root / "models"]


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
