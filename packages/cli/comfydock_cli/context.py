"""What a command works with: its options, the terminal, the reporter, and the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from comfydock_cli.command_line import GlobalOptions
from comfydock_cli.output import Output
from comfydock_cli.progress import ClosingReporter
from comfydock_cli.prompts import Terminal

if TYPE_CHECKING:
    from comfydock_core.workspace.workspace import Workspace


class Context:
    """Handed to every command; the workspace is opened, and made, when a command first asks."""

    def __init__(
        self,
        *,
        options: GlobalOptions,
        output: Output,
        terminal: Terminal,
        reporter: ClosingReporter,
        environment: Mapping[str, str],
    ) -> None:
        self.options = options
        self.output = output
        self.terminal = terminal
        self.reporter = reporter
        self.environment = environment

    @property
    def programs_output(self) -> TextIO | None:
        """Where a program in the foreground writes to: stdout, unless that is for JSON alone."""
        return None if self.output.form == "text" else self.output.side.stream

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace of ``$COMFYDOCK_HOME``, else the default one."""
        from comfydock_core.workspace.workspace import Workspace

        return Workspace.open(None, self.environment, self.reporter)
