"""The commands of the table whose modules are there."""

from __future__ import annotations

from comfydock_cli.command_table import COMMANDS, Command

from tests.contracts.source_tree import ROOT


def _has_module(command: Command) -> bool:
    return (ROOT / "packages/cli" / f"{command[2].replace('.', '/')}.py").is_file()


PRESENT = tuple(command for command in COMMANDS if _has_module(command))
WORDS = tuple(command[0] for command in PRESENT)
