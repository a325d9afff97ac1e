"""The lasting lines of a piece of work: events in, the specification's screens out."""

from __future__ import annotations

from dataclasses import dataclass, field

from comfydock_core.domain.untrusted import escape_text
from comfydock_core.events import (
    Event,
    ItemFailed,
    ItemFinished,
    ItemStarted,
    Notice,
    StepFinished,
    StepStarted,
)

from comfydock_cli.measures import size_text

_PICTURES = {
    "nodes": "📦 ",
    "python": "📦 ",
    "models": "📥 ",
    "substitutions": "🔄 ",
    "workflows": "🔧 ",
    "finish": "📋 ",
    "verification": "🔍 ",
}
_VERBS = {"nodes": "Installing "}
# A library has thousands of files: their names are no news, their number is.
_SUMMARY_ONLY = frozenset({"index"})


@dataclass(kw_only=True, slots=True)
class _Step:
    title: str
    count: int = 0
    done: int = 0
    failed: int = 0
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> str:
        finished = self.done + self.failed
        return f"[{finished}/{self.count}]" if self.count else f"[{finished}]"


class ProgressLines:
    """Turns each event into the lines that stay; not thread-safe, its reporter is.

    An item with a size is drawn as ``[1/4] name (4.2 GB)`` and a line below, another one as
    ``  • name... ✓``. A step ends in one summary line.
    """

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}

    def lines(self, event: Event) -> tuple[str, ...]:
        """Return the lines that ``event`` adds, in order; often none."""
        match event:
            case StepStarted():
                return self._step_started(event)
            case ItemStarted():
                if event.size is not None:
                    self._step(event.step).sizes[event.item] = event.size
            case ItemFinished() if event.step not in _SUMMARY_ONLY:
                self._step(event.step).done += 1
                return self._item(event, event.detail)
            case ItemFailed():
                self._step(event.step).failed += 1
                return self._item(event, event.reason)
            case StepFinished():
                return self._step_finished(event)
            case Notice():
                hint = (f"  {escape_text(event.hint)}",) if event.hint else ()
                return (f"⚠ {escape_text(event.text)}", *hint)
        return ()

    def _step(self, name: str) -> _Step:
        return self._steps.setdefault(name, _Step(title=name))

    def _step_started(self, event: StepStarted) -> tuple[str, ...]:
        title = escape_text(event.title)
        self._steps[event.step] = _Step(title=title, count=event.count)
        lines = ("", f"{_PICTURES.get(event.step, '')}{title}...")
        return (*lines, "") if event.count else lines

    def _item(self, event: ItemFinished | ItemFailed, detail: str) -> tuple[str, ...]:
        step = self._step(event.step)
        failed = isinstance(event, ItemFailed)
        mark = "✗" if failed else "✓"
        item, detail = escape_text(event.item), escape_text(detail)
        size = step.sizes.get(event.item)
        if size is None:
            end = f" ({detail})" if detail else ""
            return (f"  • {_VERBS.get(event.step, '')}{item}... {mark}{end}",)
        outcome = f"Failed: {detail}" if failed else detail or "Complete"
        return (f"{step.place} {item} ({size_text(size)})", f"  {mark} {outcome}", "")

    def _step_finished(self, event: StepFinished) -> tuple[str, ...]:
        step = self._steps.pop(event.step, _Step(title=event.step))
        detail = escape_text(event.detail)
        if not step.done and not step.failed:
            return (f"  ✓ {detail or 'Complete'}",)
        summary = detail or f"{step.title}: {step.done} of {max(step.count, step.done)}"
        blank = () if step.sizes else ("",)
        return (*blank, f"{'⚠' if step.failed else '✅'} {summary}")
