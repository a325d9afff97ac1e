"""0 done, 1 failed, 2 wrong usage, 3 done with issues, 4 an answer was needed, 130 interrupted."""

from __future__ import annotations

import pytest
from comfydock_cli.dispatch import INTERRUPTED
from comfydock_cli.main import main
from comfydock_core import errors

from tests.contracts.command_modules import WORDS


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("", 0),
        ("--help", 0),
        ("help node", 0),
        ("--version", 0),
        ("nothing", 2),
        ("node nothing", 2),
        ("help nothing", 2),
        ("--nothing", 2),
        ("--version list", 2),
        ("list --env", 2),
    ],
)
def test_before_a_command(words: str, code: int) -> None:
    assert main(words.split()) == code


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(("more", "code"), [("--help", 0), ("--no-such-option", 2)])
def test_every_command(
    words: str, more: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), more]) == code
    shown = capsys.readouterr()
    assert bool(shown.out) == (code == 0)
    assert "usage:" not in shown.err


def test_every_failure_has_a_code_and_an_exit_code() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ComfydockError)
    ]
    assert {kind.exit_code for kind in kinds} <= {1, 2, 3, 4}
    assert errors.AnswerNeededError.exit_code == 4
    assert errors.UsageError.exit_code == 2
    assert INTERRUPTED == 130
    assert [kind.__name__ for kind in kinds if kind.code in ("", "bug", "interrupted")] == []
