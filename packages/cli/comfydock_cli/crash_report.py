"""A failure that nobody foresaw: one sentence for the user, the traceback in the log."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from comfydock_cli.output import Output
from comfydock_cli.result import CommandResult, ErrorItem


class CrashReporter:
    """A ``sys.excepthook``: the interpreter calls it last and then exits with 1.

    ``COMFYDOCK_DEBUG`` in the environment shows the traceback on stderr as well.
    """

    def __init__(self, output: Output, environment: Mapping[str, str]) -> None:
        self._output = output
        self._environment = environment
        self.command = ""

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Write the traceback down and say where it is."""
        if self._environment.get("COMFYDOCK_DEBUG"):
            sys.__excepthook__(kind, error, trace)
        place = self._written(error)
        name = f"comfydock {self.command}".strip()
        details = f"the details are in `{place}`" if place else "no log could be written"
        item = ErrorItem(
            code="bug",
            message=f"`{name}` hit a bug in comfydock ({kind.__name__}); {details}",
            hint=f"report it with that file, or see more: COMFYDOCK_DEBUG=1 {name}",
            subject=str(place or ""),
        )
        self._output.show(
            CommandResult(command=self.command, status="error", exit_code=1, errors=(item,))
        )

    def _written(self, error: BaseException) -> Path | None:
        import traceback
        from datetime import UTC, datetime

        from comfydock_core.domain.untrusted import escape_lines, redact_secrets

        now = datetime.now(UTC).isoformat(timespec="seconds")
        text = redact_secrets(escape_lines("".join(traceback.format_exception(error))))
        try:
            folder = self._root() / "logs"
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "comfydock.log").open("a", encoding="utf-8") as log:
                log.write(f"{now} comfydock {self.command}\n{text}\n")
        except OSError:
            return None
        return folder / "comfydock.log"

    def _root(self) -> Path:
        # Said again here, because the workspace's own module may be what failed to load.
        chosen = self._environment.get("COMFYDOCK_HOME")
        home = Path(os.path.expanduser(chosen or ""))  # noqa: PTH111 - Path's can raise
        return home.absolute() if chosen else Path.home() / ".comfydock"
