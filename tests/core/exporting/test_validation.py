from __future__ import annotations

from collections.abc import Sequence

import pytest
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.exporting import WorkflowChanges
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestWorkflowModel,
    ModelStatus,
    NodeInfo,
    NodeReference,
)
from comfydock_core.domain.workflow_models import ModelReference
from comfydock_core.exporting.validation import validate
from comfydock_core.resolution.models import ModelResolution
from comfydock_core.resolution.nodes import NodeResolution
from comfydock_core.resolution.workflow_analysis import AnalysedModel, AnalysedWorkflow

from tests.core.importing.summaries import manifest


def model(
    criticality: Criticality, status: ModelStatus = "unresolved", filename: str = "a.sft"
) -> AnalysedModel:
    entry = ManifestWorkflowModel(
        filename=filename, category="loras", criticality=criticality, status=status
    )
    place = ModelReference(reference=NodeReference(node_id="1", node_type="L"))
    resolution = ModelResolution(reference=place, state="missing", reason="")
    return AnalysedModel(entry=entry, resolutions=(resolution,), reason="")


def workflow(
    *models: AnalysedModel, nodes: Sequence[NodeResolution] = (), name: str = "w"
) -> AnalysedWorkflow:
    return AnalysedWorkflow(name=name, nodes=tuple(nodes), models=models, custom_node_map={})


MISSING = NodeResolution(node_type="Gone", state="missing", nodes=("1", "2"))
PRESENT = NodeResolution(node_type="KSampler", state="core", nodes=("3",))


def check(
    *workflows: AnalysedWorkflow,
    given: Manifest | None = None,
    uncommitted: Sequence[str] = (),
    changes: WorkflowChanges | None = None,
) -> tuple[tuple[str, ...], list[str]]:
    found = validate(given or manifest(), uncommitted, changes or WorkflowChanges(), workflows)
    return found.obstacles, [issue.subject for issue in found.issues]


@pytest.mark.parametrize(
    ("models", "issues"),
    [
        ((), []),
        ((model("required", "resolved"),), []),
        ((model("required"),), ["a.sft"]),
        ((model("flexible"),), ["a.sft"]),
        ((model("optional"),), []),
        ((model("optional"), model("required", filename="b.sft")), ["b.sft"]),
        ((model("optional", "resolved"), model("required")), ["a.sft"]),
    ],
)
def test_open_models_are_issues_unless_they_are_optional(
    models: tuple[AnalysedModel, ...], issues: list[str]
) -> None:
    assert check(workflow(*models)) == ((), issues)


def test_a_missing_class_is_an_issue_even_if_an_optional_model_has_its_name() -> None:
    given = workflow(model("optional", filename="Gone"), nodes=(MISSING, PRESENT))
    assert check(given) == ((), ["Gone"])
    [checked] = validate(manifest(), (), WorkflowChanges(), [given]).workflows
    assert (checked.name, checked.nodes, checked.models) == ("w", 3, 1)


def test_what_is_not_committed_is_in_the_way() -> None:
    changes = WorkflowChanges(new=("n",), modified=("m",), deleted=("d",))
    obstacles, _ = check(uncommitted=("pyproject.toml",), changes=changes)
    assert obstacles == (
        ".cec/pyproject.toml",
        "workflow new       n",
        "workflow modified  m",
        "workflow deleted   d",
    )
    assert bool(changes)
    assert not WorkflowChanges()


@pytest.mark.parametrize(
    ("repository", "in_the_way"),
    [("https://h.org/n", False), ("/home/me/n", True), ("../n", True), ("git@h.org:n", True)],
)
def test_a_node_that_only_this_machine_has(repository: str, in_the_way: bool) -> None:
    node = NodeInfo(name="n", source="git", version="0" * 40, repository=repository)
    obstacles, _ = check(given=manifest({"n": node}))
    assert len(obstacles) == in_the_way
    assert all(repository in obstacle for obstacle in obstacles)
