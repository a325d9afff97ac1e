"""workflow list, resolve, model: what workflows need and how much."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from shlex import quote
from typing import Any

from comfydock_core.domain.criticality import CRITICALITIES, MEANING
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.interaction import ModelResolutionStrategy
from comfydock_core.resolution.nodes import NodeResolution
from comfydock_core.resolution.workflow_analysis import AnalysedModel, AnalysedWorkflow
from comfydock_core.services.resolve_service import ResolveService
from comfydock_core.storage.user_paths import user_path
from comfydock_core.workspace import environments, workflows
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workflow_intake import add_workflow

from comfydock_cli.context import Context
from comfydock_cli.measures import counted, size_text
from comfydock_cli.resolve_prompts import (
    InteractiveModelStrategy,
    InteractiveNodeStrategy,
    KnownSources,
)
from comfydock_cli.result import CommandResult, ErrorItem


def list_workflows_arguments(_: ArgumentParser) -> None:
    """No arguments of its own."""


def list_workflows(_: Namespace, context: Context) -> CommandResult:
    """List ComfyUI's workflows with what they need and lack."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    workspace.scan_models()
    analysed = workflows.analyse_all(workspace, environment, environment.manifest())
    lines = [_line(workflow) for workflow in analysed]
    return CommandResult(
        command="workflow list",
        data={"workflows": [_row(workflow) for workflow in analysed]},
        text="\n".join(lines) or f"No workflow yet: save one in {environment.workflows_path}",
    )


def _line(workflow: AnalysedWorkflow) -> str:
    issues = workflow.issues()
    state = f"{len(issues)} open" if issues else "all resolved"
    count = sum(len(node.nodes) for node in workflow.nodes)
    glyph = "⚠" if issues else "✓"
    name = escape_text(workflow.name)
    needs = f"{counted(count, 'node')}, {counted(len(workflow.models), 'model')}"
    return f"{glyph} {name}.json ({needs} - {state})"


def _row(workflow: AnalysedWorkflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "nodes": [{"class": n.node_type, "state": n.state, "pack": n.pack} for n in workflow.nodes],
        "models": [
            {
                "filename": model.entry.filename,
                "category": model.entry.category,
                "criticality": model.entry.criticality,
                "state": model.resolutions[0].state,
                "hash": model.entry.hash,
            }
            for model in workflow.models
        ],
        "issues": [issue.sentence for issue in workflow.issues()],
    }


def add_workflow_file_arguments(parser: ArgumentParser) -> None:
    """FILE, --name."""
    parser.add_argument("file", metavar="FILE", help="JSON, PNG, WebP, MP4 or WebM")
    parser.add_argument("--name", default="", metavar="NAME", help="default: the file's name")


def add_workflow_file(arguments: Namespace, context: Context) -> CommandResult:
    """Put the workflow that a file carries among ComfyUI's workflows."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    with workspace.lock(environment.name):
        file = user_path(arguments.file)
        name = add_workflow(environment, file, arguments.name)
    return CommandResult(
        command="workflow add",
        data={"name": name, "path": str(environment.workflows_path / f"{name}.json")},
        text=f"✓ Added workflow {escape_text(name)}",
        next_command=f"comfydock -e {quote(environment.name)} workflow resolve {quote(name)}",
    )


def show_workflow_arguments(parser: ArgumentParser) -> None:
    """NAME."""
    parser.add_argument("name", metavar="NAME")


def show_workflow(arguments: Namespace, context: Context) -> CommandResult:
    """Show one workflow: its node classes with their packs, its models with who asks for them."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    name, _ = workflows.find_workflow(environment, arguments.name)
    workspace.scan_models()
    analysed = workflows.analyse_all(workspace, environment, environment.manifest())
    found = next(workflow for workflow in analysed if workflow.name == name)
    lines = [_line(found)]
    lines += [f"  ✗ {escape_text(found.problem)}"] if found.problem else []
    if found.nodes:
        lines += ["", "Nodes:", *_node_lines(found, core=True)]
    if found.models:
        lines += ["", "Models:"]
    for model in found.models:
        lines += [_model_line(model), *_model_details(model)]
    return CommandResult(
        command="workflow show",
        data=_row(found),
        text="\n".join(lines),
        notes=_open_ends(environment, found),
        next_command=_next(environment, found) if found.issues() else "",
    )


def _model_details(model: AnalysedModel) -> list[str]:
    lines = [f"      {model.entry.criticality} because: {escape_text(model.reason)}"]
    for place in model.entry.nodes:
        where = f"{escape_text(place.node_type)} #{escape_text(place.node_id)}"
        lines.append(f"      asked for by {where}: {escape_text(place.widget_value)}")
    return lines


def resolve_workflow_arguments(parser: ArgumentParser) -> None:
    """NAME."""
    parser.add_argument("name", metavar="NAME")


def _model_strategy(context: Context) -> ModelResolutionStrategy | None:
    """Ask a person, fetch what has an address under ``--yes``, and only look otherwise."""
    if context.options.yes:
        return KnownSources()
    return InteractiveModelStrategy(context) if context.terminal.interactive else None


def resolve_workflow(arguments: Namespace, context: Context) -> CommandResult:
    """Find what a workflow asks for and record it; ask a person about what is open.

    Exit 3 when something required stays open.
    """
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    name, _ = workflows.find_workflow(environment, arguments.name)
    asking = context.terminal.interactive and not context.options.yes
    service = ResolveService(
        environment,
        workspace,
        models=_model_strategy(context),
        nodes=InteractiveNodeStrategy(context) if asking else None,
    )
    found = service.resolve(name)
    issues = found.issues()
    blocking = [issue for issue in issues if issue.blocking]
    return CommandResult(
        command="workflow resolve",
        data=_row(found),
        text="\n".join([_line(found), *_node_lines(found), *map(_model_line, found.models)]),
        status="partial" if blocking else "success",
        exit_code=3 if blocking else 0,
        errors=tuple(
            ErrorItem(code="unresolved", message=i.sentence, subject=i.subject) for i in issues
        ),
        notes=_open_ends(environment, found),
        next_command=_next(environment, found, fetched=context.options.yes),
    )


def _node_lines(workflow: AnalysedWorkflow, *, core: bool = False) -> list[str]:
    return [
        f"  {'✓' if node.state in ('core', 'installed') else '✗'} {escape_text(node.node_type)}: "
        f"{escape_text('; '.join(node.evidence)) or 'unknown'}"
        for node in workflow.nodes
        if core or node.state != "core"
    ]


def _model_line(model: AnalysedModel) -> str:
    entry, first = model.entry, model.resolutions[0]
    glyph = "✓" if entry.status == "resolved" else "✗"
    size = f", {size_text(model.model.size)}" if model.model else ""
    others = ", ".join(candidate.model.relative_path for candidate in first.candidates)
    fits = f"; could be {others}" if others and entry.status != "resolved" else ""
    return (
        f"  {glyph} {escape_text(entry.filename)} ({entry.category or 'unknown folder'}{size}, "
        f"{entry.criticality}): {first.state}, {first.reason}{fits}"
    )


def _next(environment: Environment, workflow: AnalysedWorkflow, *, fetched: bool = False) -> str:
    """Return a command that really brings the workflow on; empty where none does.

    ``fetched`` tells that what has an address was asked for just now.
    """
    start = f"comfydock -e {quote(environment.name)}"
    missing = _missing(workflow)
    if pack := next((node.pack for node in missing if node.pack), ""):
        return f"{start} node add {quote(escape_text(pack))}"
    wanted = [m for m in workflow.models if m.entry.status != "resolved" and _counts(m)]
    if not fetched and any(_has_address(environment, model) for model in wanted):
        return f"{start} workflow resolve {quote(escape_text(workflow.name))} --yes"
    blocked = missing or any(model.entry.criticality == "required" for model in wanted)
    return "" if blocked else f'{start} commit -m "..."'


def _missing(workflow: AnalysedWorkflow) -> list[NodeResolution]:
    return [node for node in workflow.nodes if node.state in ("missing", "ambiguous")]


def _counts(model: AnalysedModel) -> bool:
    return model.entry.criticality != "optional"


def _has_address(environment: Environment, model: AnalysedModel) -> bool:
    content = environment.manifest().models.get(model.entry.hash)
    return bool(model.entry.sources or (content and content.sources))


def _open_ends(environment: Environment, workflow: AnalysedWorkflow) -> tuple[str, ...]:
    """Say in a sentence each what no command here can mend."""
    classes = [escape_text(node.node_type) for node in _missing(workflow) if not node.pack]
    models = [
        escape_text(model.entry.filename)
        for model in workflow.models
        if model.resolutions[0].state == "missing"
        and model.entry.criticality == "required"
        and not _has_address(environment, model)
    ]
    return (
        *(f"nobody says which pack has `{name}`: ask the workflow's author" for name in classes),
        *(f"`{name}` has no known address: ask who made the workflow" for name in models),
    )


def set_workflow_model_arguments(parser: ArgumentParser) -> None:
    """NAME, FILE, --criticality."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("file", metavar="FILE", help="the model's file name")
    parser.add_argument("--criticality", required=True, choices=CRITICALITIES)


def set_workflow_model(arguments: Namespace, context: Context) -> CommandResult:
    """Record how much a workflow depends on a model; it stays so until it is set again."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    name, _ = workflows.find_workflow(environment, arguments.name)
    with workspace.lock(environment.name):
        if name not in environment.manifest().workflows:
            workflows.record_workflows(workspace, environment)
        workflows.set_criticality(environment, name, arguments.file, arguments.criticality)
    return CommandResult(
        command="workflow model",
        data={"workflow": name, "file": arguments.file, "criticality": arguments.criticality},
        text=f"✓ {arguments.file} is {arguments.criticality} in {name}: "
        f"{MEANING[arguments.criticality]}",
        next_command=f'comfydock -e {quote(environment.name)} commit -m "..."',
    )
