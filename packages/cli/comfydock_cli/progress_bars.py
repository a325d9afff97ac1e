"""The bars of a terminal: one line a step while it runs, above it the lines that stay."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from comfydock_core.domain.untrusted import escape_text
from comfydock_core.events import (
    Event,
    ItemFailed,
    ItemFinished,
    ItemProgress,
    ItemStarted,
    StepFinished,
    StepStarted,
)
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from comfydock_cli.measures import duration_text, size_text
from comfydock_cli.progress_lines import ProgressLines
from comfydock_cli.screen import Screen


@dataclass(kw_only=True, slots=True)
class _Amount:
    """How far a step is: in bytes once an item has a size, otherwise in things done."""

    task: TaskID
    count: int
    finished: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return sum(self.arrived.values()) if self.sizes else self.finished

    @property
    def total(self) -> int | None:
        """None draws a bar without an end."""
        return (sum(self.sizes.values()) if self.sizes else self.count) or None

    def take(self, event: ItemStarted | ItemProgress | ItemFinished | ItemFailed) -> None:
        """Count ``event``."""
        match event:
            case ItemStarted(size=int(size)):
                self.sizes[event.item] = size
                self.arrived[event.item] = 0
            case ItemProgress():
                self.arrived[event.item] = event.done
                if event.total is not None:
                    self.sizes[event.item] = event.total
            case ItemFinished() | ItemFailed():
                self.finished += 1
                if event.item in self.sizes:
                    self.arrived[event.item] = self.sizes[event.item]


class _AmountColumn(ProgressColumn):
    """``3.1 GB of 6.3 GB  85.0 MB/s  38 s left``, or ``2 of 7``; the rest by measured speed."""

    def render(self, task: Task) -> Text:
        done, total = int(task.completed), int(task.total or 0)
        if not task.fields["in_bytes"]:
            return Text(f"{done} of {total}" if total else "")
        parts = [f"{size_text(done)} of {size_text(total)}"]
        if task.speed:
            parts.append(f"{size_text(int(task.speed))}/s")
        if task.time_remaining is not None:
            parts.append(f"{duration_text(task.time_remaining)} left")
        return Text("  ".join(parts))


class BarReporter:
    """Draws with rich; every lasting line passes the screen's own rendering first."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lines = ProgressLines()
        self._steps: dict[str, _Amount] = {}
        self._lock = threading.Lock()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _AmountColumn(),
            console=Console(
                file=screen.stream,
                force_terminal=True,
                no_color=not screen.has_colour,
                highlight=False,
                emoji=False,
            ),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def report(self, event: Event) -> None:
        """Add the lines of ``event`` above the bars and move its step's bar."""
        with self._lock:
            for line in self._lines.lines(event):
                text = Text.from_ansi(self._screen.render(line))
                self._bars.console.print(text, soft_wrap=True)
            self._move(event)

    def close(self) -> None:
        """Take the bars away, also those that Ctrl-C kept from being drawn whole."""
        with self._lock:
            try:
                self._bars.stop()
            except IndexError:
                # rich takes back what it has not put there yet when its start was cut short.
                self._bars.console.show_cursor(True)

    def _move(self, event: Event) -> None:
        match event:
            case StepStarted():
                self._begin(event.step, event.title, event.count)
            case ItemStarted() | ItemProgress() | ItemFinished() | ItemFailed():
                amount = self._steps.get(event.step) or self._begin(event.step, event.step, 0)
                amount.take(event)
                self._bars.update(
                    amount.task,
                    total=amount.total,
                    completed=amount.done,
                    in_bytes=bool(amount.sizes),
                )
            case StepFinished():
                ended = self._steps.pop(event.step, None)
                if ended:
                    self._bars.remove_task(ended.task)
                if not self._steps:
                    self._bars.stop()

    def _begin(self, step: str, title: str, count: int) -> _Amount:
        name = self._screen.render(escape_text(title))
        task = self._bars.add_task(f"  {name}", total=count or None, in_bytes=False)
        self._steps[step] = _Amount(task=task, count=count)
        self._bars.start()
        return self._steps[step]
