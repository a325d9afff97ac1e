"""The questions of an import and an export, answered from a terminal or by its flags."""

from __future__ import annotations

from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.interaction import ModelStrategy

from comfydock_cli.context import Context
from comfydock_cli.import_screens import overview_lines, plan_lines, strategy_lines, summary_lines
from comfydock_cli.measures import size_text

_STRATEGIES: dict[str, ModelStrategy] = {"a": "all", "r": "required", "f": "flexible"}


class TerminalImport:
    """Shows each screen on stderr and asks where a person is; ``--yes`` takes the defaults."""

    def __init__(self, context: Context) -> None:
        self._terminal = context.terminal
        self._screen = context.output.side

    def confirm_summary(self, summary: ImportSummary) -> bool:
        """Show what the bundle holds; planning goes on after a yes."""
        self._screen.write_line("\n".join(summary_lines(summary)))
        answer = self._terminal.choose(
            ["[Y] Continue  [c] Cancel"],
            {"Y": "continue", "c": "cancel"},
            default="Y",
            flag="--yes",
        )
        return answer == "y"

    def choose_models(self, summary: ImportSummary, local: LocalModels) -> ModelStrategy | None:
        """Show the overview; ask only if there is something to decide."""
        if not summary.aggregates:
            return "all"
        self._screen.write_line("\n".join(["", *overview_lines(summary, local)]))
        known = local.verified.keys() | local.probable.keys()
        if not any(a.sources for key, a in summary.aggregates.items() if key not in known):
            return "all"
        answer = self._terminal.choose(
            strategy_lines(summary, local),
            {"a": "all", "r": "required only", "f": "required and flexible", "q": "quit"},
            default="a",
            flag="--models all|required|flexible|skip",
        )
        return _STRATEGIES.get(answer)

    def confirm_plan(self, plan: ImportPlan) -> bool:
        """Show the plan with all code it brings; a yes executes it."""
        self._screen.write_line("\n".join(["", *plan_lines(plan), ""]))
        answer = self._terminal.choose(
            ["[Y] Execute plan  [c] Cancel"],
            {"Y": "execute", "c": "cancel"},
            default="Y",
            flag="--yes",
        )
        return answer == "y"


class TerminalExport:
    """Shows the estimated size; asks where a person is, and writes without asking elsewhere."""

    def __init__(self, context: Context) -> None:
        self._terminal = context.terminal
        self._screen = context.output.side

    def confirm_bundle(self, size: int) -> bool:
        """Ask before the bundle is written; writing a file of a few MB needs no consent."""
        self._screen.write_line(f"\n📦 Bundle size estimate: {size_text(size)}")
        if not self._terminal.interactive:
            return True
        return self._terminal.confirm("   Continue?", default=True, flag="--yes")
