"""model download: one model by name or address, or all that a workflow lacks."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from dataclasses import replace
from shlex import quote

from comfydock_core.domain.byte_sizes import parsed_size
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import UsageError
from comfydock_core.services.model_service import ModelService
from comfydock_core.storage.download_limits import DownloadLimits
from comfydock_core.workspace import environments
from comfydock_core.workspace.model_fetching import (
    FetchedModel,
    WantedModel,
    fetch_models,
)

from comfydock_cli.context import Context
from comfydock_cli.result import CommandResult, error_item


def limit_arguments(parser: ArgumentParser) -> None:
    """--limit-rate, --connections: how much of the line downloads may use."""
    parser.add_argument(
        "--limit-rate", type=_size, metavar="SIZE", help="bytes a second over all, e.g. 5MB"
    )
    parser.add_argument(
        "--connections", type=_count, metavar="N", help="connections to one host, 1 to 16"
    )


def limit_downloads(arguments: Namespace, context: Context) -> None:
    """Hold all downloads of this command to what the flags say."""
    if arguments.limit_rate or arguments.connections:
        usual = DownloadLimits()
        context.workspace.tools.download_limits = DownloadLimits(
            connections=arguments.connections or usual.connections,
            limit_rate=arguments.limit_rate,
        )


def _size(text: str) -> int:
    size = parsed_size(text)
    if not size:
        raise ArgumentTypeError(f"`{text}` is no size: write it as 500KB or 5MB")
    return size


def _count(text: str) -> int:
    most = DownloadLimits().in_all
    if text not in map(str, range(1, most + 1)):
        raise ArgumentTypeError(f"`{text[:20]}` is no number from 1 to {most}")
    return int(text)


def download_models_arguments(parser: ArgumentParser) -> None:
    """MODEL, URL or --workflow, and where a URL's file belongs."""
    parser.add_argument(
        "model",
        nargs="?",
        default="",
        metavar="MODEL|URL",
        help="what an environment knows, or a URL",
    )
    parser.add_argument("--workflow", default="", metavar="NAME", help="all that it lacks")
    parser.add_argument("--category", default="", metavar="FOLDER", help="e.g. checkpoints, loras")
    parser.add_argument(
        "--name", default="", metavar="FILE", help="default: what the host calls it"
    )
    limit_arguments(parser)


def download_models(arguments: Namespace, context: Context) -> CommandResult:
    """Fetch what is not here yet, verified; what is here under another name is used."""
    if bool(arguments.model) == bool(arguments.workflow):
        raise UsageError(
            "name a model, a URL, or a workflow with `--workflow`",
            hint="comfydock model download --help",
        )
    limit_downloads(arguments, context)
    wanted = _wanted(arguments, context)
    fetched = fetch_models(context.workspace, [model for model in wanted if model.sources])
    unknown = [model.filename for model in wanted if not model.sources]
    failed = [outcome for outcome in fetched if outcome.how == "failed"]
    is_whole = not failed and not unknown
    return CommandResult(
        command="model download",
        data={
            "models": [_row(outcome) for outcome in fetched],
            "without_source": unknown,
        },
        text="\n".join(_lines(fetched, unknown)),
        status="success" if is_whole else "partial",
        exit_code=0 if is_whole else 3,
        errors=tuple(
            replace(error_item(outcome.error), subject=outcome.wanted.filename)
            for outcome in failed
            if outcome.error
        ),
        next_command=_next(context, arguments.workflow, is_whole),
    )


def _wanted(arguments: Namespace, context: Context) -> tuple[WantedModel, ...]:
    service = ModelService(context.workspace)
    if "://" in arguments.model:
        return (service.wanted_at(arguments.model, arguments.category, arguments.name),)
    environment = environments.ready_environment(context.workspace, context.options.env)
    if arguments.workflow:
        return service.wanted_by_workflow(environment, arguments.workflow)
    return (service.wanted_by_name(environment, arguments.model),)


def _row(outcome: FetchedModel) -> dict[str, str]:
    return {
        "filename": outcome.wanted.filename,
        "target": outcome.wanted.target,
        "outcome": outcome.how,
        "path": outcome.path,
        "reason": _reason(outcome),
    }


def _reason(outcome: FetchedModel) -> str:
    return outcome.error.in_one_line if outcome.error else ""


def _lines(fetched: Sequence[FetchedModel], unknown: Sequence[str]) -> list[str]:
    lines = []
    for outcome in fetched:
        name = escape_text(outcome.wanted.filename)
        if outcome.how == "failed":
            lines.append(f"✗ {name}: {escape_text(_reason(outcome))}")
        else:
            how = "was here already:" if outcome.how == "found" else "is at"
            lines.append(f"✓ {name} {how} {escape_text(outcome.path)}")
    lines += [f"⚠ {escape_text(name)}: nobody knows an address" for name in unknown]
    return lines or ["Nothing to download: the workflow has every model it asks for"]


def _next(context: Context, workflow: str, is_whole: bool) -> str:
    if workflow and not is_whole:
        return f"comfydock workflow resolve {quote(workflow)}"
    return "comfydock run" if is_whole and context.workspace.environment_names() else ""
