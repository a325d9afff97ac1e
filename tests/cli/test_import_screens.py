"""What an import shows, held against values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfydock_cli.import_model_screens import (
    list_lines,
    lookalike_lines,
    model_lines,
    overview_lines,
    strategy_lines,
    substitute_lines,
)
from comfydock_cli.import_node_screens import node_lines
from comfydock_cli.import_plan_screens import plan_data, plan_lines
from comfydock_cli.import_screens import result_lines, summary_lines
from comfydock_core.domain.acquisition import (
    CodeOrigin,
    ImportPlan,
    ModelAcquisitionDecision,
    WorkflowIssue,
)
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.manifest import ManifestWorkflow, NodeInfo
from comfydock_core.domain.preflight import Preflight
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.importing.report import Outcomes, make_result
from comfydock_core.interaction import ImportModelContext, ImportNodeContext
from comfydock_core.resolution.substitutes import Substitute

from tests.core.importing.summaries import aggregate, local_file, manifest, summary

URL = "https://h.org/a.safetensors"
MIB = 1024 * 1024
NODES = {
    "dev": NodeInfo(name="dev", source="development", version="dev"),
    "reg": NodeInfo(name="reg", source="registry", version="1"),
}
AGGREGATES = {
    "1" * 16: aggregate(key="1" * 16, sources=(URL,), size=2 * MIB, filename="fetched.sft"),
    "3" * 16: aggregate(key="3" * 16, size=MIB, filename="skipped.sft"),
    "4" * 16: aggregate(key="4" * 16, size=4 * MIB, filename="here.sft"),
}
HERE = LocalModels(verified={"4" * 16: local_file("loras/here.sft")})


def told(**changes: object) -> ImportSummary:
    flows = {"x": ManifestWorkflow(name="x", path="workflows/x.json")}
    one = replace(summary(aggregates=AGGREGATES), manifest=manifest(NODES, flows))
    return replace(one, **changes)  # type: ignore[arg-type]


def planned(one: ImportSummary) -> ImportPlan:
    return make_plan(one, HERE, PlanChoices())


def text(lines: list[str]) -> str:
    return "\n".join(lines)


@pytest.mark.parametrize(
    "line",
    [
        "  • 1 workflow",
        "  • 2 custom nodes (1 dev, 1 registry)",
        "  • 3 unique models (7.0 MB total)",
        "Will contact: h.org, the Python package index",
    ],
)
def test_the_summary_counts(line: str) -> None:
    assert line in summary_lines(told(hosts=("h.org",)))


def test_a_taken_name_is_said() -> None:
    lines = summary_lines(told(environment="studio-1", requested_name="studio"))
    assert "⚠ Environment 'studio' exists, using 'studio-1'" in lines


def test_the_overview_says_what_is_here() -> None:
    shown = text(overview_lines(told(), HERE))
    assert "✓ 1 model found locally (4.0 MB)" in shown
    assert "⬇ 2 models need acquisition (3.0 MB)" in shown


def test_the_plan_says_what_will_be_done() -> None:
    shown = text(plan_lines(planned(told())))
    assert "⬇ Download: 1 model (2.0 MB)" in shown
    assert "• skipped.sft (required, 1.0 MB, no source known)" in shown
    assert "Models: 3 (7.0 MB; 3 required)" in shown
    assert "Models to download: ~2.0 MB\n" in shown


def test_the_plan_names_substitutes_and_their_workflows() -> None:
    chosen = local_file("loras/mine.sft")
    limited = replace(AGGREGATES["1" * 16], workflows=("x", "y"))
    decision = ModelAcquisitionDecision(
        model=limited.model, action="substitute", substitute=chosen, workflows=("y",)
    )
    choices = PlanChoices(decided={"1" * 16: (decision,)}, nodes={"reg": "skip"})
    plan = make_plan(told(aggregates={"1" * 16: limited}), LocalModels(), choices)
    lines = plan_lines(plan)
    assert "    • fetched.sft → loras/mine.sft (only in y)" in lines
    assert "  ↔ Substitute: 1 model" in lines
    assert "  ⊗ Skip: 1 node (reg)" in lines
    models: Any = plan_data(plan)["models"]
    download, substitute = models
    assert (download["action"], download["workflows"]) == ("download", ["x"])
    assert (substitute["substitute"], substitute["workflows"]) == (chosen.path, ["y"])


def test_the_list_has_every_model_with_its_workflows() -> None:
    lines = list_lines(AGGREGATES.values())
    assert "Required (3 models, 7.0 MB):" in lines
    place = lines.index("  • fetched.sft - 2.0 MB - loras")
    assert lines[place + 1] == "    Used by: w.json"


@pytest.mark.parametrize(
    ("key", "criticality", "words"),
    [
        ("1" * 16, "required", "REQUIRED - workflow will not function without this"),
        ("1" * 16, "flexible", "FLEXIBLE - can substitute with similar model"),
        ("1" * 16, "optional", "OPTIONAL - workflow works without this (optional feature)"),
        ("1" * 16, "required", f"Source: {URL}"),
        ("3" * 16, "required", "Source: None (must provide or substitute)"),
        ("1" * 16, "required", "📦 fetched.sft (2.0 MB)"),
        ("1" * 16, "required", "Category: loras"),
        ("1" * 16, "required", "Used by: w.json"),
    ],
)
def test_a_model_is_shown_in_full(key: str, criticality: Criticality, words: str) -> None:
    context = ImportModelContext(
        models_dir=Path("/models"),
        aggregate=AGGREGATES[key],
        all_model_aggregates=AGGREGATES,
        existing_models={},
        similar=lambda _: (),
        search=lambda _: (),
    )
    assert words in text(model_lines(context, criticality))


def test_a_look_alike_is_asked_about() -> None:
    shown = text(lookalike_lines(AGGREGATES["1" * 16], local_file("loras/x.sft")))
    assert "Existing model with same hash found. Use existing or download?" in shown
    assert "/models/loras/x.sft: same size and short hash" in shown


def test_substitutes_are_offered_with_their_reasons() -> None:
    offered = [Substitute(model=local_file("loras/x.sft"), reason="same architecture (sdxl)")]
    assert substitute_lines(offered)[0] == "   [1] loras/x.sft (5 B; same architecture (sdxl))"
    assert "No similar model is here" in substitute_lines([])[0]


def test_the_strategies_say_what_they_download() -> None:
    shown = strategy_lines(told(inside=frozenset({"3" * 16})), HERE)
    assert "  [a] Download ALL available (2.0 MB)" in shown
    assert "  [c] Custom (decide for each model)" in shown


@pytest.mark.parametrize(
    "line",
    [
        "Registry nodes (2):",
        "  • reg (v1, cached, 2.0 KB)",
        "  • other (v2)",
        "  • https://h.org/rgthree-comfy (00000000, ⚠ has the name of rgthree/rgthree-comfy and is"
        " not it)",
        "  • https://github.com/rgthree/rgthree-comfy.git (00000000, cached)",
        "  • dev (bundled, ⚠ brings install.py)",
        "Total to download: 2 nodes (2 already on this machine)",
    ],
)
def test_nodes_are_shown_by_where_they_come_from(line: str) -> None:
    git = NodeInfo(name="rgthree-comfy", source="git", version="0" * 40)
    context = ImportNodeContext(
        environment="studio",
        all_nodes=(
            *NODES.values(),
            NodeInfo(name="other", source="registry", version="2"),
            replace(git, repository="https://h.org/rgthree-comfy"),
            replace(git, name="known", repository="https://github.com/rgthree/rgthree-comfy.git"),
        ),
        cached={"reg": 2048, "known": 0},
        code=(
            CodeOrigin(kind="development", name="dev", detail="3 files, brings install.py"),
            CodeOrigin(kind="registry", name="reg", detail="registry reg v1"),
        ),
    )
    assert line in node_lines(context)


def test_many_nodes_are_cut() -> None:
    nodes = tuple(NodeInfo(name=f"n{n}", source="registry", version="1") for n in range(30))
    lines = node_lines(ImportNodeContext(environment="studio", all_nodes=nodes))
    assert "  • ... (10 more)" in lines
    assert "  • n20 (v1)" not in lines


def test_a_download_of_unknown_size_is_no_small_one() -> None:
    unknown = replace(AGGREGATES["1" * 16], content=None, key="loras/x.sft")
    unknown = replace(unknown, model=replace(unknown.model, sources=(URL,)))
    shown = text(plan_lines(planned(told(aggregates={"loras/x.sft": unknown}))))
    assert shown.endswith("Models to download: ~0 B, and 1 model of unknown size")


def test_code_that_nobody_vouches_for_is_marked() -> None:
    code = (
        CodeOrigin(kind="registry", name="reg", detail="from the registry", pinned=True),
        CodeOrigin(kind="development", name="dev", detail="in the bundle"),
    )
    plan = planned(told(code=code))
    lines = plan_lines(plan)
    assert "    • registry node reg: from the registry" in lines
    assert "    ⚠ development node dev: in the bundle" in lines
    assert "⚠ marks code that nobody vouches for: look at it before you go on" in lines
    assert "Other code:" not in lines
    vouched = tuple(replace(origin, pinned=True) for origin in code)
    assert not any("⚠" in line for line in plan_lines(replace(plan, code=vouched)))


def test_the_plan_says_of_each_node_whether_it_is_here() -> None:
    origin = CodeOrigin(kind="comfyui", name="v1", detail="https://h.org/c at 0", pinned=True)
    plan = planned(told(code=(origin,)))
    plan = replace(plan, preflight=Preflight(cached={"reg": 2048}))
    lines = plan_lines(plan)
    assert "  ⬇ Install: 2 nodes (1 already on this machine, 1 in the bundle)" in lines
    assert "    ⚠ registry node reg: reg@1, cached, 2.0 KB" in lines
    place = lines.index("Other code:")
    assert lines[place + 1] == "  • ComfyUI v1: https://h.org/c at 0"


def test_a_look_alike_is_told_from_what_is_proved_to_be_here() -> None:
    local = LocalModels(
        verified={"4" * 16: local_file("loras/here.sft")},
        probable={"3" * 16: local_file("loras/alike.sft")},
    )
    lines = plan_lines(make_plan(told(), local, PlanChoices()))
    place = lines.index("  ✓ Found locally: 2 models (5.0 MB), 1 by looks alone:")
    assert lines[place + 1].startswith("    • skipped.sft (required, 1.0 MB, same size")


@pytest.mark.parametrize(
    ("speeds", "line", "seconds"),
    [
        (
            {},
            "Estimated time for the models: unknown, nothing was downloaded from h.org, i.org here"
            " before",
            None,
        ),
        (
            {"h.org": MIB / 100},
            "Estimated time for the models: about 3 min at the 10.2 KB/s measured from h.org;"
            " more for i.org, never measured here",
            None,
        ),
        (
            {"h.org": MIB / 100, "i.org": 2.0 * MIB},
            "Estimated time for the models: about 3 min at the speeds measured from h.org, i.org",
            200,
        ),
    ],
)
def test_the_time_is_estimated_from_what_was_measured(
    speeds: dict[str, float], line: str, seconds: int | None
) -> None:
    other = aggregate(key="5" * 16, sources=("https://i.org/b",), size=MIB, filename="other.sft")
    plan = planned(told(aggregates={**AGGREGATES, "5" * 16: other}))
    plan = replace(plan, preflight=Preflight(speeds=speeds))
    assert plan_lines(plan)[-1] == line
    assert plan_data(plan)["estimated_seconds"] == seconds
    assert plan_lines(planned(told(aggregates={})))[-1] == "Models to download: ~0 B"


def test_the_result_says_what_is_true() -> None:
    plan = planned(told())
    good = text(result_lines(make_result(plan, Outcomes(), ()), "/logs/x.log"))
    assert "✅ Import Complete!" in good
    assert "Status: Ready to use" in good
    issue = WorkflowIssue(
        workflow="x", kind="model", subject="m", sentence="required model `m` is not here",
        blocking=True,
    )  # fmt: skip
    bad = text(result_lines(make_result(plan, Outcomes(), (issue,)), "/logs/x.log"))
    assert "Import Complete with Issues" in bad
    assert "NOT ready" in bad
    assert "/logs/x.log" in bad
