"""What is shown of a bundle that another tool wrote, held against values."""

from __future__ import annotations

from dataclasses import replace

from comfydock_cli.import_node_screens import node_lines
from comfydock_cli.import_plan_screens import plan_data, plan_lines
from comfydock_cli.import_screens import exporter, result_lines, summary_lines
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.importing.report import Outcomes, make_result
from comfydock_core.interaction import ImportNodeContext

from tests.core.importing.summaries import bundle, summary

MINE = NodeInfo(name="mine", source="development", version="dev")
THEIRS = replace(
    summary({"mine": MINE}),
    bundle=bundle(timestamp="", comfydock_version="", platform="", tool="ComfyGit"),
    absent=frozenset({"mine"}),
    dropped=("one\x1b[2J", "two"),
)
PLAN = make_plan(THEIRS, LocalModels(), PlanChoices())
WHY = "    ⚠ mine: its source is not in the bundle; ask the sender for its folder"


def test_the_summary_names_the_tool_and_what_is_left_out() -> None:
    lines = summary_lines(THEIRS)
    assert "Source: studio" in lines
    assert "Exported by: ComfyGit" in lines
    place = lines.index("⚠ Left out or changed of what ComfyGit wrote:")
    assert lines[place + 1 : place + 3] == ["    • one\\x1b[2J", "    • two"]


def test_a_bundle_of_ours_has_a_version_and_a_time() -> None:
    lines = summary_lines(summary())
    assert "Source: studio (exported 2025-01-15 10:30 UTC)" in lines
    assert f"Exported by: {exporter(bundle())}" in lines
    assert exporter(bundle()) == "comfydock v2.0.0"
    assert not any("Left out" in line for line in lines)


def test_a_node_that_is_not_there_is_said_before_and_after() -> None:
    lines = plan_lines(PLAN)
    place = lines.index("  ⊗ Skip: 1 node (mine)")
    assert lines[place + 1] == WHY
    assert "⚠ Left out or changed of what the other tool wrote: 2 parts (listed above)" in lines
    assert plan_data(PLAN)["dropped"] == list(THEIRS.dropped)
    after = result_lines(make_result(PLAN, Outcomes(), ()), "log")
    assert after[after.index("  ⊗ skipped: mine") + 1] == WHY


def test_it_is_not_offered_as_bundled() -> None:
    context = ImportNodeContext(environment="studio", all_nodes=(MINE,), cached={}, code=())
    assert "  • mine (⚠ its source is not in the bundle)" in node_lines(context)
