from __future__ import annotations

import io
import re
import threading

import pytest
from comfydock_cli.progress import LineReporter
from comfydock_cli.progress_bars import BarReporter
from comfydock_cli.progress_lines import ProgressLines
from comfydock_cli.screen import Screen
from comfydock_core.events import (
    Event,
    ItemFailed,
    ItemFinished,
    ItemProgress,
    ItemStarted,
    Notice,
    StepFinished,
    StepStarted,
)

from tests.cli.shells import ended, toy_process, toy_terminal

GB = 1024**3
NODES = StepStarted(step="nodes", title="Installing custom nodes", count=2)
MODELS = StepStarted(step="models", title="Downloading models", count=2)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [
                NODES,
                ItemStarted(step="nodes", item="acme"),
                ItemFinished(step="nodes", item="acme"),
                ItemFailed(step="nodes", item="brk", reason="failed to clone"),
                StepFinished(step="nodes", detail="Installed 1/2 nodes"),
            ],
            [
                *("", "📦 Installing custom nodes...", ""),
                "  • Installing acme... ✓",
                "  • Installing brk... ✗ (failed to clone)",
                *("", "⚠ Installed 1/2 nodes"),
            ],
        ),
        (
            [
                MODELS,
                ItemStarted(step="models", item="a.sft", size=int(4.2 * GB)),
                ItemStarted(step="models", item="b.sft", size=500),
                ItemProgress(step="models", item="a.sft", done=GB),
                ItemFinished(step="models", item="b.sft", detail="cached"),
                ItemFailed(step="models", item="a.sft", reason="refused"),
                StepFinished(step="models"),
            ],
            [
                *("", "📥 Downloading models...", ""),
                *("[1/2] b.sft (500 B)", "  ✓ cached", ""),
                *("[2/2] a.sft (4.2 GB)", "  ✗ Failed: refused", ""),
                "⚠ Downloading models: 1 of 2",
            ],
        ),
        (
            [
                StepStarted(step="python", title="Syncing Python environment"),
                StepFinished(step="python"),
            ],
            ["", "📦 Syncing Python environment...", "  ✓ Complete"],
        ),
        ([Notice(text="old", hint="comfydock x")], ["⚠ old", "  comfydock x"]),
        ([ItemFinished(step="zip", item="a\nb\x1b", detail="")], ["  • a\\nb\\x1b... ✓"]),
    ],
)
def test_lasting_lines(events: list[Event], expected: list[str]) -> None:
    lines = ProgressLines()
    assert [line for event in events for line in lines.lines(event)] == expected


class Paper(io.StringIO):
    """A stream that says when a line with ``awaited`` was written."""

    def __init__(self, awaited: str) -> None:
        super().__init__()
        self._awaited = awaited
        self.written = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        if self._awaited in text:
            self.written.set()
        return count


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [
                MODELS,
                ItemStarted(step="models", item="a", size=3 * GB),
                ItemProgress(step="models", item="a", done=GB),
            ],
            "  • a... 1.0 GB of 3.0 GB, 31 s\n",
        ),
        ([NODES, ItemStarted(step="nodes", item="a")], "  • a... 31 s\n"),
        ([StepStarted(step="python", title="Syncing")], "  • Syncing... 31 s\n"),
    ],
)
def test_what_runs_for_long_gives_a_sign_of_life(events: list[Event], expected: str) -> None:
    paper, now = Paper("31 s"), [0.0]
    reporter = LineReporter(Screen(paper, {}), lambda: now[0], look_every=0.001)
    for event in events:
        reporter.report(event)
    now[0] = 31.0
    assert paper.written.wait(10)
    reporter.close()
    assert paper.getvalue().count("31 s") == 1
    assert paper.getvalue().endswith(expected)


def test_what_is_done_gives_no_sign_of_life() -> None:
    paper, now = Paper("late"), [0.0]
    reporter = LineReporter(Screen(paper, {}), lambda: now[0], look_every=0.001)
    done: list[Event] = [
        NODES,
        ItemStarted(step="nodes", item="early"),
        ItemFinished(step="nodes", item="early"),
        StepFinished(step="nodes"),
        StepStarted(step="python", title="late work"),
    ]
    for event in done:
        reporter.report(event)
    paper.written.clear()
    now[0] = 40.0
    assert paper.written.wait(10)
    reporter.close()
    assert re.findall(r"• (.*)\.\.\. 40 s", paper.getvalue()) == ["late work"]


def test_reports_from_many_threads_stay_whole_lines() -> None:
    paper = Paper("")
    reporter = LineReporter(Screen(paper, {}))

    def work(name: str) -> None:
        for number in range(50):
            reporter.report(ItemFinished(step="x", item=f"{name}{number}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter.close()
    expected = sorted(f"  • {name}{number}... ✓" for name in "abcd" for number in range(50))
    assert sorted(paper.getvalue().splitlines()) == expected


def test_a_pipe_gets_the_lasting_lines_on_stderr() -> None:
    done = toy_process("box", "lid", "fit")
    assert done.stdout == "fitted\n"
    assert "  • Installing acme... ✓\n" in done.stderr
    assert "[1/1] sd15.safetensors (4.2 GB)\n  ✓ Complete\n" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_terminal_gets_bars_that_vanish() -> None:
    shown, code = ended(toy_terminal("box", "lid", "fit", NO_COLOR="1"))
    assert code == 0
    assert "0 of 1" in shown
    assert _what_stays(shown) == [
        *("", "📦 Installing custom nodes...", "", "  • Installing acme... ✓"),
        *("", "✅ Installed 1/1 nodes"),
        *("", "📥 Downloading models...", ""),
        *("[1/1] sd15.safetensors (4.2 GB)", "  ✓ Complete", ""),
        *("✅ Downloading models: 1 of 1", "fitted"),
    ]


def test_a_dumb_terminal_gets_plain_lines() -> None:
    shown, _ = ended(toy_terminal("box", "lid", "fit", TERM="dumb"))
    assert "✅ Installed 1/1 nodes" in shown
    assert "\x1b" not in shown


def _what_stays(shown: str) -> list[str]:
    """Play the codes that rich writes: up, erase the line, carriage return."""
    lines, row = [""], 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", shown):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif piece.endswith("A") and piece.startswith("\x1b"):
            row -= int(piece[2:-1] or 1)
        elif not piece.startswith(("\x1b", "\r")):
            lines[row] += piece
    while lines and not lines[-1]:
        lines.pop()
    return lines


class Interrupting(io.StringIO):
    """A terminal at whose first write Ctrl-C arrives."""

    interrupted = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not self.interrupted and "\x1b[?25l" in text:
            self.interrupted = True
            raise KeyboardInterrupt
        return super().write(text)


def test_bars_that_ctrl_c_kept_from_being_drawn_are_taken_away() -> None:
    paper = Interrupting()
    reporter = BarReporter(Screen(paper, {"TERM": "xterm"}))
    with pytest.raises(KeyboardInterrupt):
        reporter.report(NODES)
    reporter.close()
    assert paper.getvalue().endswith("\x1b[?25h")
