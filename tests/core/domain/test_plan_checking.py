from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from comfydock_core.domain.acquisition import ImportPlan, NodeAcquisitionDecision
from comfydock_core.domain.environment_difference import EnvironmentDifference
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.plan_checking import check_change, check_plan
from comfydock_core.domain.update import UpdatePlan, WorkflowStep
from comfydock_core.errors import ManifestError
from comfydock_core.importing.plan import PlanChoices, make_plan

from tests.core.importing.summaries import KEY, aggregate, summary

PACK = NodeInfo(name="acme", source="registry", version="1.0.0", registry_id="acme-text")
URL = "https://a.org/a.safetensors"
PLAN = make_plan(
    summary(nodes={"acme": PACK}, aggregates={KEY: aggregate(sources=(URL,))}),
    LocalModels(),
    PlanChoices(),
)
CHANGE = UpdatePlan(
    kind="update",
    acquisition=PLAN,
    difference=EnvironmentDifference(),
    message="Update from bundle",
    workflows=(WorkflowStep(name="a/b", action="take", kept_as="a/b.mine"),),
    nodes_removed=("old",),
    commit="0" * 40,
)


def installing(**changes: str) -> ImportPlan:
    node = replace(PACK, **changes)  # type: ignore[arg-type]
    return replace(PLAN, nodes=(NodeAcquisitionDecision(node=node, action="install", source="x"),))


def with_decision(**changes: str) -> ImportPlan:
    return replace(PLAN, models=(replace(PLAN.models[0], **changes),))  # type: ignore[arg-type]


def with_model(**changes: str) -> ImportPlan:
    known = aggregate(sources=(URL,))
    model = replace(known.model, **changes)  # type: ignore[arg-type]
    return replace(PLAN, aggregates={KEY: replace(known, model=model)})


def test_what_was_planned_may_be_executed() -> None:
    assert (len(PLAN.nodes), PLAN.models[0].action) == (1, "download")
    check_plan(PLAN, "studio", "import.json")
    check_change(CHANGE, "studio", "import.json")


UP = "../../../x"
WRONG: Mapping[str, ImportPlan] = {
    "a shell's words": replace(PLAN, environment="studio; touch pwn #"),
    "another environment": replace(PLAN, environment="other"),
    "a pack's folder": installing(name=UP),
    "a pack's version": installing(version="--exec=x"),
    "a pack's digest": installing(sha256="x"),
    "the same pack twice": replace(PLAN, nodes=PLAN.nodes * 2),
    "a pack's repository": installing(source="git", version="0" * 40, repository="ext::sh -c x"),
    "a pack of the manifest": replace(
        PLAN, manifest=replace(PLAN.manifest, nodes={"acme": replace(PACK, name=UP)})
    ),
    "ComfyUI's commit": replace(PLAN, manifest=replace(PLAN.manifest, comfyui_commit="--x")),
    "a requirement": replace(PLAN, manifest=replace(PLAN.manifest, requirements=("-r x",))),
    "a model's place": with_decision(target_path=f"{UP}.safetensors"),
    "no model's place": with_decision(target_path=""),
    "a model's address": with_decision(source_url="file:///etc/passwd"),
    "an unknown model": with_decision(key="d" * 16),
    "a model's folder": with_model(category=".."),
    "a model's path": with_model(relative_path=UP),
    "a model's content": replace(PLAN, aggregates={KEY: aggregate(content=f"{UP}.sft")}),
}


@pytest.mark.parametrize("plan", WRONG.values(), ids=WRONG)
def test_what_a_bundle_may_not_say_is_refused(plan: ImportPlan) -> None:
    with pytest.raises(ManifestError, match=r"import\.json"):
        check_plan(plan, "studio", "import.json")
    with pytest.raises(ManifestError, match=r"import\.json"):
        check_change(replace(CHANGE, acquisition=plan), "studio", "import.json")


@pytest.mark.parametrize(
    "change",
    [
        replace(CHANGE, nodes_removed=(UP,)),
        replace(CHANGE, nodes_kept=("",)),
        replace(CHANGE, commit="--exec=x"),
        replace(CHANGE, comfyui_here="main"),
        replace(CHANGE, workflows=(WorkflowStep(name=UP, action="remove"),)),
        replace(CHANGE, workflows=(WorkflowStep(name="a", action="take", kept_as=UP),)),
    ],
)
def test_an_update_is_held_to_the_same(change: UpdatePlan) -> None:
    with pytest.raises(ManifestError, match=r"import\.json"):
        check_change(change, "studio", "import.json")
