"""model list, find, add-source, index dir, index scan: the model library."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from comfydock_core.domain.models import ModelWithLocation, detect_url_type
from comfydock_core.domain.names import url_problem
from comfydock_core.errors import NotFoundError, UsageError
from comfydock_core.workspace.workspace import Workspace

from comfydock_cli.context import Context
from comfydock_cli.measures import counted, size_text
from comfydock_cli.result import CommandResult


def list_models_arguments(_: ArgumentParser) -> None:
    """No arguments of its own."""


def list_models(_: Namespace, context: Context) -> CommandResult:
    """List every model of the library."""
    context.workspace.scan_models()
    return _listing("model list", context.workspace, context.workspace.tools.models.all(), "")


def find_models_arguments(parser: ArgumentParser) -> None:
    """TEXT."""
    parser.add_argument("text", metavar="TEXT", help="part of a path, or of a hash")


def find_models(arguments: Namespace, context: Context) -> CommandResult:
    """List the models with TEXT in their path, or with a hash that begins so."""
    context.workspace.scan_models()
    found = context.workspace.tools.models.find(arguments.text)
    return _listing("model find", context.workspace, found, f" with `{arguments.text}`")


def _listing(
    command: str, workspace: Workspace, models: Sequence[ModelWithLocation], what: str
) -> CommandResult:
    rows = [
        {
            "hash": model.hash,
            "path": model.path,
            "relative_path": model.relative_path,
            "size": model.size,
            "sha256": model.sha256_hash,
            "sources": list(workspace.tools.models.get_model_sources(model.hash)),
        }
        for model in models
    ]
    lines = [f"{m.hash[:12]}  {size_text(m.size):>9}  {m.relative_path}" for m in models]
    folders = ", ".join(str(folder) for folder in workspace.models_directories)
    size = size_text(sum(model.size for model in models))
    total = f"{counted(len(models), 'model')}{what}, {size}, in {folders}"
    return CommandResult(command=command, data={"models": rows}, text="\n".join([*lines, total]))


def add_model_source_arguments(parser: ArgumentParser) -> None:
    """MODEL, URL."""
    parser.add_argument("model", metavar="MODEL", help="a file name, path or hash")
    parser.add_argument("url", metavar="URL")


def add_model_source(arguments: Namespace, context: Context) -> CommandResult:
    """Record where a model can be downloaded."""
    workspace = context.workspace
    workspace.scan_models()
    if problem := url_problem(arguments.url):
        raise UsageError(f"`{arguments.url}` {problem}", subject=arguments.url)
    model = _named_model(workspace, arguments.model)
    kind = detect_url_type(arguments.url)
    workspace.tools.models.add_source(model.hash, kind, arguments.url)
    return CommandResult(
        command="model add-source",
        data={"hash": model.hash, "url": arguments.url, "type": kind},
        text=f"✓ {model.relative_path} can be had at {arguments.url} ({kind})",
    )


def _named_model(workspace: Workspace, name: str) -> ModelWithLocation:
    """Return the one model that a user means by its file name, path or hash."""
    index = workspace.tools.models
    found = index.by_relative_path(name) or index.by_filename(name) or index.find(name)
    contents = {model.hash: model for model in found}
    if len(contents) == 1:
        return next(iter(contents.values()))
    if not contents:
        raise NotFoundError(
            f"there is no model `{name}` in the library", hint="comfydock model list", subject=name
        )
    choices = ", ".join(f"`{model.relative_path}`" for model in contents.values())
    raise UsageError(f"`{name}` could be several models: {choices}", subject=name)


def set_models_directory_arguments(parser: ArgumentParser) -> None:
    """DIR."""
    parser.add_argument("folder", metavar="DIR", help="a folder of models, used where it lies")


def set_models_directory(arguments: Namespace, context: Context) -> CommandResult:
    """Add a folder to the library and index it."""
    workspace = context.workspace
    folder = Path(arguments.folder)
    if not arguments.folder or not folder.expanduser().is_dir():
        raise NotFoundError(f"`{arguments.folder}` is no folder", subject=arguments.folder)
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
        notes=tuple(f"left out {s.path}: {s.reason}" for s in result.skipped),
        next_command="comfydock model list",
    )
