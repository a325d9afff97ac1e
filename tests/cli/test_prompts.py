from __future__ import annotations

import json

import pytest

from tests.cli.shells import ended, toy_process, toy_terminal

CHOICE = r"   Choice \[Y\]/e/c: "
CONFIRMATION = r"Continue\? \[y/N\]: "


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("", "y"), ("y", "y"), ("E", "e"), ("  c ", "c")],
)
def test_a_letter_is_chosen(typed: str, expected: str) -> None:
    child = toy_terminal("box", "open")
    child.expect(r"📋 A box:\r\n\r\n   \[Y\] Execute plan  \[e\] Edit plan  \[c\] Cancel\r\n")
    child.expect(CHOICE)
    child.sendline(typed)
    child.expect(CONFIRMATION)
    child.sendline("")
    shown, code = ended(child)
    assert f"{expected} False" in shown
    assert code == 0


def test_a_wrong_letter_is_asked_again() -> None:
    child = toy_terminal("box", "open")
    child.expect(CHOICE)
    child.sendline("x")
    child.expect("Please type one of: `Y` execute the plan, `e` edit it, `c` cancel")
    child.expect(CHOICE)
    child.sendline("c")
    child.expect(CONFIRMATION)
    child.sendline("perhaps")
    child.expect("Please type `y` or `n`")
    child.expect(CONFIRMATION)
    child.sendline("YES")
    assert "c True" in ended(child)[0]


def test_a_text_is_asked() -> None:
    child = toy_terminal("box", "open", "--name")
    child.expect(CHOICE)
    child.sendline("")
    child.expect(CONFIRMATION)
    child.sendline("n")
    child.expect("Its name: ")
    child.sendline("  my box ")
    assert "y False my box" in ended(child)[0]


def test_the_end_of_the_input_names_the_flag() -> None:
    child = toy_terminal("box", "open")
    child.expect(CHOICE)
    child.sendeof()
    shown, code = ended(child)
    assert code == 4
    assert "answer it with `--yes`" in shown


def test_ctrl_c_at_a_question() -> None:
    child = toy_terminal("box", "open")
    child.expect(CHOICE)
    child.sendintr()
    shown, code = ended(child)
    assert code == 130
    assert "was interrupted" in shown


@pytest.mark.parametrize(
    ("words", "changes"),
    [(("--no-interactive",), {}), ((), {"CI": "true"})],
)
def test_a_terminal_alone_is_no_person(words: tuple[str, ...], changes: dict[str, str]) -> None:
    shown, code = ended(toy_terminal("box", "open", *words, **changes))
    assert code == 4
    assert "Choice" not in shown
    assert "answer it with `--yes`" in shown


def test_without_a_terminal_nothing_is_asked() -> None:
    done = toy_process("box", "open", "--json")
    assert done.returncode == 4
    assert done.stderr == ""
    error = json.loads(done.stdout)["errors"][0]
    assert error["code"] == "answer-needed"
    assert error["subject"] == "--yes"
    assert "📋 A box:" in error["message"]


@pytest.mark.parametrize("changes", [{}, {"CI": "1"}])
def test_yes_takes_the_defaults(changes: dict[str, str]) -> None:
    done = toy_process("box", "open", "-y", **changes)
    assert (done.stdout, done.stderr, done.returncode) == ("y False \n", "", 0)


def test_yes_cannot_answer_a_question_without_a_default() -> None:
    done = toy_process("box", "open", "--yes", "--name")
    assert done.returncode == 4
    assert "answer it with `--name`" in done.stderr
