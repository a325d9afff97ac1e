from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from comfydock_core.domain.acquisition import (
    ImportResult,
    IssueKind,
    WorkflowIssue,
    aggregate_model_criticality,
)
from comfydock_core.domain.criticality import CRITICALITIES, Criticality
from comfydock_core.domain.manifest import ManifestModel, ManifestWorkflow, ManifestWorkflowModel

KEY = "a" * 16
CONTENT = ManifestModel(
    hash=KEY,
    filename="a.sft",
    size=5,
    relative_path="loras/a.sft",
    category="loras",
    sources=("https://one.org/a.sft",),
)


def uses(name: str, **changes: Any) -> ManifestWorkflow:
    values: dict[str, Any] = {
        "filename": "a.sft",
        "category": "loras",
        "criticality": "required",
        "status": "unresolved",
        "hash": KEY,
    }
    model = ManifestWorkflowModel(**values | changes)
    return ManifestWorkflow(name=name, path=f"workflows/{name}.json", models=(model,))


@pytest.mark.parametrize(("one", "other"), list(product(CRITICALITIES, CRITICALITIES)))
def test_one_model_of_two_workflows(one: Criticality, other: Criticality) -> None:
    flows = (uses("x", criticality=one), uses("y", criticality=other))
    found = aggregate_model_criticality(flows, {KEY: CONTENT})
    assert list(found) == [KEY]
    assert found[KEY].workflows == ("x", "y")
    assert found[KEY].criticality == min(one, other, key=CRITICALITIES.index)
    assert (found[KEY].content, found[KEY].total_size) == (CONTENT, 5)


def test_a_model_without_a_hash_goes_by_its_folder_and_name() -> None:
    flows = (uses("x", hash="", criticality="optional"), uses("y", hash=""))
    found = aggregate_model_criticality(flows, {KEY: CONTENT})
    assert list(found) == ["loras/a.sft"]
    aggregate = found["loras/a.sft"]
    assert (aggregate.criticality, aggregate.content, aggregate.total_size) == ("required", None, 0)


def test_the_sources_of_every_workflow_count_those_of_the_content_first() -> None:
    more = ("https://two.org/a.sft", "https://one.org/a.sft")
    flows = (uses("x"), uses("y", sources=more), uses("z", sources=more[:1]))
    found = aggregate_model_criticality(flows, {KEY: CONTENT})[KEY]
    assert found.sources == ("https://one.org/a.sft", "https://two.org/a.sft")
    assert aggregate_model_criticality(flows, {})[KEY].sources == more


def test_a_name_that_looks_like_a_hash_takes_nothing_away() -> None:
    flows = (uses("x"), uses("y", hash="", filename=KEY))
    assert aggregate_model_criticality(flows, {KEY: CONTENT})[KEY].content == CONTENT


def test_a_workflow_that_names_a_model_twice_counts_once() -> None:
    [entry] = uses("x").models
    twice = ManifestWorkflow(name="x", path="workflows/x.json", models=(entry, entry))
    assert aggregate_model_criticality([twice], {})[KEY].workflows == ("x",)


def test_workflows_with_issues_are_counted_once_each() -> None:
    issues = tuple(
        WorkflowIssue(workflow=name, kind="model", subject="a", sentence="", blocking=True)
        for name in ("x", "x", "y")
    )
    result = ImportResult(
        success=False, environment_name="e", workflows=("x", "y", "z"), issues=issues
    )
    assert (result.name, result.workflows_with_issues, result.workflows_complete) == ("e", 2, 1)


@pytest.mark.parametrize(("kind", "with_issues"), [("pack", 0), ("comfyui", 3)])
def test_only_a_comfyui_that_does_not_start_concerns_all_workflows(
    kind: IssueKind, with_issues: int
) -> None:
    issue = WorkflowIssue(workflow="", kind=kind, subject="a", sentence="", blocking=True)
    result = ImportResult(
        success=False, environment_name="e", workflows=("x", "y", "z"), issues=(issue,)
    )
    assert result.workflows_with_issues == with_issues
