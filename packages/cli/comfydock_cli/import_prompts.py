"""The questions of an import, answered from a terminal or by its flags."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comfydock_core.domain.acquisition import ImportPlan, ModelAggregate, NodeAction
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.plan_text import write_plan
from comfydock_core.domain.untrusted import escape_part, escape_text
from comfydock_core.errors import UsageError
from comfydock_core.importing.plan import consent_needed
from comfydock_core.interaction import (
    AfterFailures,
    ImportNodeContext,
    ModelChoice,
    PlanRevision,
)

from comfydock_cli.context import Context
from comfydock_cli.import_model_prompts import InteractiveAcquisition
from comfydock_cli.import_model_screens import (
    list_lines,
    lookalike_lines,
    overview_lines,
    strategy_lines,
)
from comfydock_cli.import_node_screens import node_lines
from comfydock_cli.import_plan_screens import consent_lines, plan_lines
from comfydock_cli.import_screens import summary_lines
from comfydock_cli.measures import counted, size_text
from comfydock_cli.plan_editing import EditorError, edit_text, save_plan

STRATEGIES: dict[str, ModelChoice] = {
    "a": "all",
    "r": "required",
    "f": "flexible",
    "c": "custom",
}
_NODE_FLAGS = "--yes, --skip-node NAME or --skip-nodes"
_WITHOUT_NODE = "  ⚠ Workflows requiring this node may not function properly"
_AFTER_FAILURES: dict[str, AfterFailures] = {"r": "retry", "s": "skip", "q": "quit"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportAnswers:
    """What flags say to questions of an import; empty asks.

    ``save_plan`` is where the confirmed plan is written to.
    """

    existing: Literal["use", "download", ""] = ""
    on_failure: AfterFailures | Literal[""] = ""
    save_plan: Path | None = None


class TerminalImport(InteractiveAcquisition):
    """Shows each screen on stderr and asks where a person is; ``--yes`` takes the defaults."""

    def __init__(self, context: Context, answers: ImportAnswers) -> None:
        super().__init__(context)
        self._environment = context.environment
        self._answers = answers
        self._retried = False
        self._failed_before = 0
        self._all_existing = False

    def confirm_summary(self, summary: ImportSummary) -> bool:
        """Show what the bundle holds; planning goes on after a yes."""
        self._show(summary_lines(summary))
        answer = self._terminal.choose(
            ["[Y] Continue  [c] Cancel"],
            {"Y": "continue", "c": "cancel"},
            default="Y",
            flag="--yes",
        )
        return answer == "y"

    def choose_nodes(self, context: ImportNodeContext) -> Mapping[str, NodeAction] | None:
        """Show the nodes; all are installed, or each is asked about."""
        self._show(node_lines(context))
        answer = self._terminal.choose(
            [
                "Choose node installation strategy:",
                "  [a] Install all (recommended)",
                "  [i] Choose interactively",
                "",
            ],
            {"a": "install all", "i": "choose"},
            default="a",
            flag=_NODE_FLAGS,
            unlisted={"q": "quit"},
        )
        if answer == "q":
            return None
        actions: dict[str, NodeAction] = {}
        for node in context.all_nodes:
            if answer == "i" and node.source != "development":
                actions[node.name] = self._ask_about_node(node.name)
        return actions

    def _ask_about_node(self, name: str) -> NodeAction:
        wanted = self._terminal.confirm(
            f"\nInstall '{escape_text(name)}'?", default=True, flag=_NODE_FLAGS
        )
        if not wanted:
            self._show([_WITHOUT_NODE])
        return "install" if wanted else "skip"

    def use_existing(self, model: ModelAggregate, here: ModelWithLocation) -> bool | None:
        """Ask whether what only looks alike is taken; one answer can be for all that follow."""
        if self._answers.existing or self._all_existing:
            return self._all_existing or self._answers.existing == "use"
        answer = self._terminal.choose(
            lookalike_lines(model, here),
            {"Y": "use existing", "d": "download"},
            default="Y",
            flag="--existing use|download",
            unlisted={"a": "use all such files", "q": "quit"},
        )
        self._all_existing = answer == "a"
        return None if answer == "q" else answer in ("y", "a")

    def choose_models(self, summary: ImportSummary, local: LocalModels) -> ModelChoice | None:
        """Show the overview and what each choice would download."""
        self._show(["", *overview_lines(summary, local)])
        while True:
            answer = self._terminal.choose(
                [*strategy_lines(summary, local), ""],
                {
                    "a": "all",
                    "r": "required only",
                    "f": "required and flexible",
                    "c": "custom",
                    "q": "quit",
                },
                default="a",
                flag="--models all|required|flexible|skip",
                unlisted={"v": "view the list"},
            )
            if answer != "v":
                return STRATEGIES.get(answer)
            self._show(list_lines(summary.aggregates.values()))

    def confirm_plan(self, plan: ImportPlan, revision: PlanRevision) -> ImportPlan | None:
        """Show the plan with all code it brings; a yes executes it, as it was changed.

        A plan that cannot be executed here stays open, so that no answer is lost.
        """
        lines = plan_lines(plan)
        while True:
            self._show(["", *lines, ""])
            answer = self._ask_about_plan(plan, revision, lines)
            if answer == "c":
                return None
            if answer == "y":
                if self._answers.save_plan:
                    save_plan(plan, self._answers.save_plan)
                return plan
            if answer == "v":
                lines = plan_lines(plan, sys.maxsize)
                continue
            plan = self._revised(answer, plan, revision)
            lines = plan_lines(plan)

    def _ask_about_plan(
        self, plan: ImportPlan, revision: PlanRevision, shown: Sequence[str]
    ) -> str:
        offered = {"n": "Choose nodes"} if revision.has_nodes else {}
        offered |= {"m": "Choose models"} if revision.has_models else {}
        offered |= {"v": "View all"} if shown != plan_lines(plan, sys.maxsize) else {}
        # Without a person the service refuses what cannot be done.
        stuck = plan.preflight.blocking if not self._terminal.yes else ()
        first = {"r": "Look again"} if stuck else {"Y": "Execute plan"}
        choices = {**first, "e": "Edit plan", **offered, "c": "Cancel"}
        question = "  ".join(f"[{letter}] {meaning}" for letter, meaning in choices.items())
        return self._terminal.choose(
            [
                *consent_lines(plan, shown),
                *(f"✗ Cannot be executed here: {escape_part(each.sentence)}" for each in stuck),
                question,
            ],
            choices,
            default=next(iter(first)),
            flag="--yes --trust-code" if consent_needed(plan) else "--yes",
        )

    def _revised(self, answer: str, plan: ImportPlan, revision: PlanRevision) -> ImportPlan:
        if answer == "r":
            return revision.look_again()
        if answer == "n":
            return revision.choose_nodes()
        return revision.choose_models() if answer == "m" else self._edited(plan, revision)

    def _edited(self, plan: ImportPlan, revision: PlanRevision) -> ImportPlan:
        """Open the plan in an editor until it can be followed; what is given up changes nothing."""
        text = write_plan(plan, size_text)
        while True:
            try:
                text = edit_text(text, self._environment)
                return revision.from_text(text)
            except EditorError as error:
                self._show(_problem_lines(error.sentence, error.cause, error.hint))
                return plan
            except UsageError as error:
                self._show(_problem_lines(error.sentence, error.cause, error.hint))
            again = self._terminal.confirm("Edit it again?", default=True, flag="--plan FILE")
            if not again:
                return plan

    def after_failures(self, failed: Mapping[str, str]) -> AfterFailures:
        """Ask what becomes of failed downloads; nobody there goes on without them.

        The flag's ``retry`` tries once more. To try again is proposed as long as it helps.
        """
        flag = self._answers.on_failure
        if flag == "retry" and self._retried:
            flag = "skip"
        self._retried = True
        if flag or self._terminal.yes or not self._terminal.interactive:
            return flag or "skip"
        helps = not self._failed_before or len(failed) < self._failed_before
        self._failed_before = len(failed)
        self._show(["", f"⚠️  {counted(len(failed), 'download')} failed"])
        answer = self._terminal.choose(
            [
                "",
                "Options:",
                "  [r] Retry failed downloads",
                "  [s] Skip failed and continue",
                "  [q] Quit import",
                "",
            ],
            {"r": "retry", "s": "skip", "q": "quit"},
            default="r" if helps else "s",
            flag="--on-failure skip|retry|quit",
        )
        return _AFTER_FAILURES[answer]

    def _show(self, lines: list[str]) -> None:
        self._screen.write_line("\n".join(lines))


def _problem_lines(sentence: str, cause: str, hint: str) -> list[str]:
    lines = [f"✗ {escape_text(sentence)}"]
    lines += [f"  {escape_text(cause)}"] if cause else []
    return [*lines, f"  {escape_text(hint)}"] if hint else lines
