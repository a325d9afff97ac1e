"""Questions on a terminal: asked on stderr, answered on stdin, each with a flag in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from comfydock_core.errors import AnswerNeededError

from comfydock_cli.screen import Screen

_YES = ("y", "yes")
_NO = ("n", "no")


class InterruptedQuestionError(KeyboardInterrupt):
    """Ctrl-C while a question waited: nothing was going on."""


class Terminal:
    """Asks if a person is there; otherwise the default under ``--yes``, else AnswerNeededError.

    A ``flag`` is the option that answers the question, as a user types it. Ctrl-C while a question
    waits is an InterruptedQuestionError, the end of the input an AnswerNeededError.
    """

    def __init__(
        self,
        *,
        stdin: TextIO,
        screen: Screen,
        environment: Mapping[str, str],
        yes: bool = False,
        no_interactive: bool = False,
    ) -> None:
        self._stdin = stdin
        self._screen = screen
        self.yes = yes
        self.interactive = (
            not no_interactive
            and not environment.get("CI")
            and stdin.isatty()
            and screen.is_terminal
        )

    def choose(
        self,
        question_lines: Sequence[str],
        choices: Mapping[str, str],
        *,
        default: str | None,
        flag: str,
        unlisted: Mapping[str, str] | None = None,
    ) -> str:
        """Ask for one letter of ``choices`` (letter to meaning); return it in lower case.

        ``question_lines`` are printed as they are, the options among them; then comes the line
        ``Choice [Y]/e/c: `` with the default, a key of ``choices``, in brackets and indented like
        the last of the lines. ``unlisted`` are choices that the line leaves out.
        """
        if not self._must_ask(default, question_lines, flag):
            return str(default).lower()
        self._screen.write_line("\n".join(question_lines))
        indent = _indent(question_lines)
        drawn = "/".join(f"[{letter}]" if letter == default else letter for letter in choices)
        choices = {**choices, **(unlisted or {})}
        meanings = {letter.lower() for letter in choices}
        while True:
            answer = self._answer(f"{indent}Choice {drawn}: ", flag).lower() or default
            if answer is not None and answer.lower() in meanings:
                return answer.lower()
            known = ", ".join(f"`{letter}` {meaning}" for letter, meaning in choices.items())
            self._screen.write_line(f"{indent}Please type one of: {known}")

    def confirm(self, question: str, *, default: bool, flag: str) -> bool:
        """Ask a yes-or-no question: ``question [Y/n]: ``."""
        if not self._must_ask(default, (question,), flag):
            return default
        drawn = "[Y/n]" if default else "[y/N]"
        while True:
            answer = self._answer(f"{question} {drawn}: ", flag).lower()
            if not answer:
                return default
            if answer in _YES + _NO:
                return answer in _YES
            self._screen.write_line(f"{_indent((question,))}Please type `y` or `n`")

    def ask_text(self, question: str, *, flag: str) -> str:
        """Ask for a text; it comes back without the spaces around it and may be empty."""
        self._must_ask(None, (question,), flag)
        return self._answer(f"{question} ", flag)

    def _must_ask(self, default: object, question_lines: Sequence[str], flag: str) -> bool:
        if self.yes and default is not None:
            return False
        if not self.interactive:
            raise _unanswered(question_lines, flag)
        return True

    def _answer(self, prompt: str, flag: str) -> str:
        try:
            self._screen.write(prompt)
            line = self._stdin.readline()
        except UnicodeDecodeError:
            line = "\N{REPLACEMENT CHARACTER}\n"
        except KeyboardInterrupt:
            self._screen.write("\n")
            raise InterruptedQuestionError from None
        if not line:
            self._screen.write("\n")
            raise _unanswered((prompt,), flag, "the input ended before a question was answered")
        return line.strip()


def _indent(lines: Sequence[str]) -> str:
    last = lines[-1] if lines else ""
    return last[: len(last) - len(last.lstrip())]


def _unanswered(
    question_lines: Sequence[str],
    flag: str,
    sentence: str = "a question needs an answer and nobody is there to give it",
) -> AnswerNeededError:
    question = next((line.strip() for line in question_lines if line.strip()), "")
    return AnswerNeededError(
        sentence,
        cause=question,
        hint=f"answer it with `{flag}`",
        subject=flag,
    )
