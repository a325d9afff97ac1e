"""The log of an environment: every event of its last import, export or creation, with its time."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from comfydock_core.domain.untrusted import escape_text, redact_secrets
from comfydock_core.events import Event, ItemProgress, Reporter
from comfydock_core.storage.durable_files import storage_errors


class LoggingReporter:
    """Passes events on, and writes them down while a log is open; progress is not written."""

    def __init__(self, shown: Reporter) -> None:
        self._shown = shown
        self._file: TextIO | None = None
        self._lock = threading.Lock()

    def report(self, event: Event) -> None:
        """Show the event and log it."""
        self._shown.report(event)
        if isinstance(event, ItemProgress):
            return
        facts = " ".join(f"{key}={value}" for key, value in asdict(event).items() if value)
        self.write(f"{type(event).__name__} {facts}")

    def write(self, text: str) -> None:
        """Write one line, escaped and without secrets, if a log is open."""
        with self._lock:
            if self._file:
                now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                self._file.write(f"{now} {redact_secrets(escape_text(text))}\n")
                self._file.flush()

    @contextmanager
    def log_to(self, path: Path) -> Iterator[None]:
        """Log to a fresh file at ``path`` until the block ends; an error is its last line."""
        with storage_errors(path):
            file = path.open("w", encoding="utf-8")
        with file:
            self._file = file
            try:
                yield
            except BaseException as error:
                self.write(f"{type(error).__name__} {error}")
                raise
            finally:
                self._file = None
