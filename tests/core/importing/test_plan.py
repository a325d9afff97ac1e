from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest
from comfydock_core.domain.acquisition import (
    CodeOrigin,
    ImportPlan,
    ModelAcquisitionDecision,
    ModelAction,
    ModelAggregate,
)
from comfydock_core.domain.criticality import CRITICALITIES, Criticality
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import ManifestModel, NodeInfo
from comfydock_core.errors import UsageError
from comfydock_core.importing.plan import (
    PlanChoices,
    by_criticality,
    consent_needed,
    decide_model,
    make_plan,
    node_source,
)
from comfydock_core.interaction import ModelStrategy

from tests.core.importing.summaries import KEY, aggregate, local_file, summary

URL = "https://h.org/a.safetensors"
HERE = local_file("loras/a.safetensors")
NOWHERE, VERIFIED, PROBABLE = (
    LocalModels(),
    LocalModels(verified={KEY: HERE}),
    LocalModels(probable={KEY: HERE}),
)
STRATEGIES: tuple[ModelStrategy, ...] = get_args(ModelStrategy)
WANTED = {"all": 3, "flexible": 2, "required": 1, "skip": 0}
TARGET = "loras/a.safetensors"
OTHER = "https://h.org/other.safetensors"
LOCAL_STATES = {
    "none": (NOWHERE, False),
    "verified": (VERIFIED, False),
    "probable": (PROBABLE, False),
    "bundled": (NOWHERE, True),
    "bundled and probable": (PROBABLE, True),
    "bundled and verified": (VERIFIED, True),
}


def told(decision: ModelAcquisitionDecision) -> tuple[str, str]:
    """The action and what it works with: an address, a file, or the reason."""
    here = decision.substitute.relative_path if decision.substitute else ""
    return (decision.action, decision.source_url or here or decision.reason)


def expected(
    criticality: Criticality, sources: tuple[str, ...], state: str, strategy: ModelStrategy
) -> tuple[str, str]:
    """What is here is used whatever was chosen; what is in the bundle unless nothing is wanted."""
    if "verified" in state or state == "probable":
        return ("existing", HERE.relative_path)
    if "bundled" in state:
        return ("unpack", "") if strategy != "skip" else SKIPPED
    if not sources:
        return ("skip", "no source known")
    wanted = CRITICALITIES.index(criticality) < WANTED[strategy]
    return ("download", URL) if wanted else ("skip", "not chosen")


SKIPPED = ("skip", "not chosen")


@pytest.mark.parametrize(
    ("criticality", "sources", "state", "strategy"),
    list(product(CRITICALITIES, ((), (URL,)), LOCAL_STATES, STRATEGIES)),
)
def test_every_combination(
    criticality: Criticality, sources: tuple[str, ...], state: str, strategy: ModelStrategy
) -> None:
    local, inside = LOCAL_STATES[state]
    wanted = aggregate(criticality, sources=sources)
    [decision] = decide_model(wanted, local, PlanChoices(models=strategy), inside=inside)
    assert told(decision) == expected(criticality, sources, state, strategy)
    assert (decision.key, decision.model.filename) == (KEY, "a.safetensors")
    assert bool(decision.target_path) == (decision.action != "skip")
    if decision.action == "existing":
        assert bool(decision.reason) == (local is PROBABLE)


def test_a_refused_look_alike_is_not_here() -> None:
    choices = PlanChoices(refused=frozenset({KEY}))
    [decision] = decide_model(aggregate(sources=(URL,)), PROBABLE, choices)
    assert told(decision) == ("download", URL)
    assert told(decide_model(aggregate(), VERIFIED, choices)[0]) == ("existing", TARGET)


def answer(action: ModelAction, **changes: Any) -> ModelAcquisitionDecision:
    return ModelAcquisitionDecision(model=aggregate().model, action=action, **changes)


CHOSEN = local_file("loras/chosen.safetensors")
EXISTING, IMPOSSIBLE = ("existing", TARGET), ("", "")
ANSWERS: dict[str, tuple[ModelAcquisitionDecision, dict[str, tuple[str, str]]]] = {
    "download": (
        answer("download"),
        {
            "none": ("download", URL),
            "verified": EXISTING,
            "probable": ("download", URL),
            "bundled": ("download", URL),
        },
    ),
    "another address": (
        answer("download", source_url=OTHER),
        {
            "none": ("download", OTHER),
            "verified": EXISTING,
            "probable": ("download", OTHER),
            "bundled": ("download", OTHER),
        },
    ),
    "existing": (
        answer("existing"),
        {"none": IMPOSSIBLE, "verified": EXISTING, "probable": EXISTING, "bundled": IMPOSSIBLE},
    ),
    "unpack": (
        answer("unpack"),
        {
            "none": IMPOSSIBLE,
            "verified": EXISTING,
            "probable": IMPOSSIBLE,
            "bundled": ("unpack", ""),
        },
    ),
    "skip": (answer("skip"), dict.fromkeys(("none", "verified", "probable", "bundled"), SKIPPED)),
    "substitute": (
        answer("substitute", substitute=CHOSEN),
        dict.fromkeys(
            ("none", "verified", "probable", "bundled"), ("substitute", CHOSEN.relative_path)
        ),
    ),
}


@pytest.mark.parametrize(
    ("criticality", "name", "state", "strategy"),
    [
        (criticality, name, state, strategy)
        for criticality in CRITICALITIES
        for name, (_, states) in ANSWERS.items()
        for state in states
        for strategy in STRATEGIES
    ],
)
def test_an_answer_counts_whatever_the_strategy(
    criticality: Criticality, name: str, state: str, strategy: ModelStrategy
) -> None:
    given, outcomes = ANSWERS[name]
    local, inside = LOCAL_STATES[state]
    choices = PlanChoices(models=strategy, decided={KEY: (given,)})
    wanted = aggregate(criticality, sources=(URL,))
    if outcomes[state] == IMPOSSIBLE:
        with pytest.raises(UsageError):
            decide_model(wanted, local, choices, inside=inside)
    else:
        [decision] = decide_model(wanted, local, choices, inside=inside)
        assert told(decision) == outcomes[state]


@pytest.mark.parametrize(
    ("given", "changes", "words"),
    [
        (answer("download"), {}, "nobody knows an address"),
        (answer("download", source_url="ftp://h/a"), {}, "is no http or https address"),
        (answer("download"), {"sources": (URL,), "content": "", "filename": "a.py"}, "`.py`"),
        (answer("substitute"), {}, "nothing is named instead"),
        (answer("substitute", substitute=local_file("vae/x.sft")), {}, "does not look"),
        (answer("substitute", substitute=CHOSEN), {"category": ""}, "does not look"),
        (answer("substitute", substitute=CHOSEN, workflows=("v",)), {}, "`v` is no workflow"),
    ],
)
def test_an_answer_that_cannot_be_followed(
    given: ModelAcquisitionDecision, changes: dict[str, Any], words: str
) -> None:
    choices = PlanChoices(decided={KEY: (given,)})
    with pytest.raises(UsageError, match=words):
        decide_model(aggregate(**changes), NOWHERE, choices)


@pytest.mark.parametrize(
    ("limits", "plain", "outcome"),
    [
        ((("u",),), None, [("download", ("v", "w")), ("substitute", ("u",))]),
        ((("u",),), "skip", [("skip", ("v", "w")), ("substitute", ("u",))]),
        ((("w", "u"),), None, [("download", ("v",)), ("substitute", ("u", "w"))]),
        ((("u",), ("v", "w")), None, [("substitute", ("u",)), ("substitute", ("v", "w"))]),
        ((("u", "v", "w"),), None, [("substitute", ())]),
        (((),), None, [("substitute", ())]),
    ],
)
def test_a_substitution_for_some_workflows(
    limits: tuple[tuple[str, ...], ...],
    plain: ModelAction | None,
    outcome: list[tuple[str, tuple[str, ...]]],
) -> None:
    wanted = replace(aggregate(sources=(URL,)), workflows=("u", "v", "w"))
    answers = [answer("substitute", substitute=CHOSEN, workflows=limit) for limit in limits]
    answers += [answer(plain)] if plain else []
    decisions = decide_model(wanted, NOWHERE, PlanChoices(decided={KEY: tuple(answers)}))
    assert [(d.action, d.workflows) for d in decisions] == outcome


def test_a_verified_file_is_taken_before_a_probable_one() -> None:
    other = local_file("loras/other.safetensors")
    local = LocalModels(verified={KEY: HERE}, probable={KEY: other})
    [decision] = decide_model(aggregate(), local, PlanChoices())
    assert decision.substitute == HERE


@pytest.mark.parametrize(
    ("content", "model", "target"),
    [
        ("loras/sub/b.safetensors", {}, "loras/sub/b.safetensors"),
        ("", {"relative_path": "loras/c.safetensors"}, "loras/c.safetensors"),
        ("", {}, "loras/a.safetensors"),
        ("", {"category": ""}, "checkpoints/a.safetensors"),
    ],
)
def test_where_a_download_goes(content: str, model: Mapping[str, Any], target: str) -> None:
    wanted = aggregate(sources=(URL,), content=content, **model)
    [decision] = decide_model(wanted, NOWHERE, PlanChoices())
    assert (decision.action, decision.target_path) == ("download", target)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"filename": "a.py"}, "`.py`"),
        ({"filename": "../../../.ssh/a.pt"}, "`.` or `..`"),
        ({"filename": "/etc/a.pt"}, "empty part"),
        ({"filename": ""}, "empty part"),
        ({"category": ".."}, "`.` or `..`"),
        ({"relative_path": "custom_nodes/x.py"}, "`.py`"),
        ({"relative_path": "/a.pt"}, "absolute"),
        ({"filename": "a\\b.pt"}, "one of"),
    ],
)
def test_a_path_that_may_not_be_is_never_written_to(model: dict[str, Any], words: str) -> None:
    odd = aggregate(sources=(URL,), content="", **model)
    [decision] = decide_model(odd, NOWHERE, PlanChoices())
    assert (decision.action, decision.target_path) == ("skip", "")
    assert words in decision.reason
    assert decide_model(odd, VERIFIED, PlanChoices())[0].target_path == ""


def test_models_are_ordered_by_how_much_they_matter_then_by_name() -> None:
    found = by_criticality(
        [
            aggregate("optional", filename="a"),
            aggregate("required", filename="z"),
            aggregate("flexible", filename="b"),
            aggregate("required", filename="c"),
        ]
    )
    assert [one.model.filename for one in found] == ["c", "z", "b", "a"]


NODES = {
    "reg": NodeInfo(name="reg", source="registry", version="1.2", registry_id="the-reg"),
    "own": NodeInfo(name="own", source="registry", version="2"),
    "git": NodeInfo(name="git", source="git", version="0" * 40, repository="https://h.org/g"),
    "dev": NodeInfo(name="dev", source="development", version="dev"),
}


@pytest.mark.parametrize(
    ("name", "source", "when_skipped"),
    [
        ("reg", "the-reg@1.2", "skip"),
        ("own", "own@2", "skip"),
        ("git", "https://h.org/g@" + "0" * 40, "skip"),
        ("dev", "bundle", "install"),
    ],
)
def test_nodes(name: str, source: str, when_skipped: str) -> None:
    assert node_source(NODES[name]) == source
    for choices, action in (
        (PlanChoices(), "install"),
        (PlanChoices(skip_nodes=True), when_skipped),
        (PlanChoices(nodes={name: "skip"}), "skip"),
        (PlanChoices(skip_nodes=True, nodes={name: "install"}), "install"),
    ):
        plan = make_plan(summary(nodes=NODES), NOWHERE, choices)
        [decision] = [each for each in plan.nodes if each.node.name == name]
        assert (decision.action, decision.source) == (action, source)


def test_a_plan_holds_what_was_chosen_and_its_size() -> None:
    aggregates = {
        "1" * 16: aggregate("required", key="1" * 16, sources=(URL,), size=5),
        "2" * 16: aggregate("optional", key="2" * 16, sources=(URL,), size=7),
    }
    known = replace(summary(aggregates=aggregates), warnings=("old",))
    choices = PlanChoices(models="required", torch_backend="cpu", build_allowed=True)
    plan = make_plan(known, NOWHERE, choices)
    assert (plan.environment, plan.torch_backend, plan.build_allowed) == ("studio", "cpu", True)
    assert (plan.download_size, plan.warnings) == (5, ("old",))
    assert [d.key for d in plan.models_for("download")] == ["1" * 16]
    assert [d.key for d in plan.models_for("skip")] == ["2" * 16]
    assert make_plan(known, NOWHERE, choices) == plan


def planned(origin: CodeOrigin, **choices: Any) -> ImportPlan:
    """A plan with one origin, four nodes and one model that is fetched."""
    names = {"v0.3.75": NodeInfo(name="v0.3.75", source="registry", version="1")}
    names |= {
        name: NodeInfo(name=name, source="registry", version="1") for name in ("a.ckpt", "x 1")
    }
    aggregates = {KEY: aggregate(sources=(URL,), filename="a.ckpt", content="loras/a.ckpt")}
    known = summary(nodes=NODES | names, aggregates=aggregates)
    return make_plan(replace(known, code=(origin,)), NOWHERE, PlanChoices(**choices))


@pytest.mark.parametrize(
    ("kind", "name", "choices", "needed"),
    [
        ("comfyui", "v0.3.75", {}, True),
        ("comfyui", "v0.3.75", {"skip_nodes": True}, True),
        ("registry", "reg", {}, True),
        ("registry", "reg", {"skip_nodes": True}, False),
        ("git", "git", {}, True),
        ("git", "git", {"skip_nodes": True}, False),
        ("development", "dev", {}, True),
        ("development", "dev", {"skip_nodes": True}, True),
        ("python-source", "x 1", {"skip_nodes": True}, True),
        ("python-host", "x 1", {"skip_nodes": True}, True),
        ("pickle", "a.ckpt", {}, True),
        ("pickle", "a.ckpt", {"skip_nodes": True}, True),
        ("pickle", "a.ckpt", {"models": "skip"}, False),
        ("pickle", "other.ckpt", {}, False),
    ],
)
def test_what_needs_consent(kind: str, name: str, choices: dict[str, Any], needed: bool) -> None:
    origin = CodeOrigin(kind=kind, name=name, detail="")
    assert consent_needed(planned(origin, **choices)) == ((f"{kind} {name}",) if needed else ())
    pinned = CodeOrigin(kind=kind, name=name, detail="", pinned=True)
    assert consent_needed(planned(pinned, **choices)) == ()


def test_a_size_that_nobody_knows_counts_nothing() -> None:
    unknown: dict[str, ModelAggregate] = {KEY: aggregate(sources=(URL,), content="")}
    assert make_plan(summary(aggregates=unknown), NOWHERE, PlanChoices()).download_size == 0
    known = ManifestModel(hash=KEY, filename="a", size=3, relative_path="a.pt", category="")
    assert replace(unknown[KEY], content=known).total_size == 3
