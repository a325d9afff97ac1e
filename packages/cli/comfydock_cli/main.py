"""The entry point: help and version at once, everything else by loading what it needs."""

from __future__ import annotations

import sys

from comfydock_cli.command_table import COMMANDS, Command
from comfydock_cli.help_text import static_help


def main(argv: list[str] | None = None, commands: tuple[Command, ...] = COMMANDS) -> int:
    """Run one command line (``sys.argv`` without the program by default); return the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    page = static_help(words, commands)
    if page is None:
        try:
            from comfydock_cli.dispatch import run_command_line

            return run_command_line(words, commands)
        except KeyboardInterrupt:
            sys.stderr.write("error: comfydock was interrupted before it had begun\n")
            return 130
    try:
        sys.stdout.write(page + "\n")
        sys.stdout.flush()
    except OSError as error:
        from comfydock_cli.screen import forget_stream

        forget_stream(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"error: the help could not be written: {error.strerror}\n")
            return 1
    return 0
