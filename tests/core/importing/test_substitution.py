from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from comfydock_core.domain.acquisition import (
    ImportPlan,
    ModelAcquisitionDecision,
    aggregate_model_criticality,
)
from comfydock_core.domain.manifest import ManifestWorkflow, ManifestWorkflowModel
from comfydock_core.events import Event, Notice
from comfydock_core.importing.local_keys import with_local_keys
from comfydock_core.importing.substitution import apply_substitutes, tell_skipped

from tests.core.importing.summaries import content, local_file, manifest
from tests.core.workspace.workspaces import workspace_at

ORIGINAL, EARLIER = "1" * 16, "9" * 16
CHOSEN = local_file("loras/mine.sft")


def entry(**changes: str) -> ManifestWorkflowModel:
    values: dict[str, Any] = {"filename": "a.sft", "category": "loras", "hash": ORIGINAL, **changes}
    return ManifestWorkflowModel(
        criticality="flexible", status="unresolved", sources=("https://h.org/a",), **values
    )


BUNDLED = manifest(
    workflows={
        name: ManifestWorkflow(name=name, path=f"workflows/{name}.json", models=models)
        for name, models in {
            "u": (entry(), entry(hash="2" * 16, filename="b.sft")),
            "v": (entry(substituted_for=EARLIER),),
            "w": (entry(hash=""),),
        }.items()
    },
    models={ORIGINAL: content("loras/a.sft", hash=ORIGINAL)},
)


class Events:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def report(self, event: Event) -> None:
        self.seen.append(event)


def plan(action: str, key: str = ORIGINAL, workflows: tuple[str, ...] = ()) -> ImportPlan:
    decision = ModelAcquisitionDecision(
        key=key,
        model=entry(),
        action=action,  # type: ignore[arg-type]
        substitute=CHOSEN,
        workflows=workflows,
    )
    return ImportPlan(
        environment="studio",
        bundle="",
        manifest=BUNDLED,
        aggregates=aggregate_model_criticality(BUNDLED.workflows.values(), BUNDLED.models),
        nodes=(),
        models=(decision,),
    )


@pytest.mark.parametrize(
    ("key", "workflows", "outcome"),
    [
        (ORIGINAL, (), {"u": (CHOSEN.hash, ORIGINAL), "v": (CHOSEN.hash, EARLIER), "w": ("", "")}),
        (ORIGINAL, ("u",), {"u": (CHOSEN.hash, ORIGINAL), "v": (ORIGINAL, EARLIER)}),
        ("loras/a.sft", (), {"u": (ORIGINAL, ""), "w": (CHOSEN.hash, "")}),
    ],
)
def test_workflows_name_the_substitute_and_remember_the_original(
    key: str, workflows: tuple[str, ...], outcome: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    changed = apply_substitutes(workspace_at(tmp_path), BUNDLED, plan("substitute", key, workflows))
    first = {name: workflow.models[0] for name, workflow in changed.workflows.items()}
    assert {n: (first[n].hash, first[n].substituted_for) for n in outcome} == outcome
    assert changed.workflows["u"].models[1] == BUNDLED.workflows["u"].models[1]
    assert changed.models[ORIGINAL] == BUNDLED.models[ORIGINAL]
    assert changed.models[CHOSEN.hash].relative_path == "loras/mine.sft"
    for model in first.values():
        if model.hash == CHOSEN.hash:
            assert (model.filename, model.status, model.sources) == ("mine.sft", "resolved", ())


def test_without_substitutions_nothing_changes_and_nothing_is_said(tmp_path: Path) -> None:
    events = Events()
    workspace = workspace_at(tmp_path, events)
    assert apply_substitutes(workspace, BUNDLED, plan("skip")) is BUNDLED
    assert events.seen == []
    tell_skipped(workspace, plan("substitute"))
    assert events.seen == []


def test_what_is_skipped_is_listed(tmp_path: Path) -> None:
    events = Events()
    tell_skipped(workspace_at(tmp_path, events), plan("skip"))
    assert events.seen == [Notice(text="Skipped 1 model: a.sft (flexible)")]


def test_the_original_is_remembered_by_the_key_that_it_has_here(tmp_path: Path) -> None:
    changed = apply_substitutes(workspace_at(tmp_path), BUNDLED, plan("substitute"))
    renamed = with_local_keys(changed, {ORIGINAL: "7" * 16})
    assert renamed.workflows["u"].models[0].substituted_for == "7" * 16
    assert "7" * 16 in renamed.models
