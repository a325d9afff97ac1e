"""A plan that lay on disk is checked like the bundle it came from, before it is gone by again.

Whoever can write the file could have put anything there, and its names become folders to replace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision
from comfydock_core.domain.manifest import Manifest, ManifestWorkflow
from comfydock_core.domain.manifest_parsing import parse_manifest
from comfydock_core.domain.manifest_writing import project_tables
from comfydock_core.domain.names import (
    COMMIT,
    is_environment_name,
    model_path_problem,
    node_name_problem,
    url_problem,
)
from comfydock_core.domain.path_rules import broken_rule, folded
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.domain.update import UpdatePlan
from comfydock_core.errors import ManifestError

_Problem = tuple[str, str]
_SHOWN = 80


def check_plan(plan: ImportPlan, environment: str, document: str) -> None:
    """Raise ManifestError, which names ``document``, unless ``plan`` may be executed.

    ``environment`` is the name that it must be for.
    """
    named = is_environment_name(plan.environment)
    if not named or folded(plan.environment) != folded(environment):
        raise _wrong(document, plan.environment, f"is not the environment `{environment}`")
    parse_manifest(project_tables(plan.manifest), document)
    parse_manifest(project_tables(_decided(plan)), document)
    for decision in plan.models:
        _refuse(document, _model_problems(plan, decision))


def check_change(change: UpdatePlan, environment: str, document: str) -> None:
    """Do the same for the plan of an update or rollback."""
    check_plan(change.acquisition, environment, document)
    names = (*change.nodes_removed, *change.nodes_kept)
    _refuse(document, ((name, node_name_problem(name)) for name in names))
    commits = filter(None, (change.commit, change.comfyui_here))
    _refuse(document, ((c, "" if COMMIT.fullmatch(c) else "is no commit") for c in commits))
    # A rollback goes by the files of its commit, not by this list.
    steps = change.workflows if change.kind == "update" else ()
    workflows = [name for s in steps for name in (s.name, s.kept_as) if s.action != "keep" and name]
    _refuse(document, ((name, broken_rule(f"workflows/{name}.json")) for name in workflows))


def _decided(plan: ImportPlan) -> Manifest:
    """Return a manifest of what the decisions are about, which a bundle could have as well."""
    aggregates = plan.aggregates.values()
    contents = [aggregate.content for aggregate in aggregates if aggregate.content]
    models = (*(a.model for a in aggregates), *(decision.model for decision in plan.models))
    workflow = ManifestWorkflow(name="decided", path="workflows/decided.json", models=models)
    return replace(
        plan.manifest,
        nodes={str(number): decision.node for number, decision in enumerate(plan.nodes)},
        workflows={workflow.name: workflow},
        models={f"{number:08x}": content for number, content in enumerate(contents)},
    )


def _model_problems(plan: ImportPlan, decision: ModelAcquisitionDecision) -> Iterator[_Problem]:
    target, url = decision.target_path, decision.source_url
    brought = decision.action in ("download", "unpack")
    yield target, model_path_problem(target) if target or brought else ""
    yield url, url_problem(url) if url or decision.action == "download" else ""
    yield decision.key, "" if decision.key in plan.aggregates else "is no model of the plan"


def _refuse(document: str, problems: Iterable[_Problem]) -> None:
    for value, problem in problems:
        if problem:
            raise _wrong(document, value, problem)


def _wrong(document: str, value: str, problem: str) -> ManifestError:
    shown = escape_text(value[:_SHOWN])
    return ManifestError(f"`{shown}` in `{document}` {problem}", subject=shown)
