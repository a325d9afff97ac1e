from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest
from comfydock_core.domain.acquisition import CodeOrigin, ImportPlan, ModelAggregate
from comfydock_core.domain.criticality import CRITICALITIES, Criticality
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import ManifestModel, NodeInfo
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


@pytest.mark.parametrize(
    ("criticality", "sources", "local", "strategy"),
    list(product(CRITICALITIES, ((), (URL,)), (NOWHERE, VERIFIED, PROBABLE), STRATEGIES)),
)
def test_every_combination(
    criticality: Criticality,
    sources: tuple[str, ...],
    local: LocalModels,
    strategy: ModelStrategy,
) -> None:
    """What is here is used whatever was chosen; what is not wanted is not asked for a source."""
    decision = decide_model(aggregate(criticality, sources=sources), local, strategy)
    wanted = CRITICALITIES.index(criticality) < WANTED[strategy]
    if local is not NOWHERE:
        assert (decision.action, decision.substitute) == ("existing", HERE)
        assert bool(decision.reason) == (local is PROBABLE)
        assert decision.source_url == ""
    elif not wanted:
        assert (decision.action, decision.reason) == ("skip", "not chosen")
    elif not sources:
        assert (decision.action, decision.reason) == ("skip", "no source known")
    else:
        assert (decision.action, decision.reason) == ("download", "")
        assert (decision.source_url, decision.target_path) == (URL, "loras/a.safetensors")
    assert (decision.key, decision.model.filename) == (KEY, "a.safetensors")


def test_a_verified_file_is_taken_before_a_probable_one() -> None:
    other = local_file("loras/other.safetensors")
    local = LocalModels(verified={KEY: HERE}, probable={KEY: other})
    assert decide_model(aggregate(), local, "all").substitute == HERE


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
    decision = decide_model(aggregate(sources=(URL,), content=content, **model), NOWHERE, "all")
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
    decision = decide_model(odd, NOWHERE, "all")
    assert (decision.action, decision.target_path) == ("skip", "")
    assert words in decision.reason
    assert decide_model(odd, VERIFIED, "all").target_path == ""


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
    for skip, action in ((False, "install"), (True, when_skipped)):
        plan = make_plan(summary(nodes=NODES), NOWHERE, PlanChoices(skip_nodes=skip))
        [decision] = [each for each in plan.nodes if each.node.name == name]
        assert (decision.action, decision.source) == (action, source)


def test_a_plan_holds_what_was_chosen_and_its_size() -> None:
    aggregates = {
        "1" * 16: aggregate("required", key="1" * 16, sources=(URL,), size=5),
        "2" * 16: aggregate("optional", key="2" * 16, sources=(URL,), size=7),
    }
    told = replace(summary(aggregates=aggregates), warnings=("old",))
    choices = PlanChoices(models="required", torch_backend="cpu", build_allowed=True)
    plan = make_plan(told, NOWHERE, choices)
    assert (plan.environment, plan.torch_backend, plan.build_allowed) == ("studio", "cpu", True)
    assert (plan.download_size, plan.warnings) == (5, ("old",))
    assert [d.key for d in plan.models_for("download")] == ["1" * 16]
    assert [d.key for d in plan.models_for("skip")] == ["2" * 16]
    assert make_plan(told, NOWHERE, choices) == plan


def planned(origin: CodeOrigin, **choices: Any) -> ImportPlan:
    """A plan with one origin, four nodes and one model that is fetched."""
    names = {"v0.3.75": NodeInfo(name="v0.3.75", source="registry", version="1")}
    names |= {
        name: NodeInfo(name=name, source="registry", version="1") for name in ("a.ckpt", "x 1")
    }
    aggregates = {KEY: aggregate(sources=(URL,), filename="a.ckpt", content="loras/a.ckpt")}
    told = summary(nodes=NODES | names, aggregates=aggregates)
    return make_plan(replace(told, code=(origin,)), NOWHERE, PlanChoices(**choices))


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
