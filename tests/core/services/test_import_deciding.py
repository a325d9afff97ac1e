"""The same decisions by answers, options, a plan's text and a strategy make the same plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from comfydock_core.domain.acquisition import (
    CodeOrigin,
    ImportPlan,
    ModelAcquisitionDecision,
    ModelAction,
    ModelAggregate,
    NodeAction,
)
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.manifest import ManifestWorkflowModel, NodeInfo
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.plan_text import PlanTextError, parse_plan, write_plan
from comfydock_core.domain.preflight import Preflight
from comfydock_core.errors import AnswerNeededError, CancelledError
from comfydock_core.interaction import (
    ImportModelAcquisitionStrategy,
    ImportModelContext,
    ImportNodeContext,
    ModelChoice,
    PlanRevision,
    Unattended,
)
from comfydock_core.services.import_deciding import ImportDeciding, with_typed_hosts
from comfydock_core.services.import_service import ImportOptions
from comfydock_core.workspace.workspace import Workspace

from tests.core.importing.summaries import NAME, aggregate, summary
from tests.core.workspace.workspaces import workspace_at

URL = "https://h.org/x"
BIG, STYLE, ALIKE = (str(number) * 32 for number in range(1, 4))
NODES = {
    "reg": NodeInfo(name="reg", source="registry", version="1", sha256="5" * 64),
    "other": NodeInfo(name="other", source="registry", version="1"),
    "dev": NodeInfo(name="dev", source="development"),
}
SUMMARY = summary(
    NODES,
    {
        BIG: aggregate(
            key=BIG, sources=(URL,), filename="big.sft", content="loras/big.sft", size=6
        ),
        STYLE: aggregate(
            "flexible", key=STYLE, filename="style.sft", content="loras/style.sft", size=7
        ),
        ALIKE: aggregate(
            "optional", key=ALIKE, sources=(URL,), filename="alike.sft", content="loras/alike.sft"
        ),
    },
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with one file that looks like a model, and one that could stand in."""
    opened = workspace_at(tmp_path)
    for name in (NAME, "my style.sft"):
        path = opened.download_directory / "loras" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name[:5].encode())
    archive = opened.root / "cache/nodes" / f"{'5' * 64}.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(b"zip")
    return opened


class Answers:
    """A strategy that answers by file name; what it has no answer to quits."""

    def __init__(self, actions: Mapping[str, ModelAction]) -> None:
        self._actions = actions
        self.asked: list[str] = []

    def acquire_model(
        self,
        model: ManifestWorkflowModel,
        criticality: Criticality,
        workflows_using: Sequence[str],
        context: ImportModelContext,
    ) -> ModelAcquisitionDecision | None:
        """Answer, with the most similar model for a substitute."""
        self.asked.append(f"{criticality} {model.filename} {len(model.sources)} {workflows_using}")
        action = self._actions.get(model.filename)
        if action is None:
            return None
        similar = context.similar(context.aggregate) if action == "substitute" else ()
        substitute = next((each.model for each in similar if "my" in each.model.filename), None)
        return ModelAcquisitionDecision(model=model, action=action, substitute=substitute)


@dataclass(kw_only=True)
class Scripted(Unattended):
    """A person whose answers are known beforehand."""

    nodes: Mapping[str, NodeAction] | None = field(default_factory=dict)
    existing: bool | None = True
    models: ModelChoice | None = "all"
    strategy: Answers = field(default_factory=lambda: Answers({}))
    text: Callable[[ImportPlan], str] | None = None
    changes: Sequence[str] = ("nodes", "models")
    confirmed: bool = True
    offered: tuple[bool, bool] = (True, True)
    cached: Mapping[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def choose_nodes(self, context: ImportNodeContext) -> Mapping[str, NodeAction] | None:
        self.cached = context.cached
        return self.nodes

    def use_existing(self, model: ModelAggregate, here: ModelWithLocation) -> bool | None:
        return self.existing

    def choose_models(self, summary: ImportSummary, local: LocalModels) -> ModelChoice | None:
        self.missing = summary.aggregates.keys() - local.known
        return self.models

    def acquire_model(
        self,
        model: ManifestWorkflowModel,
        criticality: Criticality,
        workflows_using: Sequence[str],
        context: ImportModelContext,
    ) -> ModelAcquisitionDecision | None:
        return self.strategy.acquire_model(model, criticality, workflows_using, context)

    def confirm_plan(self, plan: ImportPlan, revision: PlanRevision) -> ImportPlan | None:
        self.offered = (revision.has_nodes, revision.has_models)
        for change in self.changes:
            if change == "nodes" and revision.has_nodes:
                plan = revision.choose_nodes()
            elif change == "models" and revision.has_models:
                plan = revision.choose_models()
            elif change == "text" and self.text:
                plan = revision.from_text(self.text(plan))
        return plan if self.confirmed else None


class SecondThoughts(Unattended):
    """Somebody who changes the plan many times; a later answer replaces an earlier one."""

    def __init__(self, wanted: ImportPlan) -> None:
        self._wanted = wanted
        self._strategy = Answers({d.model.filename: d.action for d in wanted.models})
        self._models: list[ModelChoice] = ["custom", "required", "custom"]
        self._nodes: list[NodeAction] = ["install", "skip"]

    def use_existing(self, model: ModelAggregate, here: ModelWithLocation) -> bool | None:
        return False

    def choose_nodes(self, context: ImportNodeContext) -> Mapping[str, NodeAction] | None:
        return {"other": self._nodes.pop()}

    def choose_models(self, summary: ImportSummary, local: LocalModels) -> ModelChoice | None:
        return self._models.pop()

    def acquire_model(
        self,
        model: ManifestWorkflowModel,
        criticality: Criticality,
        workflows_using: Sequence[str],
        context: ImportModelContext,
    ) -> ModelAcquisitionDecision | None:
        return self._strategy.acquire_model(model, criticality, workflows_using, context)

    def confirm_plan(self, plan: ImportPlan, revision: PlanRevision) -> ImportPlan | None:
        assert [d.action for d in plan.models] == ["download", "skip", "download"]
        by_hand = write_plan(plan, str).replace("\ndownload ", "\nskip ")
        assert not revision.from_text(by_hand).models_for("download")
        assert revision.choose_nodes().nodes_for("skip")
        assert revision.choose_models().models_for("substitute")
        required = revision.choose_models()
        assert [d.action for d in required.models] == ["download", "skip", "skip"]
        assert required.nodes_for("skip")
        assert not revision.choose_nodes().nodes_for("skip")
        revision.choose_models()
        return revision.from_text(write_plan(self._wanted, str))


def deciding(
    workspace: Workspace,
    interaction: Unattended,
    strategy: ImportModelAcquisitionStrategy | None = None,
    **options: object,
) -> ImportDeciding:
    chosen = ImportOptions(**options)  # type: ignore[arg-type]
    return ImportDeciding(workspace, interaction, chosen, SUMMARY, strategy)


FLAGS = 'skip-node other\nsubstitute style.sft "loras/my style.sft"\ndownload alike.sft'


def test_every_way_gives_the_same_plan(workspace: Workspace) -> None:
    actions: dict[str, ModelAction] = {
        "big.sft": "download",
        "style.sft": "substitute",
        "alike.sft": "download",
    }
    person = Scripted(
        nodes={"other": "skip"}, existing=False, models="custom", strategy=Answers(actions)
    )
    by_person = deciding(workspace, person).agreed_plan()
    assert person.cached == {"reg": 3}
    assert person.missing == {BIG, STYLE, ALIKE}
    assert person.strategy.asked == [
        "required big.sft 1 ('w',)",
        "flexible style.sft 0 ('w',)",
        "optional alike.sft 1 ('w',)",
    ]
    assert [(d.model.filename, d.action) for d in by_person.models] == list(actions.items())
    assert [d.node.name for d in by_person.nodes_for("skip")] == ["other"]
    strategy = Answers(actions)
    others = {
        "flags": deciding(workspace, Unattended(), lines=parse_plan(FLAGS).lines, models="all"),
        "plan": deciding(workspace, Unattended(), plan_text=write_plan(by_person, str)),
        "edited": deciding(
            workspace, Scripted(changes=("text",), text=lambda _: write_plan(by_person, str))
        ),
        "library": deciding(workspace, Scripted(nodes={"other": "skip"}, existing=False), strategy),
        "second thoughts": deciding(workspace, SecondThoughts(by_person)),
    }
    for way, other in others.items():
        assert other.agreed_plan() == by_person, way
    assert strategy.asked == person.strategy.asked


@pytest.mark.parametrize(
    ("options", "offered"),
    [
        ({}, (True, True)),
        ({"models": "all"}, (True, False)),
        ({"skip_nodes": True}, (False, True)),
        ({"lines": parse_plan("skip-node reg").lines}, (False, True)),
        ({"lines": parse_plan("skip big.sft\nskip style.sft").lines}, (True, False)),
        ({"lines": parse_plan("skip big.sft").lines}, (True, True)),
        (
            {
                "plan_text": "install-node reg\nskip-node other\ninstall-node dev\n"
                "skip big.sft\nskip style.sft\nuse alike.sft"
            },
            (False, False),
        ),
    ],
)
def test_only_what_is_open_can_be_chosen(
    options: dict[str, Any], offered: tuple[bool, bool], workspace: Workspace
) -> None:
    person = Scripted(changes=())
    deciding(workspace, person, **options).agreed_plan()
    assert person.offered == offered


def test_nobody_is_asked_but_whether_the_plan_is_right(workspace: Workspace) -> None:
    nobody = Scripted(nodes=None, models=None, changes=())
    plan = deciding(workspace, nobody).agreed_plan()
    assert not plan.nodes_for("skip")
    assert [d.action for d in plan.models] == ["download", "skip", "existing"]


def test_a_look_alike_that_is_believed_is_not_asked_about_again(workspace: Workspace) -> None:
    person = Scripted(models="custom", strategy=Answers({"big.sft": "skip", "style.sft": "skip"}))
    plan = deciding(workspace, person).agreed_plan()
    assert {d.model.filename: d.action for d in plan.models} == {
        "big.sft": "skip",
        "style.sft": "skip",
        "alike.sft": "existing",
    }
    assert person.missing == {BIG, STYLE}


@pytest.mark.parametrize(
    "person",
    [
        Scripted(nodes=None),
        Scripted(existing=None),
        Scripted(models=None),
        Scripted(models="custom"),
        Scripted(confirmed=False),
    ],
)
def test_a_no_ends_it(person: Scripted, workspace: Workspace) -> None:
    with pytest.raises(CancelledError):
        deciding(workspace, person).agreed_plan()


@pytest.mark.parametrize(
    "options",
    [
        {"skip_nodes": True, "models": "skip", "lines": parse_plan("use alike.sft").lines},
        {
            "models": "all",
            "lines": parse_plan("skip-node reg\ndownload alike.sft\nskip big.sft").lines,
        },
    ],
)
def test_what_options_decide_is_not_asked(options: dict[str, Any], workspace: Workspace) -> None:
    nobody = Scripted(nodes=None, existing=None, models=None)
    assert deciding(workspace, nobody, **options).agreed_plan()


@pytest.mark.parametrize(
    ("old", "person", "problem"),
    [
        ("nothing", False, None),
        ("skip         big", True, None),
        ("skip         big", False, AnswerNeededError),
        ("skip         style", True, PlanTextError),
    ],
)
def test_a_changed_plan_is_held_to_the_same_rules(
    old: str, person: bool, problem: type[Exception] | None, workspace: Workspace
) -> None:
    origin = CodeOrigin(kind="pickle", name="big.sft", detail="runs code")
    told = replace(SUMMARY, code=(origin,))
    new = old.replace("skip ", "download ")
    editor = Scripted(
        changes=("text",), text=lambda plan: write_plan(plan, str).replace(f"\n{old}", f"\n{new}")
    )
    options = ImportOptions(models="skip", person=person)
    changed = ImportDeciding(workspace, editor, options, told)
    if problem:
        with pytest.raises(problem):
            changed.agreed_plan()
    else:
        fetched = changed.agreed_plan().models_for("download")
        assert len(fetched) == ("big" in old)


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        ({}, ("h.org",)),
        ({"lines": parse_plan("download big.sft https://me@typed.example:8/b").lines},
         ("h.org", "typed.example:8")),
        ({"plan_text": "download big.sft http://127.0.0.1:9/evil\ndownload style.sft https://h.org/y"},
         ("h.org", "127.0.0.1:9")),
        ({"plan_text": "download big.sft http://[/x\nsubstitute style.sft a://b/c"}, ("h.org",)),
    ],
)  # fmt: skip
def test_hosts_that_the_user_names_are_told_as_well(
    options: dict[str, Any], hosts: tuple[str, ...]
) -> None:
    told = replace(SUMMARY, hosts=("h.org",))
    assert with_typed_hosts(told, ImportOptions(**options)).hosts == hosts


def test_a_second_look_keeps_the_answers(workspace: Workspace) -> None:
    class Again(Scripted):
        def confirm_plan(self, plan: ImportPlan, revision: PlanRevision) -> ImportPlan | None:
            chosen = super().confirm_plan(plan, revision)
            again = revision.look_again()
            assert chosen == again
            return again

    person = Again(nodes={"other": "skip"}, models="skip")
    looked: list[ImportPlan] = []

    def look(plan: ImportPlan) -> Preflight:
        looked.append(plan)
        return Preflight()

    plan = ImportDeciding(workspace, person, ImportOptions(), SUMMARY, None, look).agreed_plan()
    assert [d.node.name for d in plan.nodes_for("skip")] == ["other"]
    assert not plan.models_for("download")
    assert len(looked) == 4
