"""Every command answers with the one envelope, whatever happens (docs: cli.md 2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from comfydock_cli.command_table import COMMANDS
from comfydock_cli.main import main

from tests.contracts.command_modules import WORDS

_KEYS = ["schema", "command", "status", "exit_code", "data", "errors"]
_ERROR_KEYS = ["code", "message", "hint", "subject"]
_BEFORE_A_COMMAND = ["nothing", "node nothing", "--nothing", "list -e", "--env --yes list"]


def answer(words: str, capsys: pytest.CaptureFixture[str], flag: str = "--json") -> dict[str, Any]:
    """Run ``words`` and check that the last line of stdout is an envelope that tells the truth."""
    code = main([*words.split(), flag])
    shown = capsys.readouterr()
    envelope: dict[str, Any] = json.loads(shown.out.splitlines()[-1])
    assert list(envelope) == _KEYS
    assert envelope["schema"] == "comfydock/1"
    assert envelope["exit_code"] == code
    assert (envelope["status"] == "success") == (code == 0)
    assert all(list(error) == _ERROR_KEYS for error in envelope["errors"])
    assert shown.err == ""
    return envelope


@pytest.mark.parametrize("flag", ["--json", "--json-stream"])
@pytest.mark.parametrize("words", _BEFORE_A_COMMAND)
def test_an_error_before_a_command(
    words: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    envelope = answer(words, capsys, flag)
    assert (envelope["command"], envelope["status"]) == ("comfydock", "error")
    assert [error["code"] for error in envelope["errors"]] == ["usage"]


@pytest.mark.parametrize("words", WORDS)
def test_wrong_arguments_of_every_command(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    envelope = answer(f"{words} --no-such-option", capsys)
    assert envelope["command"] == words
    assert [error["code"] for error in envelope["errors"]] == ["usage"]


@pytest.mark.parametrize("words", WORDS)
def test_the_help_of_every_command(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    envelope = answer(f"{words} --help", capsys)
    assert envelope["command"] == f"help {words}"
    assert f"comfydock {words}" in envelope["data"]["help"]


@pytest.mark.parametrize(
    ("words", "count"), [("", len(COMMANDS)), ("--help", len(COMMANDS)), ("node", 3)]
)
def test_the_help_lists_commands(
    words: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = answer(words, capsys)["data"]["commands"]
    assert len(listed) == count
    assert list(listed[0]) == ["command", "summary", "section"]


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    from comfydock_core import __version__

    assert answer("--version", capsys)["data"] == {"version": __version__}
