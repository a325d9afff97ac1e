"""model index dir, scan, status: which folders are the library, and what the index knows."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from comfydock_core.domain.untrusted import escape_text, is_text
from comfydock_core.errors import NotFoundError, UsageError
from comfydock_core.storage.extra_model_paths import is_extra_model_paths
from comfydock_core.storage.model_walk import whole_place
from comfydock_core.storage.user_paths import user_path
from comfydock_core.workspace.workspace import Workspace

from comfydock_cli.context import Context
from comfydock_cli.measures import counted, size_text
from comfydock_cli.result import CommandResult


def set_models_directory_arguments(parser: ArgumentParser) -> None:
    """DIR."""
    parser.add_argument(
        "folder",
        metavar="DIR",
        help="a folder of models of ComfyUI or another tool, or an extra_model_paths.yaml; "
        "it is used where it lies",
    )


def set_models_directory(arguments: Namespace, context: Context) -> CommandResult:
    """Add a folder to the library and index it."""
    workspace = context.workspace
    folder = user_path(arguments.folder)
    is_folder = os.path.isdir(folder)  # noqa: PTH112 - Path's raises for too long a name
    if not arguments.folder or not (is_folder or is_extra_model_paths(folder)):
        raise NotFoundError(
            f"`{arguments.folder}` is no folder",
            hint="comfydock model index dir ~/ComfyUI/models",
            subject=arguments.folder,
        )
    if reason := whole_place(folder):
        raise UsageError(
            f"`{arguments.folder}` {reason}",
            hint="name the folder in it where the models are",
            subject=arguments.folder,
        )
    if not is_text(str(folder.absolute())):
        raise UsageError(
            f"`{arguments.folder}` has a name that is not UTF-8, which config.toml cannot hold",
            hint="rename the folder, or name a link to it",
            subject=arguments.folder,
        )
    added = workspace.add_models_directory(folder)
    text = "" if added else f"{folder} was already part of the library\n"
    return _scanned("model index dir", workspace, text)


def scan_models_arguments(_: ArgumentParser) -> None:
    """No arguments of its own."""


def scan_models(_: Namespace, context: Context) -> CommandResult:
    """Look for new, changed and missing models."""
    return _scanned("model index scan", context.workspace, "")


def _scanned(command: str, workspace: Workspace, before: str) -> CommandResult:
    result = workspace.scan_models()
    counts = {
        "added": result.added,
        "changed": result.changed,
        "removed": result.removed,
        "unchanged": result.unchanged,
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    return CommandResult(
        command=command,
        data={
            **counts,
            "skipped": [{"path": s.path, "reason": s.reason} for s in result.skipped],
            "directories": [str(folder) for folder in workspace.models_directories],
        },
        text=f"{before}✓ Scanned in {result.seconds:.2f} s: {told}",
        notes=tuple(f"left out {escape_text(s.path)}: {s.reason}" for s in result.skipped),
        next_command="comfydock model list",
    )


def show_index_arguments(_: ArgumentParser) -> None:
    """No arguments of its own."""


def show_index(_: Namespace, context: Context) -> CommandResult:
    """Show the library's folders and how much the index knows of what lies in them."""
    workspace = context.workspace
    counts = workspace.tools.models.counts()
    roots = workspace.model_roots
    lines = ["Library:"]
    lines += [f"  {root.path}" + (f" ({root.category})" if root.category else "") for root in roots]
    lines += [
        f"New models go to {workspace.download_directory}",
        "",
        f"{counted(counts.models, 'model')} in {counted(counts.locations, 'file')}, "
        f"{size_text(counts.size)}",
        f"  {counts.with_digests} with full digests",
        f"  {counts.with_source} with a known source",
    ]
    return CommandResult(
        command="model index status",
        data={
            "roots": [{"path": root.path, "category": root.category} for root in roots],
            "download_directory": str(workspace.download_directory),
            "models": counts.models,
            "files": counts.locations,
            "size": counts.size,
            "with_digests": counts.with_digests,
            "with_source": counts.with_source,
        },
        text="\n".join(lines),
        next_command="comfydock model index scan",
    )
