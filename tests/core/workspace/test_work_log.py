from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.events import Event, ItemFailed, ItemProgress, Notice
from comfydock_core.workspace.work_log import LoggingReporter


class Seen:
    """Keeps what it was shown."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        """Keep ``event``."""
        self.events.append(event)


EVENTS: tuple[Event, ...] = (
    Notice(text="two\nlines \x1b[31m \u202e"),
    ItemProgress(step="s", item="i", done=1),
    ItemFailed(step="s", item="https://me:pw@h.org/?token=abc", reason="r"),
)


def test_events_are_shown_and_logged_on_one_harmless_line_each(tmp_path: Path) -> None:
    seen, path = Seen(), tmp_path / "log"
    reporter = LoggingReporter(seen)
    reporter.report(EVENTS[0])
    path.write_text("old", encoding="utf-8")
    with reporter.log_to(path):
        for event in EVENTS:
            reporter.report(event)
    reporter.write("afterwards")
    assert seen.events == [EVENTS[0], *EVENTS]
    first, second = path.read_text(encoding="utf-8").splitlines()
    assert first.endswith(r"Notice text=two\nlines \x1b[31m \u202e")
    assert second.endswith("ItemFailed step=s item=https://***@h.org/?token=*** reason=r")


def test_an_error_is_the_last_line_and_goes_on(tmp_path: Path) -> None:
    reporter = LoggingReporter(Seen())
    with pytest.raises(StorageError, match="full"), reporter.log_to(tmp_path / "log"):
        raise StorageError("full")
    assert (tmp_path / "log").read_text(encoding="utf-8").endswith(" StorageError full\n")


def test_a_log_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError), LoggingReporter(Seen()).log_to(tmp_path):
        pass
