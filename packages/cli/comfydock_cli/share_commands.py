"""export and import: the two commands that everything else is for."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from comfydock_core.domain.acquisition import ImportPlan, ImportResult
from comfydock_core.domain.exporting import ExportResult
from comfydock_core.domain.names import checked_torch_backend
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import NotFoundError, UsageError
from comfydock_core.importing.report import next_steps
from comfydock_core.services.export_service import ExportService
from comfydock_core.services.import_service import ImportOptions, ImportService
from comfydock_core.workspace import environments

from comfydock_cli.context import Context
from comfydock_cli.import_prompts import TerminalExport, TerminalImport
from comfydock_cli.import_screens import plan_lines, result_lines
from comfydock_cli.measures import counted, size_text
from comfydock_cli.result import CommandResult, ErrorItem

STRATEGIES = ("all", "required", "flexible", "skip")


def export_env_arguments(parser: ArgumentParser) -> None:
    """ENV, --output."""
    active = "default: the active one"
    parser.add_argument("name", nargs="?", default="", metavar="ENV", help=active)
    parser.add_argument("--output", metavar="FILE", help="default: ENV_export_DATE.tar.gz here")


def export_env(arguments: Namespace, context: Context) -> CommandResult:
    """Write a bundle and say what the other side will get."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, arguments.name or context.options.env)
    service = ExportService(environment, workspace, TerminalExport(context))
    result = service.export(Path(arguments.output).expanduser() if arguments.output else None)
    return CommandResult(
        command="export",
        data={
            "path": str(result.path),
            "size": result.size,
            "environment": environment.name,
            "workflows": result.workflows,
            "nodes": result.nodes,
            "models": result.models,
            "unknown_sources": list(result.unknown_sources),
        },
        text="\n".join(_export_lines(result)),
        next_command=f"comfydock import {result.path.name}",
    )


def _export_lines(result: ExportResult) -> list[str]:
    others = result.nodes - result.development_nodes
    unknown = len(result.unknown_sources)
    sources = f"{result.models - unknown} with download URLs" + (
        f", {unknown} unknown source" if unknown else ""
    )
    return [
        f"✓ Export complete: {result.path} ({size_text(result.size)})",
        "",
        "Summary:",
        f"  • {counted(result.workflows, 'workflow')}",
        f"  • {counted(result.nodes, 'custom node')} "
        f"({result.development_nodes} development, {others} registry/git)",
        f"  • {counted(result.models, 'model')} ({sources})",
        *(f"    ⚠ no download URL: {escape_text(name)}" for name in result.unknown_sources),
        "",
        "Share this file to distribute your complete environment!",
    ]


def import_env_arguments(parser: ArgumentParser) -> None:
    """BUNDLE and everything that answers a question beforehand."""
    parser.add_argument("bundle", nargs="?", default="", metavar="BUNDLE")
    parser.add_argument("--name", default="", metavar="NAME", help="default: the sender's name")
    parser.add_argument("--resume", default="", metavar="NAME", help="go on with a cut import")
    parser.add_argument("--models", choices=STRATEGIES, help="which missing models to download")
    parser.add_argument("--skip-models", action="store_true", help="download no models")
    parser.add_argument("--skip-nodes", action="store_true", help="install only bundled nodes")
    parser.add_argument("--torch-backend", default="", metavar="auto|cpu|cu...|rocm...|none")
    parser.add_argument(
        "--trust-code", action="store_true", help="agree to code that nobody vouches for"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")


def import_env(arguments: Namespace, context: Context) -> CommandResult:
    """Look, plan, ask, execute, and say what is true."""
    service = ImportService(context.workspace, TerminalImport(context))
    if arguments.resume:
        return _told(service.resume(arguments.resume), context)
    if not arguments.bundle:
        raise UsageError("`comfydock import` needs `BUNDLE`", hint="comfydock import --help")
    bundle = Path(arguments.bundle).expanduser()
    if not bundle.is_file():
        raise NotFoundError(f"`{bundle}` is no file", subject=str(bundle))
    options = ImportOptions(
        models="skip" if arguments.skip_models else arguments.models,
        skip_nodes=arguments.skip_nodes,
        torch_backend=checked_torch_backend(arguments.torch_backend),
        trust_code=arguments.trust_code,
        person=context.terminal.interactive and not context.options.yes,
    )
    if arguments.dry_run:
        return _planned(service.plan_import(bundle, arguments.name, options))
    return _told(service.import_bundle(bundle, arguments.name, options=options), context)


def _planned(plan: ImportPlan) -> CommandResult:
    return CommandResult(
        command="import",
        data={"dry_run": True, **plan_data(plan)},
        text="\n".join(plan_lines(plan)),
        notes=("nothing was done: this was a dry run",),
    )


def plan_data(plan: ImportPlan) -> dict[str, object]:
    """Return a plan for programs."""
    return {
        "environment": plan.environment,
        "nodes": [
            {"name": d.node.name, "action": d.action, "source": d.source} for d in plan.nodes
        ],
        "models": [
            {
                "filename": d.model.filename,
                "action": d.action,
                "url": d.source_url,
                "target": d.target_path,
                "reason": d.reason,
                "criticality": plan.aggregates[d.key].criticality,
            }
            for d in plan.models
        ],
        "code": [
            {"kind": o.kind, "name": o.name, "detail": o.detail, "vouched": o.pinned}
            for o in plan.code
        ],
        "download_size": plan.download_size,
    }


def _told(result: ImportResult, context: Context) -> CommandResult:
    log = context.workspace.log_path(result.environment_name)
    steps = next_steps(result)
    return CommandResult(
        command="import",
        data={
            "environment": result.environment_name,
            "path": str(result.environment_path),
            "nodes": {
                "installed": result.nodes_installed,
                "failed": [{"name": n, "reason": why} for n, why in result.nodes_failed],
                "skipped": list(result.nodes_skipped),
            },
            "models": {
                "downloaded": result.models_downloaded,
                "found_locally": result.models_found_local,
                "skipped": result.models_skipped,
                "failed": [{"name": n, "reason": why} for n, why in result.models_failed],
            },
            "workflows": {"complete": result.workflows_complete, "all": list(result.workflows)},
            "next_steps": list(steps),
        },
        text="\n".join(result_lines(result, str(log))),
        status="success" if result.success else "partial",
        exit_code=0 if result.success else 3,
        errors=tuple(_errors(result)),
        next_command=steps[0] if steps else "",
    )


def _errors(result: ImportResult) -> list[ErrorItem]:
    nodes = [
        ErrorItem(code="node", message=f"`{name}`: {why}", subject=name)
        for name, why in result.nodes_failed
    ]
    issues = [
        ErrorItem(code=f"missing-{i.kind}", message=i.sentence, subject=i.subject)
        for i in result.issues
        if i.blocking
    ]
    return [*nodes, *issues]
