"""Choosing among the environments of a workspace, and removing one."""

from __future__ import annotations

from comfydock_core.errors import UsageError
from comfydock_core.storage.durable_files import remove_folder
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.journal import journal_of
from comfydock_core.workspace.workspace import Workspace


def active_environment(workspace: Workspace, name: str = "") -> Environment:
    """Return what a command means: ``name``, else the active environment, else the only one."""
    if chosen := name or workspace.settings.active_environment:
        return workspace.environment(chosen)
    names = workspace.environment_names()
    if len(names) == 1:
        return workspace.environment(names[0])
    raise UsageError(
        "no environment is active" if names else "there is no environment yet",
        hint=f"comfydock use {names[0]}" if names else "comfydock create my-env",
    )


def ready_environment(workspace: Workspace, name: str = "") -> Environment:
    """Return the meant environment if it is complete; NotReadyError otherwise."""
    environment = active_environment(workspace, name)
    environment.check_complete(journal_of(environment.path))
    return environment


def use(workspace: Workspace, name: str) -> None:
    """Make an environment the active one."""
    workspace.environment(name)
    workspace.change_settings({"active_environment": name})


def delete_environment(workspace: Workspace, name: str) -> None:
    """Remove an environment whatever state it is in; its models stay."""
    environment = workspace.environment(name)
    with workspace.lock(name):
        remove_folder(environment.path, workspace.root / "cache" / "trash")
    if workspace.settings.active_environment == name:
        workspace.change_settings({"active_environment": ""})
