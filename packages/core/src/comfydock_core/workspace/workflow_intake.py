"""Taking a workflow into an environment from any file that carries one."""

from __future__ import annotations

from pathlib import Path

from comfydock_core.domain.path_rules import broken_rule
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_container import embedded_workflow
from comfydock_core.errors import NotFoundError, StorageError, UsageError
from comfydock_core.storage.durable_files import storage_errors, write_durably
from comfydock_core.workspace.environment import Environment

LARGEST_FILE = 1024**3
"""No file above this size in bytes is read: videos of that size carry their workflow elsewhere."""


def add_workflow(environment: Environment, file: Path, name: str = "") -> str:
    """Put the workflow in ``file`` (JSON, PNG, WebP, MP4, WebM) among ComfyUI's workflows.

    It is called ``name``, or like the file; a workflow of that name stays as it is. Returns the
    name. WorkflowError for a file that holds none.
    """
    if not file.is_file():
        raise NotFoundError(f"`{file}` is no file", subject=str(file))
    wanted = (name or file.stem).removesuffix(".json")
    target = environment.workflows_path / f"{wanted}.json"
    if problem := broken_rule(f"{wanted}.json"):
        raise UsageError(
            f"the name `{wanted}` {problem}", hint="choose another with --name", subject=wanted
        )
    if target.exists():
        raise StorageError(
            f"there is already a workflow `{wanted}`",
            hint="choose another name with --name",
            subject=wanted,
        )
    with storage_errors(file):
        if file.stat().st_size > LARGEST_FILE:
            raise StorageError(f"`{file}` is larger than 1 GB", subject=str(file))
        data = embedded_workflow(file.read_bytes(), file.name)
    parse_workflow(data, file.name)
    write_durably(target, data)
    return wanted
