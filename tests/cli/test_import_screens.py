"""What an import shows, held against values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_cli.import_screens import overview_lines, plan_lines, result_lines, summary_lines
from comfydock_core.domain.acquisition import CodeOrigin, ImportPlan, WorkflowIssue
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.manifest import ManifestWorkflow, NodeInfo
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.importing.report import Outcomes, make_result

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
    assert "⬇ 2 models to be acquired (3.0 MB)" in shown


def test_the_plan_says_what_will_be_done() -> None:
    shown = text(plan_lines(planned(told())))
    assert "⬇ Download: 1 model (2.0 MB)" in shown
    assert "• skipped.sft (required, 1.0 MB, no source known)" in shown
    assert shown.endswith("Total download: ~2.0 MB")


def test_a_download_of_unknown_size_is_no_small_one() -> None:
    unknown = replace(AGGREGATES["1" * 16], content=None, key="loras/x.sft")
    unknown = replace(unknown, model=replace(unknown.model, sources=(URL,)))
    shown = text(plan_lines(planned(told(aggregates={"loras/x.sft": unknown}))))
    assert shown.endswith("Total download: ~0 B, and 1 model of unknown size")


def test_code_that_nobody_vouches_for_is_marked() -> None:
    code = (
        CodeOrigin(kind="registry", name="reg", detail="from the registry", pinned=True),
        CodeOrigin(kind="development", name="dev", detail="in the bundle"),
    )
    lines = plan_lines(planned(told(code=code)))
    assert "  • registry node reg: from the registry" in lines
    assert "  ⚠ development node dev: in the bundle" in lines


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
