"""The help that costs nothing: drawn from the command table alone, in ASCII, with no import."""

from __future__ import annotations

from comfydock_cli.command_table import Command

_ABOUT = "comfydock: turn a working ComfyUI into one file that works anywhere"
_USAGE = "Usage: comfydock COMMAND [arguments] [options]"
OPTIONS = """\
Options of every command:
  -e, --env NAME     work on this environment instead of the active one
  -y, --yes          take the default answer to every question
  --no-interactive   never ask; a question that no option answers ends with exit code 4
  --json             answer with one JSON object on stdout
  --json-stream      one JSON event a line while it works, the same object as the last line
  -h, --help         explain the command
"""
_END = """\
Examples:
  comfydock export my-env --output my-env.tar.gz
  comfydock import my-env.tar.gz --name theirs

`comfydock COMMAND --help` explains one command, `comfydock demo` shows them at work.
The README of the project begins where this page ends."""


def static_help(words: list[str], commands: tuple[Command, ...]) -> str | None:
    """Return the overview or a group's page if ``words`` ask for just that, else None.

    No words at all, ``help``, ``--help`` and ``-h`` ask for the overview; a group alone
    (``node``) or with one of them asks for the group's page.
    """
    asked = [word for word in words if word not in ("-h", "--help")]
    if asked[:1] == ["help"]:
        del asked[0]
    if not asked:
        return overview(commands)
    group = " ".join(asked)
    return group_page(group, commands) if members(group, commands) else None


def members(group: str, commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """Return the commands whose words begin with ``group`` and go on."""
    return tuple(command for command in commands if command[0].startswith(group + " "))


def overview(commands: tuple[Command, ...]) -> str:
    """Draw the page of ``comfydock --help``: the commands by section, in the table's order."""
    width = _width(commands)
    lines = [_ABOUT, "", _USAGE]
    section = ""
    for command in commands:
        if command[4] != section:
            section = command[4]
            lines += ["", f"{section}:"]
        lines.append(_line(command, width))
    return "\n".join([*lines, "", OPTIONS, _END])


def group_page(group: str, commands: tuple[Command, ...]) -> str:
    """Draw the page of a group such as ``node`` or ``model index``."""
    chosen = members(group, commands)
    width = _width(chosen)
    lines = [f"Usage: comfydock {group} COMMAND [arguments] [options]", ""]
    lines += [_line(command, width) for command in chosen]
    return "\n".join(
        [*lines, "", OPTIONS, f"`comfydock {chosen[0][0]} --help` explains one command."]
    )


def _width(commands: tuple[Command, ...]) -> int:
    return max((len(command[0]) for command in commands), default=0)


def _line(command: Command, width: int) -> str:
    return f"  {command[0].ljust(width)}   {command[1]}"
