"""init, create, list, use, delete: the workspace and its environments."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from comfydock_core.domain.names import (
    PYTHON_VERSION,
    checked_environment_name,
    checked_torch_backend,
)
from comfydock_core.errors import NotFoundError, StorageError, UsageError
from comfydock_core.storage.user_paths import user_path
from comfydock_core.workspace import environments
from comfydock_core.workspace.creation import CreateRequest, create_environment
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.journal import journal_of
from comfydock_core.workspace.workspace import Workspace, default_root

from comfydock_cli.context import Context
from comfydock_cli.result import CommandResult


def init_workspace_arguments(parser: ArgumentParser) -> None:
    """PATH, --models-dir."""
    parser.add_argument("path", nargs="?", metavar="PATH", help="where the workspace lies")
    parser.add_argument("--models-dir", metavar="DIR", help="a folder of models to use as it is")


def init_workspace(arguments: Namespace, context: Context) -> CommandResult:
    """Make the workspace, or say that it is there."""
    usual = default_root(context.environment)
    _check_folder(arguments.models_dir)
    root = user_path(arguments.path).absolute() if arguments.path else usual
    workspace = Workspace.open(root, context.environment, context.reporter)
    if arguments.models_dir:
        workspace.add_models_directory(Path(arguments.models_dir))
    text = f"Workspace {'made' if workspace.created else 'was already'} at {root}"
    models = [str(folder) for folder in workspace.models_directories]
    elsewhere = root != usual
    return CommandResult(
        command="init",
        data={"path": str(root), "created": workspace.created, "models": models},
        text=f"{text}\nModels: {', '.join(models)}",
        notes=(f"set COMFYDOCK_HOME={root} so that comfydock finds it",) if elsewhere else (),
        next_command="comfydock create my-env",
    )


def _check_folder(folder: str | None) -> None:
    if folder is not None and not (folder and user_path(folder).is_dir()):
        raise NotFoundError(f"`{folder}` is no folder", subject=folder)


def create_env_arguments(parser: ArgumentParser) -> None:
    """NAME and what it is made of."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--comfyui", default="latest", metavar="TAG|COMMIT|BRANCH", help="default: latest release"
    )
    parser.add_argument("--comfyui-repository", default="", metavar="URL|PATH")
    parser.add_argument("--python", default="", metavar="3.x")
    parser.add_argument(
        "--torch-backend", default="", metavar="auto|cpu|cu...|rocm...|none", help="default: auto"
    )


def create_env(arguments: Namespace, context: Context) -> CommandResult:
    """Create an environment; the first one becomes the active one."""
    workspace = context.workspace
    name = checked_environment_name(arguments.name)
    if arguments.python and not PYTHON_VERSION.fullmatch(arguments.python):
        raise UsageError(
            f"`{arguments.python}` is no version of Python",
            hint="write it like 3.12 or 3.12.7",
            subject=arguments.python,
        )
    repository = _named_repository(arguments.comfyui_repository, workspace)
    request = CreateRequest(
        name=name,
        comfyui=arguments.comfyui,
        repository=repository,
        python_version=arguments.python,
        torch_backend=checked_torch_backend(arguments.torch_backend),
    )
    environment = create_environment(workspace, request)
    if not workspace.settings.active_environment:
        environments.use(workspace, name)
    manifest = environment.manifest()
    return CommandResult(
        command="create",
        data={
            "name": name,
            "path": str(environment.path),
            "comfyui_version": manifest.comfyui_version,
            "comfyui_commit": manifest.comfyui_commit,
            "python_version": manifest.python_version,
        },
        text=f"✓ Environment {name} is ready: ComfyUI {manifest.comfyui_version}, "
        f"Python {manifest.python_version}",
        next_command=f"comfydock -e {name} run",
    )


def _named_repository(repository: str, workspace: Workspace) -> str:
    """Make a folder that the user names absolute and let git read it."""
    if not repository or "://" in repository:
        return repository
    folder = str(user_path(repository).resolve())
    workspace.tools.git.allow_folder(folder)
    return folder


def list_envs_arguments(_: ArgumentParser) -> None:
    """No arguments of its own."""


def list_envs(_: Namespace, context: Context) -> CommandResult:
    """List the environments with their state."""
    workspace = context.workspace
    rows = [_row(workspace, name) for name in workspace.environment_names()]
    lines = [f"{'*' if row['active'] else ' '} {row['name']:24} {row['state']}" for row in rows]
    return CommandResult(
        command="list",
        data={"environments": rows},
        text="\n".join(lines) if lines else "There is no environment yet.",
        next_command="" if lines else "comfydock create my-env",
    )


def _row(workspace: Workspace, name: str) -> dict[str, object]:
    environment = workspace.environment(name)
    active = workspace.settings.active_environment == name
    state = _state(environment)
    return {"name": name, "state": state, "active": active, "path": str(environment.path)}


def _state(environment: Environment) -> str:
    try:
        journal = journal_of(environment.path)
    except StorageError:
        return "damaged"
    if journal is None and environment.pyproject_path.exists():
        return "ready"
    states = {"import": "importing", "update": "updating"}
    return states.get(journal.work, "incomplete") if journal else "incomplete"


def use_env_arguments(parser: ArgumentParser) -> None:
    """NAME."""
    parser.add_argument("name", metavar="NAME")


def use_env(arguments: Namespace, context: Context) -> CommandResult:
    """Make an environment the active one."""
    already = context.workspace.settings.active_environment == arguments.name
    environments.use(context.workspace, arguments.name)
    text = f"{arguments.name} {'was already' if already else 'is now'} the active environment"
    return CommandResult(
        command="use",
        data={"name": arguments.name, "changed": not already},
        text=text,
        next_command="comfydock run",
    )


def delete_env_arguments(parser: ArgumentParser) -> None:
    """NAME."""
    parser.add_argument("name", metavar="NAME")


def delete_env(arguments: Namespace, context: Context) -> CommandResult:
    """Delete an environment in any state, after asking."""
    workspace = context.workspace
    environment = workspace.environment(arguments.name)
    question = f"Delete {environment.path} with its nodes, outputs and history? Models stay."
    if not context.terminal.confirm(question, default=True, flag="--yes"):
        return CommandResult(
            command="delete", data={"deleted": False}, text="Nothing was deleted.", exit_code=1
        )
    environments.delete_environment(workspace, arguments.name)
    return CommandResult(
        command="delete",
        data={"deleted": True, "name": arguments.name},
        text=f"✓ Environment {arguments.name} was deleted",
    )
