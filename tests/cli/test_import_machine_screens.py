from __future__ import annotations

from dataclasses import replace

from comfydock_cli.import_machine_screens import machine_lines, problem_lines
from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.preflight import DiskNeed, Preflight, PreflightProblem

from tests.core.importing.summaries import manifest

PLAN = ImportPlan(
    environment="studio", bundle="0" * 64, manifest=manifest(), aggregates={}, nodes=(), models=()
)
FOUND = Preflight(
    python="3.11 (on this machine)",
    hardware="torch backend auto (Linux: CUDA)",
    sender="Windows, torch \x1b[31m",
    disks=(
        DiskNeed(place="/models", certain=3 << 30, estimated=0, free=9 << 30),
        DiskNeed(place="/home", certain=0, estimated=2 << 30, free=9 << 30),
    ),
)


def test_the_machine_is_drawn_with_what_is_known() -> None:
    plan = replace(PLAN, preflight=FOUND)
    lines = [
        "This machine:",
        "  Python: 3.11 (on this machine)",
        "  Sender: Windows, torch \\x1b[31m",
        "  Disk: 3.0 GB in /models",
        "  Disk: about 2.0 GB in /home",
        "",
    ]
    assert machine_lines(plan) == lines
    torch = replace(plan, manifest=replace(plan.manifest, requirements=("torch",)))
    lines.insert(2, "  Torch: torch backend auto (Linux: CUDA)")
    assert machine_lines(torch) == lines
    assert machine_lines(PLAN) == []


def test_what_is_blocking_comes_first() -> None:
    problems = (
        PreflightProblem(subject="a", sentence="a: gone \u202e", hint="look"),
        PreflightProblem(subject="b", sentence="no Python", blocking=True),
    )
    lines = ["✗ no Python", "⚠ a: gone \\u202e", "    look", ""]
    assert problem_lines(Preflight(problems=problems)) == lines
    assert problem_lines(Preflight()) == []
