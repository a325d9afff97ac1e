"""A person who types at the questions of an import, on streams that say they are a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from comfydock_cli.command_line import GlobalOptions
from comfydock_cli.context import Context
from comfydock_cli.import_prompts import ImportAnswers, TerminalImport
from comfydock_cli.output import Output
from comfydock_cli.plan_editing import EditorError, edit_text
from comfydock_cli.progress import reporter_for
from comfydock_cli.prompts import InterruptedQuestionError, Terminal
from comfydock_core.domain.acquisition import CodeOrigin, ImportPlan
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.preflight import Preflight, PreflightProblem
from comfydock_core.errors import AnswerNeededError
from comfydock_core.importing.plan import PlanChoices, make_plan

from tests.core.importing.summaries import aggregate, summary

NO_PYTHON = PreflightProblem(subject="python", sentence="Python 3.99 is nowhere", blocking=True)
DEVELOPMENT = CodeOrigin(kind="development", name="my-dev", detail="in the bundle")


class Console(io.StringIO):
    """A stream of a terminal; as an input it is interrupted or ends after what was typed."""

    def __init__(self, typed: str = "", *, interrupted: bool = False) -> None:
        super().__init__(typed)
        self._interrupted = interrupted

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        line = super().readline(size)
        if not line and self._interrupted:
            raise KeyboardInterrupt
        return line


@dataclass(kw_only=True)
class Looks:
    """A revision whose machine is another one at the second look."""

    second: ImportPlan
    looks: int = 0
    has_nodes: bool = False
    has_models: bool = False

    def look_again(self) -> ImportPlan:
        self.looks += 1
        return self.second

    def from_text(self, text: str) -> ImportPlan:
        raise NotImplementedError

    def choose_nodes(self) -> ImportPlan:
        raise NotImplementedError

    def choose_models(self) -> ImportPlan:
        raise NotImplementedError


def person(stdin: Console, *, yes: bool = False) -> tuple[TerminalImport, Console]:
    side = Console()
    output = Output("text", io.StringIO(), side, {"TERM": "dumb"})
    terminal = Terminal(stdin=stdin, screen=output.side, environment={}, yes=yes)
    context = Context(
        options=GlobalOptions(yes=yes),
        output=output,
        terminal=terminal,
        reporter=reporter_for(output),
        environment={},
    )
    return TerminalImport(context, ImportAnswers()), side


def plan_of(
    count: int, code: Sequence[CodeOrigin] = (), problems: tuple[PreflightProblem, ...] = ()
) -> ImportPlan:
    models = {
        f"{n:016x}": aggregate(key=f"{n:016x}", filename=f"model{n}.sft", content="")
        for n in range(count)
    }
    told = replace(summary(aggregates=models), code=tuple(code))
    plan = make_plan(told, LocalModels(), PlanChoices())
    return replace(plan, preflight=Preflight(problems=problems))


def test_a_plan_that_cannot_be_executed_stays_open() -> None:
    blocked, possible = plan_of(1, problems=(NO_PYTHON,)), plan_of(1)
    asked, side = person(Console("y\n\ny\n"))
    looks = Looks(second=possible)
    assert asked.confirm_plan(blocked, looks) is possible
    assert looks.looks == 1
    before, after = side.getvalue().split("Choice [Y]")
    assert "✗ Cannot be executed here: Python 3.99 is nowhere\n[r] Look again" in before
    assert "Execute plan" not in before.partition("Choice [r]")[0]
    assert after == "/e/c: "


def test_nobody_is_asked_again_under_yes() -> None:
    blocked = plan_of(1, problems=(NO_PYTHON,))
    asked, _ = person(Console(), yes=True)
    assert asked.confirm_plan(blocked, Looks(second=blocked)) is blocked


@pytest.mark.parametrize(("models", "repeated"), [(3, False), (3000, True)])
def test_what_nobody_vouches_for_stands_above_the_question(models: int, repeated: bool) -> None:
    plan = plan_of(models, [DEVELOPMENT])
    asked, side = person(Console("c\n"))
    assert asked.confirm_plan(plan, Looks(second=plan)) is None
    lines = side.getvalue().splitlines()
    (question,) = (place for place, line in enumerate(lines) if line.startswith("[Y] Execute"))
    above = lines[question - 1]
    assert (above == "⚠ Nobody vouches for: development node my-dev") is repeated
    assert ("[v] View all" in lines[question]) is repeated
    assert len(lines) < 60


def test_all_of_a_long_plan_can_be_seen() -> None:
    plan = plan_of(3000)
    asked, side = person(Console("v\nc\n"))
    asked.confirm_plan(plan, Looks(second=plan))
    cut, whole = side.getvalue().split("Choice [Y]/e/v/c: ")[:2]
    assert "… and 2980 more" in cut
    assert whole.count(".sft (") == 3000
    assert "[v]" not in whole


def failures(*names: str) -> Mapping[str, str]:
    return dict.fromkeys(names, "404")


def test_a_retry_is_proposed_as_long_as_it_helps() -> None:
    asked, side = person(Console("\n\n\n"))
    assert asked.after_failures(failures("a", "b")) == "retry"
    assert asked.after_failures(failures("a")) == "retry"
    assert asked.after_failures(failures("a")) == "skip"
    assert side.getvalue().count("Choice [r]/s/q: ") == 2
    assert side.getvalue().endswith("Choice r/[s]/q: ")


def test_ctrl_c_ends_the_line_of_its_question() -> None:
    asked, side = person(Console(interrupted=True))
    with pytest.raises(InterruptedQuestionError):
        asked.confirm_summary(summary())
    assert side.getvalue().endswith("Choice [Y]/c: \n")


def test_the_end_of_the_input_is_said_as_it_is_with_flags_that_suffice() -> None:
    plan = plan_of(1, [DEVELOPMENT])
    asked, _ = person(Console())
    with pytest.raises(AnswerNeededError, match="the input ended") as caught:
        asked.confirm_plan(plan, Looks(second=plan))
    assert caught.value.hint == "answer it with `--yes --trust-code`"


@pytest.mark.parametrize("deed", ["rm", "rm -r", "mkdir"])
def test_an_editor_that_leaves_no_file(deed: str, tmp_path: Path) -> None:
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, shutil, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "path.unlink()\n"
        f"if {deed!r} == 'rm -r': shutil.rmtree(path.parent)\n"
        f"if {deed!r} == 'mkdir': path.mkdir()\n"
    )
    with pytest.raises(EditorError, match="left no file behind"):
        edit_text("skip a\n", {"EDITOR": f"'{sys.executable}' '{script}'"})
