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
OTHER_HERE = local_file("loras/other.safetensors")
NOWHERE, VERIFIED, PROBABLE = (
    LocalModels(),
    LocalModels(verified={KEY: HERE}),
    LocalModels(probable={KEY: HERE}),
)
BOTH = LocalModels(verified={KEY: HERE}, probable={KEY: OTHER_HERE})
STRATEGIES: tuple[ModelStrategy, ...] = ("all", "flexible", "required", "skip")
TARGET = "loras/a.safetensors"
OTHER = "https://h.org/other.safetensors"
LOCAL_STATES = {
    # What is here, whether a look-alike was refused, whether the bundle holds the file.
    "nowhere": (NOWHERE, False, False),
    "verified": (VERIFIED, False, False),
    "looks alike": (PROBABLE, False, False),
    "refused": (PROBABLE, True, False),
    "verified, another looks alike": (BOTH, False, False),
    "bundled": (NOWHERE, False, True),
    "bundled, looks alike": (PROBABLE, False, True),
    "bundled, refused": (PROBABLE, True, True),
    "bundled, verified": (VERIFIED, False, True),
}
SOURCES = {"none": (), "one": (URL,), "two": (URL, OTHER)}
MEANING = {
    "D": ("download", URL, ""),
    "O": ("download", OTHER, ""),
    "E": ("existing", TARGET, ""),
    "P": ("existing", TARGET, "same size and short hash; the bundle has no full digest"),
    "U": ("unpack", "", ""),
    "S": ("substitute", "loras/chosen.safetensors", ""),
    "n": ("skip", "", "not chosen"),
    "s": ("skip", "", "no source known"),
}
"""A letter of the tables: the action, what it works with, the reason."""
USUAL = {
    # Without a source | with some: for a required, flexible, optional model; in each the letters
    # are for the strategies all, flexible, required, skip.
    "nowhere": "ssss ssss ssss | DDDn DDnn Dnnn",
    "verified": "EEEE EEEE EEEE | EEEE EEEE EEEE",
    "looks alike": "PPPP PPPP PPPP | PPPP PPPP PPPP",
    "refused": "ssss ssss ssss | DDDn DDnn Dnnn",
    "verified, another looks alike": "EEEE EEEE EEEE | EEEE EEEE EEEE",
    "bundled": "UUUn UUUn UUUn | UUUn UUUn UUUn",
    "bundled, looks alike": "UUUn UUUn UUUn | UUUn UUUn UUUn",
    "bundled, refused": "UUUn UUUn UUUn | UUUn UUUn UUUn",
    "bundled, verified": "EEEE EEEE EEEE | EEEE EEEE EEEE",
}
COMBINATIONS = list(product(CRITICALITIES, SOURCES, LOCAL_STATES, STRATEGIES))


def told(decision: ModelAcquisitionDecision) -> tuple[str, str, str]:
    """The action, the address or file that it works with, and the reason."""
    here = decision.substitute.relative_path if decision.substitute else ""
    return (decision.action, decision.source_url or here, decision.reason)


def test_the_tables_have_every_combination() -> None:
    assert set(STRATEGIES) == set(get_args(ModelStrategy))
    assert set(CRITICALITIES) == set(get_args(Criticality))
    assert USUAL.keys() == LOCAL_STATES.keys() == set(ANSWERED_STATES)
    assert {given.action for given in ANSWERS.values()} == set(get_args(ModelAction))
    assert len(COMBINATIONS) == 3 * 3 * 9 * 4


@pytest.mark.parametrize(("criticality", "sources", "state", "strategy"), COMBINATIONS)
def test_every_combination(
    criticality: Criticality, sources: str, state: str, strategy: ModelStrategy
) -> None:
    local, is_refused, inside = LOCAL_STATES[state]
    wanted = aggregate(criticality, sources=SOURCES[sources])
    refused = frozenset({KEY} if is_refused else ())
    choices = PlanChoices(models=strategy, refused=refused)
    [decision] = decide_model(wanted, local, choices, inside=inside)
    half = USUAL[state].split(" | ")[sources != "none"]
    row = half.split()[("required", "flexible", "optional").index(criticality)]
    assert told(decision) == MEANING[row[STRATEGIES.index(strategy)]]
    assert (decision.key, decision.model.filename) == (KEY, "a.safetensors")
    assert decision.target_path == ("" if decision.action == "skip" else TARGET)


def answer(action: ModelAction, **changes: Any) -> ModelAcquisitionDecision:
    return ModelAcquisitionDecision(model=aggregate().model, action=action, **changes)


CHOSEN = local_file("loras/chosen.safetensors")
ANSWERS = {
    "download": answer("download"),
    "another address": answer("download", source_url=OTHER),
    "existing": answer("existing"),
    "unpack": answer("unpack"),
    "skip": answer("skip"),
    "substitute": answer("substitute", substitute=CHOSEN),
}
ANSWERED_STATES = (
    *("nowhere", "verified", "looks alike", "refused", "verified, another looks alike"),
    *("bundled", "bundled, looks alike", "bundled, refused", "bundled, verified"),
)
ANSWERED = {
    # Without a source | with some: a letter for each of ANSWERED_STATES; `!` cannot be done.
    "download": "!E!!E !!!E | DEDDE DDDE",
    "another address": "OEOOE OOOE | OEOOE OOOE",
    "existing": "!EPPE !PPE | !EPPE !PPE",
    "unpack": "!E!!E UUUE | !E!!E UUUE",
    "skip": "snnnn nnnn | nnnnn nnnn",
    "substitute": "SSSSS SSSS | SSSSS SSSS",
}


@pytest.mark.parametrize(
    ("name", "criticality", "sources", "state", "strategy"),
    [(name, *combination) for name in ANSWERS for combination in COMBINATIONS],
)
def test_an_answer_counts_whatever_the_strategy(
    name: str, criticality: Criticality, sources: str, state: str, strategy: ModelStrategy
) -> None:
    local, is_refused, inside = LOCAL_STATES[state]
    refused = frozenset({KEY} if is_refused else ())
    choices = PlanChoices(models=strategy, refused=refused, decided={KEY: (ANSWERS[name],)})
    wanted = aggregate(criticality, sources=SOURCES[sources])
    half = ANSWERED[name].split(" | ")[sources != "none"]
    letter = half.replace(" ", "")[ANSWERED_STATES.index(state)]
    if letter == "!":
        with pytest.raises(UsageError):
            decide_model(wanted, local, choices, inside=inside)
    else:
        [decision] = decide_model(wanted, local, choices, inside=inside)
        assert told(decision) == MEANING[letter]


@pytest.mark.parametrize(
    ("given", "changes", "words"),
    [
        (answer("download"), {}, "nobody knows an address"),
        (answer("download", source_url="ftp://h/a"), {}, "is no http or https address"),
        (
            answer("download", source_url=f"{URL}?token=abcdef"),
            {},
            r"token=\*\*\*` carries a token",
        ),
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


def test_a_substitute_of_what_has_no_hash_is_final() -> None:
    unknown = replace(aggregate(content=""), key="loras/a.safetensors")
    unknown = replace(unknown, model=replace(unknown.model, hash=""))
    given = {unknown.key: (answer("substitute", substitute=CHOSEN),)}
    [decision] = decide_model(unknown, NOWHERE, PlanChoices(decided=given))
    assert decision.reason == "the bundle has no hash of the original: it cannot be put back later"


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


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        ("", "its source is not in the bundle; ask the sender for its folder"),
        ("/home/me/mine", "its source is not in the bundle; ask the sender for its folder"),
        ("https://h.org/mine", "its source is not in the bundle; https://h.org/mine may have it"),
    ],
)
def test_a_node_that_is_not_in_the_bundle_is_skipped_whatever_is_chosen(
    repository: str, reason: str
) -> None:
    mine = NodeInfo(name="mine", source="development", version="dev", repository=repository)
    told = replace(summary({"mine": mine}), absent=frozenset({"mine"}), dropped=("a file",))
    plan = make_plan(told, NOWHERE, PlanChoices(nodes={"mine": "install"}))
    [decision] = plan.nodes
    assert (decision.action, decision.reason) == ("skip", reason)
    assert decision.source == (repository if "://" in repository else "")
    assert plan.dropped == ("a file",)


@pytest.mark.parametrize(
    ("key", "words"), [("a" * 16, "same size and short hash"), ("a" * 32, "it looks the same")]
)
def test_a_look_alike_is_said_to_be_one(key: str, words: str) -> None:
    one = aggregate(key=key, sources=(URL,))
    [decision] = decide_model(one, LocalModels(probable={key: HERE}), PlanChoices())
    assert words in decision.reason
