"""What a person is told during the demo, and what a program is told instead."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shutil import get_terminal_size
from textwrap import wrap

from comfydock_core.events import Reporter, StepFinished, StepStarted

from comfydock_cli.demo.folding import folded
from comfydock_cli.screen import Screen

_WIDTH = 78
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldStep:
    """A command of the demo as a user would type it, and what it took."""

    side: str
    command: str
    seconds: float


def shown_command(words: Sequence[str]) -> str:
    """Return a command line that can be typed."""
    return f"comfydock {shlex.join(words)}"


class Narration:
    """Prints the demo on ``screen``; without one, ``reporter`` gets each command as a step."""

    def __init__(self, screen: Screen | None, reporter: Reporter) -> None:
        self._screen = screen
        self._reporter = reporter
        self._lines_of_answer = 0
        self.steps: list[ToldStep] = []

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._write("")
        self._write_strongly(f"━━━ {text} ".ljust(_WIDTH, "━"))

    def remark(self, text: str) -> None:
        """Say what the next command is for."""
        self._write("", *(f"# {line}" for line in text.splitlines()))
        self._lines_of_answer = 0

    def say(self, text: str) -> None:
        """Tell what no command prints."""
        self._write("", text)

    def command(self, words: Sequence[str]) -> None:
        """Show what is typed next."""
        command = shown_command(words)
        if self._screen is None:
            self._reporter.report(StepStarted(step=command, title=command))
        if self._lines_of_answer > 1:
            self._write("")
        self._write_strongly(f"$ {command}")

    def answer(self, lines: Iterable[str]) -> None:
        """Show what a command prints, while it does."""
        self._lines_of_answer = 0
        for line in folded(lines):
            self._write(*self._wrapped(f"  {line}"))
            self._lines_of_answer += 1

    def finished(self, step: ToldStep) -> None:
        """Note that a command ended well."""
        self.steps.append(step)
        if self._screen is None:
            seconds = f"{step.seconds:.2f} s"
            self._reporter.report(StepFinished(step=step.command, detail=seconds))

    def _wrapped(self, line: str) -> list[str]:
        """Break a line between words where a terminal would break it within one."""
        if self._screen is None or not self._screen.is_terminal:
            return [line.rstrip()]
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        return wrap(
            line,
            get_terminal_size().columns,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]

    def _write(self, *lines: str) -> None:
        if self._screen is not None:
            self._screen.write_line("\n".join(lines))

    def _write_strongly(self, line: str) -> None:
        if self._screen is not None and self._screen.has_colour:
            self._screen.write_raw(f"{_BOLD}{self._screen.render(line)}{_PLAIN}\n")
        else:
            self._write(line)
