"""model list, find, info, add-source, verify: what the library holds."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from shlex import quote

from comfydock_core.domain.model_sources import ExaminedSource, difference
from comfydock_core.domain.models import ModelWithLocation, detect_url_type
from comfydock_core.domain.names import url_problem
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import NetworkError, NotFoundError, StorageError, UsageError
from comfydock_core.services.model_service import ModelService
from comfydock_core.storage.http_answers import HttpStatusError, NoFileError
from comfydock_core.workspace.workspace import Workspace

from comfydock_cli.context import Context
from comfydock_cli.measures import counted, size_text
from comfydock_cli.result import CommandResult, ErrorItem

_GONE = (404, 410)
_MOST_CHOICES = 5


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
    rows = [_row(workspace, model) for model in models]
    lines = [
        f"{m.hash[:12]}  {size_text(m.size):>9}  {escape_text(m.relative_path)}" for m in models
    ]
    folders = ", ".join(str(folder) for folder in workspace.models_directories)
    size = size_text(sum(model.size for model in models))
    total = f"{counted(len(models), 'model')}{what}, {size}, in {folders}"
    return CommandResult(command=command, data={"models": rows}, text="\n".join([*lines, total]))


def _row(workspace: Workspace, model: ModelWithLocation) -> dict[str, object]:
    return {
        "hash": model.hash,
        "path": model.path,
        "relative_path": model.relative_path,
        "size": model.size,
        "blake3": model.blake3_hash,
        "sha256": model.sha256_hash,
        "sources": list(workspace.tools.models.get_model_sources(model.hash)),
    }


def show_model_arguments(parser: ArgumentParser) -> None:
    """MODEL."""
    parser.add_argument("model", metavar="MODEL", help="a file name, path or hash")


def show_model(arguments: Namespace, context: Context) -> CommandResult:
    """Show one model: where it lies, what it is, where it can be had, who uses it."""
    workspace = context.workspace
    workspace.scan_models()
    model = named_model(workspace, arguments.model)
    places = workspace.tools.models.locations(model.hash)
    sources = workspace.tools.models.get_model_sources(model.hash)
    uses = _uses(workspace, model.hash)
    unread = f"not calculated: comfydock model verify {_typed(model)}"
    lines = [
        f"{escape_text(model.filename)}  {size_text(model.size)}  {model.category}",
        f"  hash     {model.hash}",
        f"  blake3   {model.blake3_hash or unread}",
        f"  sha256   {model.sha256_hash or unread}",
        *(f"  file     {escape_text(place.path)}" for place in places),
        *(f"  source   {escape_text(url)}" for url in sources or ("none known",)),
        *(f"  used by  {escape_text(use)}" for use in uses or ("no workflow",)),
    ]
    data = {**_row(workspace, model), "paths": [p.path for p in places], "used_by": list(uses)}
    return CommandResult(command="model info", data=data, text="\n".join(lines))


def _uses(workspace: Workspace, key: str) -> tuple[str, ...]:
    """Return ``environment: workflow`` for every workflow that is recorded to load a model."""
    found = []
    for name in workspace.environment_names():
        environment = workspace.environment(name)
        if environment.pyproject_path.is_file():
            recorded = environment.manifest().workflows.values()
            loading = (w.name for w in recorded if any(model.hash == key for model in w.models))
            found += [f"{name}: {workflow}" for workflow in loading]
    return tuple(found)


def add_model_source_arguments(parser: ArgumentParser) -> None:
    """MODEL, URL."""
    parser.add_argument("model", metavar="MODEL", help="a file name, path or hash")
    parser.add_argument("url", metavar="URL")


def add_model_source(arguments: Namespace, context: Context) -> CommandResult:
    """Record where a model can be downloaded, after asking the host what lies there.

    A host that cannot be asked now may have it all the same; one that says no is believed.
    """
    workspace = context.workspace
    workspace.scan_models()
    if problem := url_problem(arguments.url):
        raise UsageError(f"`{arguments.url}` {problem}", subject=arguments.url)
    model = named_model(workspace, arguments.model)
    notes: tuple[str, ...] = ()
    urls: tuple[str, ...] = (arguments.url,)
    try:
        found = workspace.tools.model_hosts.examine(arguments.url)
        _require_same(model, found, arguments.url)
        urls = tuple(dict.fromkeys((found.url, found.original)))
        notes = (f"this source {found.problem}",) if found.problem else ()
    except NetworkError as error:
        is_gone = isinstance(error, HttpStatusError) and error.answer.status in _GONE
        if is_gone or isinstance(error, NoFileError):
            raise
        notes = (f"not checked: {error.sentence}",)
    for url in urls:
        workspace.tools.models.add_source(model.hash, detect_url_type(url), url)
    kind = detect_url_type(urls[0])
    return CommandResult(
        command="model add-source",
        data={"hash": model.hash, "url": urls[0], "urls": list(urls), "type": kind},
        text=f"✓ {escape_text(model.relative_path)} can be had at {escape_text(urls[0])} ({kind})",
        notes=notes,
    )


def _require_same(model: ModelWithLocation, found: ExaminedSource, url: str) -> None:
    """Refuse an address of which its host says that another file lies there."""
    if problem := difference(found, model.size, model.sha256_hash):
        raise UsageError(
            f"`{url}` is another file than `{model.relative_path}`",
            cause=problem,
            hint=f"comfydock model info {_typed(model)}",
            subject=url,
        )


def verify_models_arguments(parser: ArgumentParser) -> None:
    """MODEL or --all."""
    parser.add_argument("model", nargs="?", default="", metavar="MODEL")
    parser.add_argument("--all", action="store_true", help="every file of the library")


def verify_models(arguments: Namespace, context: Context) -> CommandResult:
    """Read files whole and compare them with what the index knows of them."""
    workspace = context.workspace
    if bool(arguments.model) == arguments.all:
        raise UsageError("name a model, or all of them with `--all`", hint="comfydock model list")
    workspace.scan_models()
    index = workspace.tools.models
    chosen = index.all()
    if arguments.model:
        chosen = index.locations(named_model(workspace, arguments.model).hash)
    verdicts = {
        model.path: ("unreadable" if isinstance(verdict, StorageError) else verdict)
        for model, verdict in ModelService(workspace).verify(chosen)
    }
    bad = {path: verdict for path, verdict in verdicts.items() if verdict in _BAD}
    return CommandResult(
        command="model verify",
        data={"files": verdicts},
        text="\n".join(_verdict_lines(verdicts, bad)),
        status="partial" if bad else "success",
        exit_code=3 if bad else 0,
        errors=tuple(
            ErrorItem(code=f"model-{verdict}", message=f"`{path}` is {verdict}", subject=path)
            for path, verdict in bad.items()
        ),
        next_command=_where_to_get(chosen, bad),
    )


_BAD = ("different", "unreadable")


def _where_to_get(chosen: Sequence[ModelWithLocation], bad: Mapping[str, str]) -> str:
    """Return the command that shows where the first damaged file can be had again."""
    damaged = (_typed(model) for model in chosen if model.path in bad)
    return next((f"comfydock model info {word}" for word in damaged), "")


def _verdict_lines(verdicts: Mapping[str, str], bad: Mapping[str, str]) -> list[str]:
    lines = [f"✗ {escape_text(path)} ({verdict})" for path, verdict in bad.items()]
    new = sum(verdict == "unproven" for verdict in verdicts.values())
    first = f", {new} of them for the first time: their digests are known now" if new else ""
    whole = len(verdicts) - len(bad)
    return [
        *lines,
        f"{'⚠' if bad else '✓'} {whole} of {counted(len(verdicts), 'file')} whole{first}",
    ]


def named_model(workspace: Workspace, name: str) -> ModelWithLocation:
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
    paths = [f"`{model.relative_path}`" for model in contents.values()]
    more = f" and {len(paths) - _MOST_CHOICES} more" if len(paths) > _MOST_CHOICES else ""
    raise UsageError(
        f"`{name}` could be several models: {', '.join(paths[:_MOST_CHOICES])}{more}",
        hint=f"comfydock model find -- {quote(name)}" if name else "comfydock model list",
        subject=name,
    )


def _typed(model: ModelWithLocation) -> str:
    """Return a word that means the model when it is pasted after a command."""
    path = model.relative_path
    return model.hash if path.startswith("-") or escape_text(path) != path else quote(path)
