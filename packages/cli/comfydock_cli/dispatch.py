"""From the words of a command line to an exit code: read, load one module, run it, show."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from comfydock_core.errors import ComfydockError, UsageError

from comfydock_cli import help_text
from comfydock_cli.command_line import (
    CommandParser,
    GlobalOptions,
    find_command,
    form_of,
    split_global_options,
)
from comfydock_cli.command_table import Command
from comfydock_cli.crash_report import CrashReporter
from comfydock_cli.output import Output
from comfydock_cli.result import CommandResult, ErrorItem, error_result

if TYPE_CHECKING:
    import argparse
    from types import ModuleType

    from comfydock_cli.context import Context

INTERRUPTED = 130
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV, errno.EIO, errno.EMFILE}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """A command line that names a command; ``words`` are the command's own arguments."""

    options: GlobalOptions
    command: Command
    words: list[str]


def run_command_line(words: list[str], commands: tuple[Command, ...]) -> int:
    """Run what ``words`` say and show the outcome; return the exit code."""
    environment: Mapping[str, str] = os.environ
    _open_closed_streams()
    output = Output(form_of(words), sys.stdout, sys.stderr, environment)
    sys.excepthook = crash = CrashReporter(output, environment)
    try:
        page_or_invocation = _read(words, commands)
    except UsageError as error:
        return output.show(error_result("comfydock", error))
    if isinstance(page_or_invocation, CommandResult):
        return output.show(page_or_invocation)
    crash.command = page_or_invocation.command[0]
    return output.show(_performed(page_or_invocation, output, environment))


def _open_closed_streams() -> None:
    """Give daemons that close their streams (`<&-`) ones that lead nowhere."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115 (until the end)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _read(words: list[str], commands: tuple[Command, ...]) -> CommandResult | Invocation:
    options, rest = split_global_options(words)
    if rest == ["--version"]:
        return _version()
    group = " ".join(rest)
    chosen = help_text.members(group, commands) if rest else commands
    if chosen:
        page = help_text.group_page(group, commands) if rest else help_text.overview(commands)
        return _help_page(group, page, chosen)
    command, arguments = find_command(rest, commands)
    return Invocation(options=options, command=command, words=arguments)


def _version() -> CommandResult:
    from comfydock_core import __version__

    return CommandResult(
        command="version", data={"version": __version__}, text=f"comfydock {__version__}"
    )


def _help_page(group: str, page: str, commands: tuple[Command, ...]) -> CommandResult:
    listed = [
        {"command": command[0], "summary": command[1], "section": command[4]}
        for command in commands
    ]
    return CommandResult(command=f"help {group}".strip(), data={"commands": listed}, text=page)


def _performed(
    invocation: Invocation, output: Output, environment: Mapping[str, str]
) -> CommandResult:
    name = invocation.command[0]
    try:
        return _perform(invocation, output, environment)
    except ComfydockError as error:
        return error_result(name, error)
    except OSError as error:
        return _refused(name, error, environment)
    except KeyboardInterrupt as interrupt:
        return _interrupted(name, interrupt)


def _perform(
    invocation: Invocation, output: Output, environment: Mapping[str, str]
) -> CommandResult:
    name, summary, module_name, function, _ = invocation.command
    module = _loaded(module_name)
    parser = CommandParser(name, summary)
    getattr(module, f"{function}_arguments")(parser)
    if invocation.options.help:
        page = parser.format_help().rstrip()
        return CommandResult(command=f"help {name}", data={"help": page}, text=page)
    arguments = parser.parsed(invocation.words)
    action: Callable[[argparse.Namespace, Context], CommandResult] = getattr(module, function)
    context = _context(invocation.options, output, environment)
    try:
        return action(arguments, context)
    finally:
        context.reporter.close()


def _loaded(module_name: str) -> ModuleType:
    """Load a command's module; all that makes stays to the end, so no garbage is looked for."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return import_module(module_name)
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def _context(options: GlobalOptions, output: Output, environment: Mapping[str, str]) -> Context:
    from comfydock_cli.context import Context
    from comfydock_cli.progress import reporter_for
    from comfydock_cli.prompts import Terminal

    terminal = Terminal(
        stdin=sys.stdin,
        screen=output.side,
        environment=environment,
        yes=options.yes,
        no_interactive=options.no_interactive,
    )
    return Context(
        options=options,
        output=output,
        terminal=terminal,
        reporter=reporter_for(output),
        environment=environment,
    )


def _refused(command: str, error: OSError, environment: Mapping[str, str]) -> CommandResult:
    """Say what the system refuses (a full or read-only disk, rights); the rest is a bug."""
    from comfydock_core.storage.durable_files import FULL, storage_error
    from comfydock_core.workspace.workspace import default_root

    if error.errno not in FULL | _REFUSALS:
        raise error
    return error_result(command, storage_error(default_root(environment), error))


def _interrupted(command: str, interrupt: KeyboardInterrupt) -> CommandResult:
    from comfydock_cli.prompts import InterruptedQuestionError

    hint = "the same command again goes on with what is left to do"
    if isinstance(interrupt, InterruptedQuestionError):
        hint = "the same command asks again, and goes on with what was begun"
    error = ErrorItem(
        code="interrupted",
        message=f"`comfydock {command}` was interrupted",
        hint=hint,
        subject=command,
    )
    return CommandResult(command=command, status="error", exit_code=INTERRUPTED, errors=(error,))
