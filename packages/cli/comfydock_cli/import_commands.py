"""import: a bundle becomes an environment."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace

from comfydock_core.domain.acquisition import ImportPlan, ImportResult
from comfydock_core.errors import UsageError
from comfydock_core.importing.report import next_steps
from comfydock_core.services.import_service import ImportService
from comfydock_core.workspace import environments
from comfydock_core.workspace.running import run_environment

from comfydock_cli.context import Context
from comfydock_cli.import_arguments import (
    decision_arguments,
    import_answers,
    import_options,
    plan_file,
    refuse_beside_resume,
)
from comfydock_cli.import_plan_screens import plan_data, plan_lines
from comfydock_cli.import_prompts import TerminalImport
from comfydock_cli.import_screens import result_errors, result_lines
from comfydock_cli.model_download_commands import limit_arguments, limit_downloads
from comfydock_cli.plan_editing import save_plan
from comfydock_cli.result import CommandResult


def import_env_arguments(parser: ArgumentParser) -> None:
    """BUNDLE, a file or an https address, and everything that answers a question beforehand."""
    parser.add_argument(
        "bundle",
        nargs="?",
        default="",
        metavar="BUNDLE",
        help="a file, or https://...[#sha256=...]",
    )
    parser.add_argument("--name", default="", metavar="NAME", help="default: the sender's name")
    parser.add_argument(
        "--no-verify", action="store_true", help="do not start ComfyUI once at the end"
    )
    parser.add_argument("--resume", default="", metavar="NAME", help="go on with a cut import")
    decision_arguments(parser)
    parser.add_argument("--torch-backend", default="", metavar="auto|cpu|cu...|rocm...|none")
    parser.add_argument(
        "--python", default="", metavar="VERSION", help="default: the sender's Python"
    )
    parser.add_argument(
        "--trust-code", action="store_true", help="agree to code that nobody vouches for"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.add_argument("--use", action="store_true", help="then make it the active environment")
    parser.add_argument("--run", action="store_true", help="then run ComfyUI, if all is there")
    limit_arguments(parser)


def import_env(arguments: Namespace, context: Context) -> CommandResult:
    """Look, plan, ask, execute, and say what is true."""
    limit_downloads(arguments, context)
    if arguments.dry_run and not context.terminal.interactive:
        # A default cannot do any harm where nothing is done.
        context.terminal.yes = True
    service = ImportService(context.workspace, TerminalImport(context, import_answers(arguments)))
    if arguments.resume:
        _check_resume(arguments, context)
        if arguments.dry_run:
            return _planned(service.plan_to_resume(arguments.resume), arguments)
        return _finished(
            service.resume(arguments.resume, verify=not arguments.no_verify), arguments, context
        )
    if not arguments.bundle:
        raise UsageError("`comfydock import` needs `BUNDLE`", hint="comfydock import --help")
    bundle = arguments.bundle
    options = import_options(arguments, context)
    if arguments.dry_run:
        return _planned(service.plan_import(bundle, arguments.name, options), arguments)
    result = service.import_bundle(bundle, arguments.name, options=options)
    return _finished(result, arguments, context)


def _check_resume(arguments: Namespace, context: Context) -> None:
    """Refuse what a resumed import would pass over: its plan was agreed to."""
    given = (
        "BUNDLE" if arguments.bundle else "",
        f"--name {arguments.name}" if arguments.name else "",
        *import_options(arguments, context).decisions,
    )
    refuse_beside_resume(given, "import", arguments.resume)


def _planned(plan: ImportPlan, arguments: Namespace) -> CommandResult:
    path = plan_file(arguments)
    if path:
        save_plan(plan, path)
    return CommandResult(
        command="import",
        data={"dry_run": True, **plan_data(plan)},
        text="\n".join(plan_lines(plan)),
        notes=("nothing was done: this was a dry run",),
    )


def _finished(result: ImportResult, arguments: Namespace, context: Context) -> CommandResult:
    """Tell what came of it; what was asked for afterwards is done only if all is there."""
    told = _told(result, context)
    if not result.success:
        return told
    name = result.environment_name
    if arguments.use:
        environments.use(context.workspace, name)
    if not arguments.run:
        return told
    context.output.side.write_line(told.text)
    environment = environments.ready_environment(context.workspace, name)
    exit_code = run_environment(context.workspace, environment, (), context.programs_output)
    return replace(
        told,
        text="",
        data={**told.data, "comfyui_exit_code": exit_code},
        status="success" if exit_code == 0 else "error",
        exit_code=exit_code,
        next_command="",
    )


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
                "unpacked": result.models_unpacked,
                "found_locally": result.models_found_local,
                "substituted": result.models_substituted,
                "skipped": result.models_skipped,
                "failed": [{"name": n, "reason": why} for n, why in result.models_failed],
            },
            "workflows": {"complete": result.workflows_complete, "all": list(result.workflows)},
            "issues": [
                {"workflow": i.workflow, "message": i.sentence, "blocking": i.blocking}
                for i in result.issues
            ],
            "next_steps": list(steps),
        },
        text="\n".join(result_lines(result, str(log))),
        status="success" if result.success else "partial",
        exit_code=0 if result.success else 3,
        errors=result_errors(result),
        next_command=steps[0] if steps else "",
    )
