"""export: an environment becomes one file."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from shlex import quote

from comfydock_core.domain.bundle import PROFILES
from comfydock_core.errors import UsageError
from comfydock_core.exporting.input_files import DEFAULT_BUDGET, input_budget
from comfydock_core.services.export_service import ExportOptions, ExportService
from comfydock_core.storage.user_paths import user_path
from comfydock_core.workspace import environments

from comfydock_cli.context import Context
from comfydock_cli.export_prompts import TerminalExport
from comfydock_cli.export_screens import result_lines
from comfydock_cli.result import CommandResult


def export_env_arguments(parser: ArgumentParser) -> None:
    """ENV and everything that answers a question beforehand."""
    active = "default: the active one"
    parser.add_argument("name", nargs="?", default="", metavar="ENV", help=active)
    parser.add_argument("--output", metavar="FILE", help="default: ENV_export_DATE.tar.gz here")
    parser.add_argument("--force", action="store_true", help="write over FILE if it exists")
    parser.add_argument(
        "--allow-issues", action="store_true", help="export what is open too, and say so in it"
    )
    parser.add_argument("--workflows", metavar="A,B", help="only these, with what they need")
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default=PROFILES[0],
        help="full: model files too; workflow-only: no node sources and inputs",
    )
    parser.add_argument(
        "--inputs", metavar="none|all|SIZE", help="input files; default: 25MB in all"
    )
    parser.add_argument(
        "--accept-finding",
        action="append",
        default=[],
        metavar="ID",
        help="let a secret travel that the export named",
    )
    parser.add_argument(
        "--skip-hashes", action="store_true", help="do not read models for their digests"
    )


def export_env(arguments: Namespace, context: Context) -> CommandResult:
    """Write a bundle and say what the other side will get."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, arguments.name or context.options.env)
    interaction = TerminalExport(context, skip_hashes=arguments.skip_hashes)
    options = ExportOptions(
        overwrite=arguments.force,
        allow_issues=arguments.allow_issues,
        workflows=_workflow_names(arguments.workflows),
        profile=arguments.profile,
        inputs=DEFAULT_BUDGET if arguments.inputs is None else input_budget(arguments.inputs),
        accepted=frozenset(arguments.accept_finding),
    )
    result = ExportService(environment, workspace, interaction).export(
        user_path(arguments.output) if arguments.output else None, options=options
    )
    return CommandResult(
        command="export",
        data={
            "path": str(result.path),
            "size": result.size,
            "environment": environment.name,
            "workflows": result.workflows,
            "nodes": result.nodes,
            "models": result.models,
            "inputs": result.inputs,
            "model_files": result.model_files,
            "unknown_sources": list(result.unknown_sources),
            "warnings": list(result.warnings),
            "commits": list(result.commits),
        },
        text="\n".join(result_lines(result)),
        next_command=f"comfydock import {quote(result.path.name)}",
    )


def _workflow_names(text: str | None) -> tuple[str, ...]:
    """Return the names between the commas; a list of none must not mean all of them."""
    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    if text is not None and not names:
        raise UsageError(
            "`--workflows` names no workflow",
            hint="leave it out to export all of them, or see: comfydock workflow list",
        )
    return names
