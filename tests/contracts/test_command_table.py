"""The table of commands and the modules behind it say the same."""

from __future__ import annotations

from importlib import import_module
from itertools import groupby

import pytest
from comfydock_cli.command_table import COMMANDS, Command

from tests.contracts.command_modules import PRESENT, WORDS


@pytest.mark.parametrize("command", PRESENT, ids=WORDS)
def test_a_command_has_its_function_and_its_arguments(command: Command) -> None:
    module = import_module(command[2])
    assert callable(getattr(module, command[3]))
    assert callable(getattr(module, f"{command[3]}_arguments"))


def test_words_are_unique_and_no_command_is_a_group() -> None:
    words = [command[0] for command in COMMANDS]
    assert len(set(words)) == len(words)
    assert [(a, b) for a in words for b in words if b.startswith(f"{a} ")] == []


def test_sections_stand_together_and_lines_fit_a_terminal() -> None:
    sections = [command[4] for command in COMMANDS]
    together = [name for name, _ in groupby(sections)]
    assert len(together) == len(set(sections))
    assert [command[0] for command in COMMANDS if len(command[1]) > 56] == []
