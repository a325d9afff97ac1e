from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.plan_text import PlanTextError, parse_plan, write_plan
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.importing.plan_choices import Ground, apply_lines, follow_plan

from tests.core.importing.summaries import aggregate, local_file, summary

URL = "https://h.org/x"
ONE, TWO, HERE, ALIKE, INSIDE = (str(number) * 16 for number in range(1, 6))
AGGREGATES = {
    ONE: replace(
        aggregate(key=ONE, sources=(URL,), filename="one.sft", content="loras/one.sft"),
        workflows=("u", "v w"),
    ),
    TWO: aggregate("optional", key=TWO, filename="two.sft", content="vae/two.sft", category="vae"),
    HERE: aggregate(key=HERE, filename="two.sft", content="loras/two.sft"),
    ALIKE: aggregate(key=ALIKE, sources=(URL,), filename="alike.sft", content="loras/alike.sft"),
    INSIDE: aggregate("flexible", key=INSIDE, filename="inside.sft", content="loras/inside.sft"),
}
NODES = {
    "reg": NodeInfo(name="reg", source="registry", version="1"),
    "my node": NodeInfo(name="my node", source="development"),
}
SUMMARY = replace(summary(NODES, AGGREGATES), inside=frozenset({INSIDE}), digest="d" * 64)
LOCAL = LocalModels(
    verified={HERE: local_file("loras/here.sft")}, probable={ALIKE: local_file("loras/alike.sft")}
)
OTHER = replace(local_file("loras/alike.sft"), hash="c" * 16, path="/more/loras/alike.sft")
LIBRARY = (local_file("loras/a b.sft"), local_file("vae/c.sft"), OTHER)
GROUND = Ground(
    summary=SUMMARY,
    local=LOCAL,
    library=(*LIBRARY, replace(local_file("loras/alike.sft"), hash="e" * 16)),
)
WHOLE = """\
install-node reg
skip-node "my node"
download one.sft
skip vae/two.sft
use loras/two.sft
use alike.sft
unpack inside.sft
"""


def test_a_plan_decides_about_everything() -> None:
    choices = follow_plan(WHOLE, GROUND, PlanChoices(models="skip", torch_backend="cpu"))
    assert choices.nodes == {"reg": "install", "my node": "skip"}
    actions = {key: [d.action for d in found] for key, found in choices.decided.items()}
    assert actions == {
        ONE: ["download"],
        TWO: ["skip"],
        HERE: ["existing"],
        ALIKE: ["existing"],
        INSIDE: ["unpack"],
    }
    assert choices.torch_backend == "cpu"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("download one.sft", "download one.sft https://o.org/y"),
        ("download one.sft", 'substitute one.sft "loras/a b.sft"'),
        ("download one.sft", 'download one.sft\nsubstitute one.sft "a b.sft" in "v w"'),
        ("download one.sft", 'substitute one.sft "a b.sft" in "v w" u'),
        ("use alike.sft", "download alike.sft"),
        ("unpack inside.sft", "skip inside.sft"),
    ],
)
def test_a_plan_that_is_written_and_followed_is_the_same_plan(old: str, new: str) -> None:
    plan = make_plan(SUMMARY, LOCAL, follow_plan(WHOLE.replace(old, new), GROUND, PlanChoices()))
    text = write_plan(plan, str)
    assert make_plan(SUMMARY, LOCAL, follow_plan(text, GROUND, PlanChoices())) == plan


@pytest.mark.parametrize("models", ["all", "flexible", "required", "skip"])
@pytest.mark.parametrize("refused", [frozenset[str](), frozenset({ALIKE})])
def test_every_plan_can_be_written_and_followed(models: str, refused: frozenset[str]) -> None:
    choices = PlanChoices(models=models, refused=refused)  # type: ignore[arg-type]
    plan = make_plan(SUMMARY, LOCAL, choices)
    followed = follow_plan(write_plan(plan, str), GROUND, PlanChoices())
    assert make_plan(SUMMARY, LOCAL, followed) == plan


@pytest.mark.parametrize(
    ("old", "new", "sentence", "expected"),
    [
        ("skip-node", "skip", "line 2: the bundle has no model `my node`", "one.sft"),
        ("reg", "rog", "line 1: the bundle has no node `rog`", '"my node", reg'),
        ("skip-node", "install-node reg\nskip-node", "line 2: `reg` was decided before", "one"),
        ("skip vae/two.sft", "skip two.sft", "2 models are called `two.sft`", "vae/two.sft or lor"),
        ("skip vae", "download vae", "line 4: nobody knows an address of `two.sft`", "give one"),
        ("use alike", "use one", "line 6: no file of this machine is `one.sft`", "download or"),
        ("unpack inside", "unpack one", "line 7: the bundle does not hold `one.sft`", "download"),
        ("unpack inside", "skip one", "line 7: `one.sft` was decided before", "one line"),
        ("download one", "substitute one.sft nope.sft\n#", "no model here is called", "path"),
        ("download one", "substitute one.sft vae/c.sft\n#", "does not look", "`loras`"),
        ("download one", "substitute one.sft alike.sft\n#", "2 models here are called", " or "),
        ("download one", 'substitute one.sft "a b.sft" in x\n#', "`x` is no workflow", "u, v w"),
        ("download one", 'substitute one.sft "a b.sft"\ndownload one', "decided before", "one"),
        (
            "download one",
            'substitute one.sft "a b.sft" in u\nsubstitute one.sft "a b.sft" in u\n#',
            "line 4: `one.sft` was decided before",
            "one line",
        ),
        (
            "skip vae",
            'substitute one.sft "a b.sft" in u "v w"\nskip vae',
            "line 4: `one.sft` was decided before",
            "one line",
        ),
        ("install-node reg\n", "", "the plan says nothing of `reg`", "`skip-node NAME` for a node"),
        ("skip vae/two.sft\n", "", "says nothing of `vae/two.sft`", "`skip NAME` for a model"),
        (
            "download one",
            'substitute one.sft "a b.sft" in u\n#',
            "says nothing of `one.sft in v w`",
            "skip NAME",
        ),
    ],
)
def test_a_line_that_cannot_be_followed(old: str, new: str, sentence: str, expected: str) -> None:
    text = WHOLE.replace(old, new, 1)
    assert text != WHOLE
    with pytest.raises(PlanTextError) as caught:
        follow_plan(text, GROUND, PlanChoices())
    assert sentence in caught.value.sentence
    assert expected in caught.value.hint


def test_a_plan_belongs_to_its_bundle() -> None:
    assert follow_plan(f"# bundle: {'d' * 64}\n{WHOLE}", GROUND, PlanChoices())
    with pytest.raises(PlanTextError, match="made for another bundle"):
        follow_plan(f"# bundle: {'e' * 64}\n{WHOLE}", GROUND, PlanChoices())


def test_flags_decide_about_what_they_name() -> None:
    lines = parse_plan("skip-node reg\nskip one.sft").lines
    choices = apply_lines(lines, GROUND, PlanChoices(models="flexible"))
    assert choices.nodes == {"reg": "skip"}
    assert choices.decided.keys() == {ONE}
    assert choices.models == "flexible"
