"""Lists that a stranger could make endless, and names that would look like lines of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from comfydock_cli.import_plan_screens import consent_lines, plan_data, plan_lines
from comfydock_cli.import_screens import SHOWN, summary_lines
from comfydock_core.domain.acquisition import CodeOrigin, ImportPlan, ModelAcquisitionDecision
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.plan_text import write_plan
from comfydock_core.domain.preflight import Preflight, PreflightProblem
from comfydock_core.importing.plan import PlanChoices, make_plan

from tests.core.importing.summaries import aggregate, summary

MANY = 300
URL = "https://h.org/a.sft"
NODES = {f"n{n}": NodeInfo(name=f"n{n}", source="registry", version="1") for n in range(MANY)}
ODD = NodeInfo(name="zz", source="git", repository="https://h.org/zz", version="0" * 40)


def told(**changes: object) -> ImportSummary:
    return replace(summary(), **changes)  # type: ignore[arg-type]


def planned(one: ImportSummary, choices: PlanChoices | None = None) -> ImportPlan:
    return make_plan(one, LocalModels(), choices or PlanChoices())


def with_models(sources: tuple[str, ...], choices: PlanChoices) -> ImportPlan:
    keys = [f"{n:016x}" for n in range(MANY)]
    models = {
        key: aggregate(
            key=key, filename=f"m{key}.sft", content=f"loras/m{key}.sft", sources=sources
        )
        for key in keys
    }
    return planned(told(aggregates=models), choices)


def code_of(kind: str) -> tuple[CodeOrigin, ...]:
    return tuple(CodeOrigin(kind=kind, name=f"p{n}", detail="built here") for n in range(MANY))


def with_problems() -> ImportPlan:
    problem = PreflightProblem(subject="m", sentence="it is gone", hint="look elsewhere")
    return replace(planned(told()), preflight=Preflight(problems=(problem,) * MANY))


LONG: dict[str, Callable[[], ImportPlan]] = {
    "downloads": lambda: with_models((URL,), PlanChoices()),
    "skipped": lambda: with_models((), PlanChoices()),
    "nodes": lambda: planned(summary(NODES)),
    "skipped nodes": lambda: planned(summary(NODES), PlanChoices(skip_nodes=True)),
    "packages": lambda: planned(told(code=code_of("python-source"))),
    "warnings": lambda: planned(told(warnings=("old",) * MANY)),
    "problems": with_problems,
}


@pytest.mark.parametrize("kind", LONG)
def test_no_list_of_a_plan_floods_the_screen(kind: str) -> None:
    plan = LONG[kind]()
    shown = "\n".join(plan_lines(plan))
    assert f"… and {MANY - SHOWN} more (--json has all)" in shown
    assert len(shown) < 6000
    assert "more (--json" not in "\n".join(plan_lines(plan, MANY))


def test_many_hosts_of_downloads_make_no_endless_line() -> None:
    models = {
        f"{n:016x}": aggregate(key=f"{n:016x}", sources=(f"https://h{n}.org/a",))
        for n in range(MANY)
    }
    last = plan_lines(planned(told(aggregates=models)))[-1]
    assert "h19.org, … and 280 more" in last
    assert "h20.org" not in last


def test_the_saved_plan_and_the_json_have_all() -> None:
    plan = with_models((URL,), PlanChoices())
    assert write_plan(plan, str).count("\ndownload ") == MANY
    models = plan_data(plan)["models"]
    assert isinstance(models, list)
    assert len(models) == MANY


def test_the_first_screen_is_not_flooded_either() -> None:
    hosts = tuple(f"h{n}.org" for n in range(MANY))
    one = told(hosts=hosts, warnings=("old",) * MANY, dropped=("a node",) * MANY)
    lines = summary_lines(one)
    assert len(lines) < 70
    assert f"h{SHOWN - 1}.org, … and {MANY - SHOWN} more (--json has all), the Python" in "\n".join(
        lines
    )


def test_code_that_nobody_vouches_for_is_not_cut_away() -> None:
    vouched = tuple(
        CodeOrigin(kind="registry", name=name, detail="v1", pinned=True) for name in NODES
    )
    origin = CodeOrigin(kind="git", name="zz", detail="from a stranger")
    one = replace(summary({**NODES, "zz": ODD}), code=(*vouched, origin))
    plan = planned(one)
    lines = plan_lines(plan)
    assert any(line.startswith("    ⚠ git node zz: from a stranger") for line in lines)
    assert consent_lines(plan, lines * 2) == ["⚠ Nobody vouches for: git node zz"]
    assert consent_lines(plan, lines[:5]) == []


def test_every_kind_of_code_is_in_the_one_line() -> None:
    development = CodeOrigin(kind="development", name="d" * 300, detail="x")
    plan = planned(told(code=(*code_of("python-source"), development)))
    assert consent_lines(plan, ["x" * 5000]) == [
        f"⚠ Nobody vouches for: development node {'d' * 40}…; "
        "Python package built here p0, p1, p2, p3, p4 and 295 more"
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a" + " " * 60 + "✓ fine.sft", "• a" + r"\x20" * 60 + "✓ fine.sft ("),
        ("\u3000", "• \\u3000 ("),
        ("\u2800\u3164.sft", "• \\u2800\\u3164.sft ("),
        ("my  own\u3000日本.sft", "• my  own\u3000日本.sft ("),
    ],
)
def test_a_name_cannot_look_like_nothing_or_like_another_line(name: str, shown: str) -> None:
    key = "1" * 16
    plan = planned(told(aggregates={key: aggregate(key=key, filename=name, content="")}))
    assert shown in "\n".join(plan_lines(plan))


def test_a_download_from_elsewhere_names_its_host() -> None:
    key = "1" * 16
    one = aggregate(key=key, filename="a.sft", sources=(URL,))
    other = ModelAcquisitionDecision(
        model=one.model, action="download", source_url="https://me.example:8/b"
    )
    choices = PlanChoices(decided={key: (other,)})
    lines = plan_lines(planned(told(aggregates={key: one}), choices))
    assert "    • a.sft (required, 5 B, from me.example)" in lines
    usual = plan_lines(planned(told(aggregates={key: one})))
    assert "    • a.sft (required, 5 B)" in usual


@pytest.mark.parametrize(("models", "listed"), [("all", True), ("skip", False)])
def test_a_pickle_that_is_left_out_is_no_code(models: str, listed: bool) -> None:
    key = "1" * 16
    origin = CodeOrigin(kind="pickle", name="x4.pth", detail="a pickle file")
    one = aggregate(key=key, filename="x4.pth", content="loras/x4.pth", sources=(URL,))
    choices = PlanChoices(models=models)  # type: ignore[arg-type]
    lines = plan_lines(planned(told(aggregates={key: one}, code=(origin,)), choices))
    assert ("  ⚠ model file x4.pth: a pickle file" in lines) is listed
    assert ("Other code:" in lines) is listed
