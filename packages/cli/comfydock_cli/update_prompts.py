"""The questions of an update and a rollback, answered from a terminal or by flags."""

from __future__ import annotations

from comfydock_core.domain.untrusted import escape_text
from comfydock_core.domain.update import ConflictChoice, UpdatePlan

from comfydock_cli.context import Context
from comfydock_cli.update_screens import change_lines

CONFLICT_FLAG = "--workflows-conflict keep|take"


class TerminalChange:
    """Shows each screen on stderr and asks where a person is; ``--yes`` keeps the user's."""

    def __init__(self, context: Context) -> None:
        self._terminal = context.terminal
        self._screen = context.output.side

    def choose_workflow(self, name: str) -> ConflictChoice | None:
        """Ask about one workflow that both sides changed."""
        shown = escape_text(name)
        answer = self._terminal.choose(
            [
                f"Workflow {shown} was changed by you and in the bundle:",
                "  [k] Keep mine",
                f"  [t] Take theirs (mine is kept as {shown}.mine.json)",
                "  [c] Cancel",
            ],
            {"k": "keep", "t": "take", "c": "cancel"},
            default="k",
            flag=CONFLICT_FLAG,
        )
        choices: dict[str, ConflictChoice] = {"k": "keep", "t": "take"}
        return choices.get(answer)

    def confirm_change(self, plan: UpdatePlan) -> bool:
        """Show the plan; a yes executes it."""
        self._screen.write_line("\n".join([*change_lines(plan), ""]))
        word = "Update" if plan.kind == "update" else "Roll back"
        answer = self._terminal.choose(
            [f"[Y] {word}  [c] Cancel"],
            {"Y": "go on", "c": "cancel"},
            default="Y",
            flag="--yes",
        )
        return answer == "y"
