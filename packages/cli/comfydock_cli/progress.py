"""Reporters of the command line: which one draws is decided by what stderr is."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

from comfydock_core.domain.untrusted import escape_text
from comfydock_core.events import (
    Event,
    ItemFailed,
    ItemFinished,
    ItemProgress,
    ItemStarted,
    Reporter,
    SilentReporter,
    StepFinished,
    StepStarted,
)

from comfydock_cli.measures import duration_text, size_text
from comfydock_cli.output import Output
from comfydock_cli.progress_lines import ProgressLines
from comfydock_cli.screen import Screen

SIGN_OF_LIFE = 30.0


class ClosingReporter(Reporter, Protocol):
    """A reporter that has to be told when the work is over."""

    def close(self) -> None:
        """Take away what is only shown while the work runs."""


def reporter_for(output: Output) -> ClosingReporter:
    """Choose the reporter for the form of the answer and for what stderr can show."""
    if output.form == "json-stream":
        return JsonReporter(output)
    if output.form == "json":
        return QuietReporter()
    if output.side.is_animated:
        return LazyBars(output.side)
    return LineReporter(output.side)


class QuietReporter(SilentReporter):
    """Says nothing: the answer will say it all."""

    def close(self) -> None:
        """Nothing was shown."""


class JsonReporter:
    """One JSON object a line for every event, on stdout."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def report(self, event: Event) -> None:
        """Write ``event`` with its name in ``event``: ``item-finished``."""
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(event).__name__).lower()
        self._output.event({"event": name, **asdict(event)})

    def close(self) -> None:
        """The envelope is the end of the stream."""


class LazyBars:
    """The bars of a terminal, loaded when there is something to draw."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()
        self._bars: ClosingReporter | None = None

    def report(self, event: Event) -> None:
        """Draw ``event``."""
        with self._lock:
            if self._bars is None:
                from comfydock_cli.progress_bars import BarReporter

                self._bars = BarReporter(self._screen)
        self._bars.report(event)

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.close()


@dataclass(kw_only=True, slots=True)
class _Running:
    name: str
    since: float
    last_line: float
    done: int = 0
    total: int | None = None


class LineReporter:
    """For logs and pipes: lasting lines, and every 30 s one for whatever still runs.

    ``clock`` gives seconds; a thread looks at it every second from the first event to ``close``.
    """

    def __init__(
        self, screen: Screen, clock: Callable[[], float] = time.monotonic, look_every: float = 1.0
    ) -> None:
        self._screen = screen
        self._clock = clock
        self._look_every = look_every
        self._lines = ProgressLines()
        self._running: dict[tuple[str, str], _Running] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watch: threading.Thread | None = None

    def report(self, event: Event) -> None:
        """Write the lines of ``event`` and remember what runs."""
        with self._lock:
            self._remember(event)
            for line in self._lines.lines(event):
                self._screen.write_line(line)
            if self._watch is None:
                self._watch = threading.Thread(target=self._look_again, daemon=True)
                self._watch.start()

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()
        if self._watch is not None:
            self._watch.join()

    def _look_again(self) -> None:
        while not self._closed.wait(self._look_every):
            self._show_signs_of_life()

    def _show_signs_of_life(self) -> None:
        now = self._clock()
        with self._lock:
            steps_with_items = {step for step, item in self._running if item}
            for (step, item), running in self._running.items():
                superseded = not item and step in steps_with_items
                if now - running.last_line >= SIGN_OF_LIFE and not superseded:
                    running.last_line = now
                    self._screen.write_line(_sign_of_life(running, now))

    def _remember(self, event: Event) -> None:
        match event:
            case StepStarted():
                self._start(event.step, "", event.title)
            case ItemStarted():
                self._start(event.step, event.item, event.item).total = event.size
            case ItemProgress():
                running = self._running.get((event.step, event.item))
                running = running or self._start(event.step, event.item, event.item)
                running.done = event.done
                running.total = running.total if event.total is None else event.total
            case ItemFinished() | ItemFailed():
                self._running.pop((event.step, event.item), None)
            case StepFinished():
                ended = [key for key in self._running if key[0] == event.step]
                for key in ended:
                    del self._running[key]

    def _start(self, step: str, item: str, name: str) -> _Running:
        now = self._clock()
        running = _Running(name=escape_text(name), since=now, last_line=now)
        self._running[step, item] = running
        return running


def _sign_of_life(running: _Running, now: float) -> str:
    amount = ""
    if running.done:
        of_all = f" of {size_text(running.total)}" if running.total else ""
        amount = f" {size_text(running.done)}{of_all},"
    return f"  • {running.name}...{amount} {duration_text(now - running.since)}"
