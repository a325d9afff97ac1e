"""Progress as values: the core reports what happens, a front end draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStarted:
    """A stage of the work begins, e.g. ``nodes`` or ``models``; ``count`` things will be done.

    ``size`` is what they are together in bytes, where that is known of each of them.
    """

    step: str
    title: str
    count: int = 0
    size: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemStarted:
    """One thing of a step begins; ``size`` in bytes where it is known."""

    step: str
    item: str
    size: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemProgress:
    """``done`` of ``total`` bytes of an item have arrived or been read."""

    step: str
    item: str
    done: int
    total: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemFinished:
    """One thing is done; ``detail`` says how (``cached``, ``downloaded 4.2 MB``)."""

    step: str
    item: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemFailed:
    """One thing failed; the work goes on and the result will say so."""

    step: str
    item: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished:
    """A stage is over."""

    step: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something the user should know that is no failure."""

    text: str
    hint: str = ""


Event = StepStarted | ItemStarted | ItemProgress | ItemFinished | ItemFailed | StepFinished | Notice


class Reporter(Protocol):
    """Receives the events of one piece of work, possibly from several threads."""

    def report(self, event: Event) -> None: ...


class SilentReporter:
    """Drops every event."""

    def report(self, event: Event) -> None:
        """Do nothing with ``event``."""
