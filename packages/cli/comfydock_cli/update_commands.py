"""update, rollback: an environment becomes what a bundle or one of its own commits says."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from comfydock_core.domain.update import UpdatePlan, UpdateResult
from comfydock_core.errors import UsageError
from comfydock_core.importing.bundle_source import local_bundle
from comfydock_core.importing.report import next_steps
from comfydock_core.services.changing import interrupted_change, undo_interrupted
from comfydock_core.services.rollback_service import RollbackService
from comfydock_core.services.update_planning import UpdateOptions
from comfydock_core.services.update_service import UpdateService
from comfydock_core.workspace.environments import active_environment

from comfydock_cli.context import Context
from comfydock_cli.import_arguments import refuse_beside_resume
from comfydock_cli.import_screens import result_errors
from comfydock_cli.result import CommandResult
from comfydock_cli.update_prompts import TerminalChange
from comfydock_cli.update_screens import change_lines, changed_lines

_DRY = "nothing was done: this was a dry run"
STRATEGIES = ("all", "required", "flexible", "skip")


def update_env_arguments(parser: ArgumentParser) -> None:
    """ENV, BUNDLE and everything that answers a question beforehand."""
    parser.add_argument("environment", nargs="?", default="", metavar="ENV")
    parser.add_argument("bundle", nargs="?", default="", metavar="BUNDLE")
    parser.add_argument("--resume", default="", metavar="ENV", help="go on with a cut update")
    parser.add_argument(
        "--models", choices=STRATEGIES, help="which missing models to download, default: all"
    )
    parser.add_argument(
        "--workflows-conflict",
        choices=("keep", "take"),
        help="workflows that you and the bundle changed; take keeps yours as NAME.mine.json",
    )
    parser.add_argument(
        "--trust-code", action="store_true", help="agree to code that nobody vouches for"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.add_argument("--no-verify", action="store_true", help="do not start ComfyUI afterwards")


def update_env(arguments: Namespace, context: Context) -> CommandResult:
    """Look, plan as a difference, ask, execute, and say what is true."""
    service = UpdateService(context.workspace, TerminalChange(context))
    if arguments.resume:
        _check_resume(arguments)
        if arguments.dry_run:
            return _planned(service.plan_to_resume(arguments.resume))
        return _told(
            service.resume(arguments.resume, verify=not arguments.no_verify), "update", context
        )
    if not arguments.bundle:
        raise UsageError("`comfydock update` needs `ENV BUNDLE`", hint="comfydock update --help")
    bundle = local_bundle(context.workspace, arguments.bundle)
    options = UpdateOptions(
        models=arguments.models or "all",
        workflows_conflict=arguments.workflows_conflict,
        trust_code=arguments.trust_code,
        person=context.terminal.interactive and not context.options.yes,
        verify=not arguments.no_verify,
    )
    if arguments.dry_run:
        return _planned(service.plan_update(arguments.environment, bundle, options))
    return _told(service.update(arguments.environment, bundle, options), "update", context)


def _check_resume(arguments: Namespace) -> None:
    """Refuse what a resumed update would pass over: its plan was agreed to."""
    conflict = arguments.workflows_conflict
    given = (
        arguments.environment,
        f"--models {arguments.models}" if arguments.models else "",
        f"--workflows-conflict {conflict}" if conflict else "",
    )
    refuse_beside_resume(given, "update", arguments.resume)


def roll_back_env_arguments(parser: ArgumentParser) -> None:
    """[ENV] [COMMIT] and --dry-run."""
    parser.add_argument("environment", nargs="?", default="", metavar="ENV")
    parser.add_argument(
        "commit", nargs="?", default="", metavar="COMMIT", help="default: the one before the last"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.add_argument("--no-verify", action="store_true", help="do not start ComfyUI afterwards")


def roll_back_env(arguments: Namespace, context: Context) -> CommandResult:
    """Go back to a recorded state; an update that was cut short is undone."""
    workspace = context.workspace
    chosen = arguments.environment or context.options.env
    environment = active_environment(workspace, chosen)
    service = RollbackService(workspace, TerminalChange(context))
    cut_short = interrupted_change(environment)
    if cut_short and not arguments.commit:
        if arguments.dry_run:
            return _would_be_undone(cut_short)
        undone = undo_interrupted(workspace, environment.name)
        return CommandResult(
            command="rollback",
            data={"environment": environment.name, "undone": undone.kind},
            text=f"✓ The interrupted {undone.kind} of {environment.name} was undone: "
            "everything is as it was before",
        )
    if arguments.dry_run:
        return _planned(service.plan_rollback(environment.name, arguments.commit))
    outcome = service.roll_back(environment.name, arguments.commit, verify=not arguments.no_verify)
    return _told(outcome, "rollback", context)


def _would_be_undone(plan: UpdatePlan) -> CommandResult:
    return CommandResult(
        command="rollback",
        data={"dry_run": True, "environment": plan.environment, "undone": plan.kind},
        text=f"The interrupted {plan.kind} of {plan.environment} would be undone: "
        "everything becomes as it was before",
        notes=(_DRY,),
    )


def _planned(plan: UpdatePlan) -> CommandResult:
    return CommandResult(
        command=plan.kind,
        data={"dry_run": True, **change_data(plan)},
        text="\n".join(change_lines(plan)),
        notes=(_DRY,),
    )


def change_data(plan: UpdatePlan) -> dict[str, object]:
    """Return a plan for programs; ``difference`` is from the present state to the later one."""
    acquisition = plan.acquisition
    return {
        "environment": plan.environment,
        "bundle": acquisition.bundle,
        "commit": plan.commit,
        "difference": asdict(plan.difference),
        "workflows": [asdict(step) for step in plan.workflows],
        "nodes_installed": [decision.node.name for decision in acquisition.nodes_for("install")],
        "nodes_removed": list(plan.nodes_removed),
        "nodes_kept": list(plan.nodes_kept),
        "nodes_edited": list(plan.nodes_edited),
        "nodes_returning": list(plan.nodes_returning),
        "models": [
            {"filename": d.model.filename, "action": d.action, "url": d.source_url}
            for d in acquisition.models
        ],
        "code": [
            {"kind": o.kind, "name": o.name, "detail": o.detail, "vouched": o.pinned}
            for o in acquisition.code
        ],
        "commits_first": plan.uncommitted,
    }


def _told(outcome: UpdateResult, command: str, context: Context) -> CommandResult:
    result = outcome.result
    steps = next_steps(result)
    log = context.workspace.log_path(result.environment_name)
    return CommandResult(
        command=command,
        data={
            **change_data(outcome.plan),
            "changed": outcome.changed,
            "before": outcome.before,
            "after": outcome.after,
            "kept_aside": list(outcome.kept_aside),
            "nodes_failed": [{"name": n, "reason": why} for n, why in result.nodes_failed],
            "models_failed": [{"name": n, "reason": why} for n, why in result.models_failed],
            "next_steps": list(steps),
        },
        text="\n".join(changed_lines(outcome, str(log))),
        status="success" if result.success else "partial",
        exit_code=0 if result.success else 3,
        errors=result_errors(result),
        next_command=steps[0] if steps and not result.success else _next(outcome),
    )


def _next(outcome: UpdateResult) -> str:
    name = outcome.plan.environment
    undoable = outcome.changed and outcome.plan.kind == "update"
    return f"comfydock rollback {name} {outcome.before[:12]}" if undoable else ""
