"""What an update and a rollback show: the plan as a difference, and what came of it (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from comfydock_core.domain.environment_difference import EnvironmentDifference, version_of
from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.domain.update import UpdatePlan, UpdateResult, WorkflowStep
from comfydock_core.importing.report import next_steps, open_ends

from comfydock_cli.import_screens import code_lines
from comfydock_cli.measures import counted, size_text


def change_lines(plan: UpdatePlan) -> list[str]:
    """Draw everything that an update or rollback will do."""
    title = f"Rollback of {plan.environment} to {plan.commit[:7]}"
    if plan.kind == "update":
        title = f"Update of {plan.environment} from bundle {plan.acquisition.bundle[:12]}"
    code = plan.acquisition.code
    return [
        f"🔄 {title}:",
        "",
        *_difference_lines(plan.difference),
        *_again_lines(plan),
        *_workflow_lines(plan.workflows),
        *(f"  = node {escape_text(name)} stays as you have it" for name in plan.nodes_kept),
        *_edited_lines(plan),
        *_model_lines(plan),
        *(["", *code_lines(code)[:-1]] if code else []),
        *(["", "What is not committed yet is committed first."] if plan.uncommitted else []),
        *(f"⚠ {escape_text(warning)}" for warning in plan.acquisition.warnings),
    ]


def _difference_lines(difference: EnvironmentDifference) -> list[str]:
    rows = [
        *(f"~ {v.name}: {v.before} → {v.after}" for v in difference.versions),
        *(f"+ node {node.name} ({version_of(node)})" for node in difference.nodes_added),
        *(f"- node {node.name} ({version_of(node)})" for node in difference.nodes_removed),
        *(f"+ model {_model(model)}" for model in difference.models_added),
        *(
            f"- model {_model(model)} is not used any more; its file stays"
            for model in difference.models_removed
        ),
    ]
    return [f"  {escape_text(row)}" for row in rows]


def _model(model: ManifestModel) -> str:
    return f"{model.filename} ({size_text(model.size)})" if model.size else model.filename


def _again_lines(plan: UpdatePlan) -> Iterable[str]:
    """Name nodes that come although their version is the same: other sources, or none here."""
    told = {version.name for version in plan.difference.versions}
    told |= {node.name for node in plan.difference.nodes_added}
    for decision in plan.acquisition.nodes_for("install"):
        if decision.node.name not in told:
            yield f"  ~ node {decision.node.name}: other files"


def _workflow_lines(steps: Iterable[WorkflowStep]) -> list[str]:
    rows = []
    for step in steps:
        name = f"workflow {step.name}"
        if step.action == "remove":
            rows.append(f"- {name}")
        elif step.action == "take":
            rows.append(
                f"~ {name}" + (f"; yours is kept as {step.kept_as}" if step.kept_as else "")
            )
        elif step.conflict:
            rows.append(f"= {name} was changed on both sides: yours stays")
        else:
            rows.append(f"= {name} stays as you have it")
    return [f"  {escape_text(row)}" for row in rows]


def _edited_lines(plan: UpdatePlan) -> list[str]:
    """Name the packs that a user changed: those that give way, and those that come back."""
    back = "; a rollback brings your version back" if plan.kind == "update" else ""
    return [
        *(
            f"  ⚠ node {escape_text(name)} was changed by hand and is put aside{back}"
            for name in plan.nodes_edited
        ),
        *(f"  ~ node {escape_text(n)} comes back as you changed it" for n in plan.nodes_returning),
    ]


def _model_lines(plan: UpdatePlan) -> list[str]:
    downloads = plan.acquisition.models_for("download")
    if not downloads:
        return []
    size = size_text(plan.acquisition.download_size)
    return ["", f"Total download: {counted(len(downloads), 'model')} (~{size})"]


def changed_lines(outcome: UpdateResult, log: str) -> list[str]:
    """Draw the last screen; it says what is true."""
    plan, result = outcome.plan, outcome.result
    if not outcome.changed:
        lines = [f"{plan.environment} is up to date: nothing was changed"]
    else:
        done = "updated" if plan.kind == "update" else "rolled back"
        lines = [f"✓ {plan.environment} was {done} ({outcome.before[:7]} → {outcome.after[:7]})"]
    lines += [f"  ✗ node {name}: {escape_text(why)}" for name, why in result.nodes_failed]
    lines += [
        f"  ✗ model {escape_text(name)}: {escape_text(why)}" for name, why in result.models_failed
    ]
    for issue in result.issues:
        mark = "✗" if issue.blocking else "⚠"
        where = f"{issue.workflow}: " if issue.workflow else ""
        lines.append(f"  {mark} {escape_text(where + issue.sentence)}")
    if outcome.kept_aside:
        lines += ["Replaced, and in no history; kept at:"]
        lines += [f"  {escape_text(path)}" for path in outcome.kept_aside]
    if result.success:
        return lines
    fixes = [f"  {fix}" for fix in (*next_steps(result), *map(escape_text, open_ends(result)))]
    return [*lines, "", "Something that is required is missing:", *fixes, f"Log: {log}"]
