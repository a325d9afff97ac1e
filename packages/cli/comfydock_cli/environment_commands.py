"""status, run, commit, log: one environment, day by day."""

from __future__ import annotations

from argparse import REMAINDER, ArgumentParser, Namespace
from collections.abc import Sequence
from shlex import quote

from comfydock_core.domain.acquisition import WorkflowIssue
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.workspace import environments, nodes, workflows
from comfydock_core.workspace.environment import History
from comfydock_core.workspace.running import run_environment

from comfydock_cli.context import Context
from comfydock_cli.measures import counted
from comfydock_cli.result import CommandResult


def show_status_arguments(_: ArgumentParser) -> None:
    """No arguments of its own."""


def show_status(_: Namespace, context: Context) -> CommandResult:
    """Show what an environment holds, what changed and what it lacks."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    workspace.scan_models()
    manifest = environment.manifest()
    changed = workflows.changes(environment)
    uncommitted = History(environment, workspace.tools.git).changes()
    states = nodes.node_states(environment, manifest.nodes)
    analysed = workflows.analyse_all(workspace, environment, manifest)
    issues = [issue for workflow in analysed for issue in workflow.issues()]
    lines = [
        f"{environment.name}: ComfyUI {manifest.comfyui_version}, "
        f"Python {manifest.python_version}, {counted(len(manifest.nodes), 'node')}, "
        f"{counted(len(analysed), 'workflow')}",
        *(f"  workflow {line}" for line in changed.lines()),
        *(f"  .cec/{escape_text(path)} is not committed" for path in uncommitted),
        *(f"  ✗ node {name} is missing" for name, state in states.items() if state != "installed"),
        *(f"  {_glyph(i.blocking)} {escape_text(f'{i.workflow}: {i.sentence}')}" for i in issues),
    ]
    clean = len(lines) == 1
    return CommandResult(
        command="status",
        data={
            "environment": environment.name,
            "comfyui_version": manifest.comfyui_version,
            "nodes": states,
            "workflows": {
                "new": list(changed.new),
                "modified": list(changed.modified),
                "deleted": list(changed.deleted),
            },
            "uncommitted": list(uncommitted),
            "issues": [{"workflow": i.workflow, "message": i.sentence} for i in issues],
        },
        text="\n".join([*lines, "  ✓ nothing to commit, nothing missing"] if clean else lines),
        next_command=_next(environment.name, bool(changed) or bool(uncommitted), issues),
    )


def _glyph(blocking: bool) -> str:
    return "✗" if blocking else "⚠"


def _next(name: str, uncommitted: bool, issues: Sequence[WorkflowIssue]) -> str:
    if issues:
        return f"comfydock -e {name} workflow resolve {quote(escape_text(issues[0].workflow))}"
    commit = f'comfydock -e {name} commit -m "..."'
    return commit if uncommitted else f"comfydock -e {name} run"


def run_comfyui_arguments(parser: ArgumentParser) -> None:
    """ComfyUI's own options."""
    parser.add_argument("options", nargs=REMAINDER, metavar="-- ComfyUI options")


def run_comfyui(arguments: Namespace, context: Context) -> CommandResult:
    """Run ComfyUI in the foreground; its exit code is the answer."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    options = [word for word in arguments.options if word != "--"]
    exit_code = run_environment(workspace, environment, options, context.programs_output)
    return CommandResult(
        command="run",
        data={"environment": environment.name, "comfyui_exit_code": exit_code},
        status="success" if exit_code == 0 else "error",
        exit_code=exit_code,
    )


def commit_env_arguments(parser: ArgumentParser) -> None:
    """-m MESSAGE."""
    parser.add_argument("-m", "--message", required=True, metavar="MESSAGE")


def commit_env(arguments: Namespace, context: Context) -> CommandResult:
    """Record workflows, what they need and the environment's state."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    with workspace.lock(environment.name):
        manifest, analysed = workflows.record_workflows(workspace, environment)
        commit = History(environment, workspace.tools.git).commit(arguments.message)
    issues = [issue for workflow in analysed for issue in workflow.issues()]
    text = f"✓ Committed {commit[:8]}" if commit else "Nothing to commit: nothing has changed"
    return CommandResult(
        command="commit",
        data={
            "commit": commit,
            "workflows": sorted(manifest.workflows),
            "issues": [{"workflow": i.workflow, "message": i.sentence} for i in issues],
        },
        text=f"{text} ({counted(len(manifest.workflows), 'workflow')}, "
        f"{counted(len(manifest.models), 'model')})",
        notes=tuple(escape_text(f"{i.workflow}: {i.sentence}") for i in issues),
        next_command=_next(environment.name, False, issues)
        if issues
        else f"comfydock export {environment.name}",
    )


def show_log_arguments(_: ArgumentParser) -> None:
    """No arguments of its own."""


def show_log(_: Namespace, context: Context) -> CommandResult:
    """List the commits, newest first."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    entries = History(environment, workspace.tools.git).entries()
    lines = [
        f"{e.commit}  {e.time[:16].replace('T', ' ')}  {escape_text(e.message)}" for e in entries
    ]
    rows = [{"commit": e.commit, "time": e.time, "message": e.message} for e in entries]
    return CommandResult(command="log", data={"commits": rows}, text="\n".join(lines))
