from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

import pytest
from comfydock_core.domain.acquisition import ImportPlan, IssueKind, WorkflowIssue
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import ManifestWorkflow, NodeInfo
from comfydock_core.domain.preflight import Preflight, PreflightProblem
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.importing.report import Outcomes, make_result, next_steps, open_ends

from tests.core.importing.summaries import aggregate, local_file, manifest, summary

URL = "https://h.org/a.safetensors"
ODD = "https://h.org/x;id$(id)'"
NODES = {
    "dev": NodeInfo(name="dev", source="development", version="dev"),
    "git": NodeInfo(name="git", source="git", version="0" * 40, repository=ODD),
    "reg": NodeInfo(name="reg", source="registry", version="1"),
}
AGGREGATES = {
    "1" * 16: aggregate(key="1" * 16, sources=(URL,), size=1, filename="fetched.sft"),
    "2" * 16: aggregate(key="2" * 16, sources=(URL,), size=10, filename="failed.sft"),
    "3" * 16: aggregate(key="3" * 16, size=100, filename="skipped.sft"),
    "4" * 16: aggregate(key="4" * 16, size=1000, filename="here.sft"),
}


def plan(skip_nodes: bool = False) -> ImportPlan:
    local = LocalModels(verified={"4" * 16: local_file("loras/here.sft")})
    choices = PlanChoices(skip_nodes=skip_nodes)
    flows = {n: ManifestWorkflow(name=n, path=f"workflows/{n}.json") for n in ("x", "$(id)")}
    told = replace(summary(aggregates=AGGREGATES), manifest=manifest(NODES, flows))
    return make_plan(told, local, choices)


def issue(workflow: str, blocking: bool) -> WorkflowIssue:
    return WorkflowIssue(
        workflow=workflow, kind="model", subject="m", sentence="s", blocking=blocking
    )


def test_everything_is_counted() -> None:
    outcomes = Outcomes(failed_nodes=(("git", "gone"),), failed_models=(("2" * 16, "404"),))
    result = make_result(plan(), outcomes, (issue("x", True),))
    assert not result.success
    assert (result.nodes_installed, result.nodes_failed) == (2, (("git", "gone"),))
    assert result.node_counts == {"development": 1, "registry": 1, "git": 0}
    assert (result.models_downloaded, result.downloaded_size) == (1, 1)
    assert (result.models_found_local, result.local_size) == (1, 1000)
    assert (result.models_skipped, result.models_substituted) == (1, 0)
    assert result.models_failed == (("failed.sft", "404"),)
    assert (result.workflows, result.workflows_with_issues) == (("$(id)", "x"), 1)


@pytest.mark.parametrize(
    ("failed_nodes", "failed_models", "blocking", "success"),
    [
        ((), (), None, True),
        ((), (), False, True),
        ((), (), True, False),
        ((("git", "gone"),), (), None, False),
        ((), (("2" * 16, "404"),), None, True),
        ((), (("2" * 16, "404"),), True, False),
    ],
)
def test_success_means_that_nothing_required_is_missing(
    failed_nodes: tuple[tuple[str, str], ...],
    failed_models: tuple[tuple[str, str], ...],
    blocking: bool | None,
    success: bool,
) -> None:
    issues = () if blocking is None else (issue("x", blocking),)
    outcomes = Outcomes(failed_nodes=failed_nodes, failed_models=failed_models)
    assert make_result(plan(), outcomes, issues).success is success


def test_skipped_nodes_are_named_and_the_bundles_own_are_installed() -> None:
    result = make_result(plan(skip_nodes=True), Outcomes(), ())
    assert result.nodes_skipped == ("git", "reg")
    assert result.node_counts == {"development": 1, "registry": 0, "git": 0}


def test_a_success_says_how_to_start() -> None:
    steps = next_steps(make_result(plan(), Outcomes(), ()))
    assert steps == ("comfydock use studio", "comfydock -e studio run")


def test_the_next_steps_can_be_pasted_whatever_the_bundle_says() -> None:
    outcomes = Outcomes(failed_nodes=(("git", "gone"), ("dev", "broken")))
    issues = (issue("$(id)", True), issue("$(id)", True), issue("x", False))
    steps = next_steps(make_result(plan(), outcomes, issues))
    assert [shlex.split(step) for step in steps] == [
        ["comfydock", "-e", "studio", "node", "add", f"{ODD}@{'0' * 40}"],
        ["comfydock", "-e", "studio", "workflow", "resolve", "$(id)"],
    ]
    script = f"comfydock() {{ printf '%s\\n' \"$@\"; }}; {'; '.join(steps)}"
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [word for step in steps for word in shlex.split(step)[1:]]


def test_skipped_nodes_can_be_added_later() -> None:
    result = make_result(plan(skip_nodes=True), Outcomes(), (issue("x", True),))
    assert "comfydock -e studio node add reg@1" in next_steps(result)


@pytest.mark.parametrize(
    ("refused", "step"),
    [("reg", "node add reg"), ("git", "node add reg@1"), ("", "node add reg@1")],
)
def test_a_version_that_the_registry_does_not_give_makes_way_for_the_newest(
    refused: str, step: str
) -> None:
    problem = PreflightProblem(subject=refused, sentence="`reg@1` was deleted by its publisher")
    found = replace(plan(), preflight=Preflight(problems=(problem,)))
    failed = Outcomes(failed_nodes=(("reg", "gone"),))
    assert next_steps(make_result(found, failed, ())) == (f"comfydock -e studio {step}",)


@pytest.mark.parametrize("kind", ["pack", "comfyui"])
def test_code_that_fails_is_looked_at_in_a_run(kind: IssueKind) -> None:
    broken = replace(issue("x", True), kind=kind)
    resolve = "comfydock -e studio workflow resolve x"
    run = "comfydock -e studio run"
    for issues, expected in (((broken,), (run,)), ((broken, issue("x", True)), (resolve, run))):
        result = make_result(plan(), Outcomes(), issues)
        assert not result.success
        assert next_steps(result) == expected


@pytest.mark.parametrize(
    ("repository", "step"),
    [
        ("", "comfydock -e studio node add --dev './$(id) x'"),
        ("https://h.org/x", "comfydock -e studio node add https://h.org/x"),
    ],
)
def test_what_stayed_with_the_sender_is_added_afterwards(repository: str, step: str) -> None:
    mine = NodeInfo(name="$(id) x", source="development", version="dev", repository=repository)
    told = replace(summary({"mine": mine}), absent=frozenset({mine.name}))
    result = make_result(make_plan(told, LocalModels(), PlanChoices()), Outcomes(), ())
    assert next_steps(replace(result, success=False)) == (step,)


def test_models_that_went_away_meanwhile_are_not_counted() -> None:
    result = make_result(plan(), Outcomes(), (), {"1" * 16, "4" * 16})
    assert (result.models_downloaded, result.downloaded_size) == (1, 10)
    assert (result.models_found_local, result.local_size) == (0, 0)
    assert {name for name, _ in result.models_failed} == {"fetched.sft", "here.sft"}


@pytest.mark.parametrize(
    ("kind", "reason", "steps", "said"),
    [
        ("node", "`x` is not that file", [], "`reg`: what the registry has as 1"),
        ("node", "no network", ["node add reg@1", "workflow resolve x"], ""),
        ("model", "`x` is not that file", ["workflow resolve x"], "`reg`: what the registry"),
        ("file", "no network", ["node add reg@1"], "workflow `x`: ask the sender"),
    ],
)
def test_no_next_step_leads_nowhere(
    kind: IssueKind, reason: str, steps: list[str], said: str
) -> None:
    failed = Outcomes(failed_nodes=(("reg", reason),))
    result = make_result(plan(), failed, (replace(issue("x", True), kind=kind),))
    assert next_steps(result) == tuple(f"comfydock -e studio {step}" for step in steps)
    assert [line.startswith(said) for line in open_ends(result)] == [True] * bool(said)


def test_an_environments_name_is_quoted() -> None:
    odd = replace(plan(), environment="x; touch pwn #")
    for outcomes in (Outcomes(), Outcomes(failed_nodes=(("reg", "gone"),))):
        for step in next_steps(make_result(odd, outcomes, ())):
            assert "x; touch pwn #" in shlex.split(step)
