"""Asking about one model of an import: download, substitute, skip, or where to have it."""

from __future__ import annotations

from collections.abc import Sequence

from comfydock_core.domain.acquisition import ModelAcquisitionDecision
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.manifest import ManifestWorkflowModel
from comfydock_core.domain.source_urls import typed_url_problem
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.interaction import ImportModelContext
from comfydock_core.resolution.substitutes import Substitute, can_stand_in

from comfydock_cli.context import Context
from comfydock_cli.import_model_screens import model_lines, substitute_lines
from comfydock_cli.measures import counted

_FLAG = "--models, --substitute, --skip-model or --model-url"
_SHOWN = 9


class InteractiveAcquisition:
    """Asks about one model after the other, each with its full context."""

    def __init__(self, context: Context) -> None:
        self._terminal = context.terminal
        self._screen = context.output.side

    def acquire_model(
        self,
        model: ManifestWorkflowModel,
        criticality: Criticality,
        workflows_using: Sequence[str],
        context: ImportModelContext,
    ) -> ModelAcquisitionDecision | None:
        """Ask until there is a decision; None quits."""
        self._screen.write_line("\n".join(model_lines(context, criticality)))
        while True:
            answer = self._ask(has_source=bool(model.sources))
            if answer == "q":
                return None
            if answer == "x":
                return ModelAcquisitionDecision(model=model, action="skip")
            if answer == "y":
                return ModelAcquisitionDecision(model=model, action="download")
            wanted = self._url(model) if answer == "u" else self._substitute(model, context)
            if wanted:
                return wanted

    def _ask(self, *, has_source: bool) -> str:
        if has_source:
            lines = ["   [Y] Download  [s] Substitute  [x] Skip"]
            choices = {"Y": "download", "s": "substitute", "x": "skip"}
            unlisted = {"u": "enter URL", "q": "quit"}
        else:
            lines = ["   [s] Substitute  [x] Skip  [u] Enter URL"]
            choices = {"s": "substitute", "x": "skip", "u": "enter URL"}
            unlisted = {"q": "quit"}
        default = next(iter(choices))
        return self._terminal.choose(lines, choices, default=default, flag=_FLAG, unlisted=unlisted)

    def _url(self, model: ManifestWorkflowModel) -> ModelAcquisitionDecision | None:
        while True:
            url = self._terminal.ask_text("   Enter download URL (Enter alone: back):", flag=_FLAG)
            if not url:
                return None
            problem = typed_url_problem(url)
            if not problem:
                return ModelAcquisitionDecision(model=model, action="download", source_url=url)
            self._screen.write_line(f"   {escape_text(url)} {problem}")

    def _substitute(
        self, model: ManifestWorkflowModel, context: ImportModelContext
    ) -> ModelAcquisitionDecision | None:
        offered = tuple(context.similar(context.aggregate))[:_SHOWN]
        while True:
            answer = self._pick(offered)
            if answer == "b":
                return None
            if answer.isdigit():
                chosen = offered[int(answer) - 1].model
                return ModelAcquisitionDecision(model=model, action="substitute", substitute=chosen)
            offered = self._found(context)

    def _pick(self, offered: Sequence[Substitute]) -> str:
        choices = {str(number): "take it" for number in range(1, len(offered) + 1)}
        choices |= {"f": "search", "b": "back"}
        default = "1" if offered else "b"
        return self._terminal.choose(
            substitute_lines(offered), choices, default=default, flag=_FLAG
        )

    def _found(self, context: ImportModelContext) -> tuple[Substitute, ...]:
        """Search the library; only what the model's loader can see may be taken."""
        text = self._terminal.ask_text("   Search for:", flag=_FLAG)
        found = context.search(text) if text else ()
        usable = {m.hash: m for m in reversed(found) if can_stand_in(context.aggregate, m)}
        folder = escape_text(context.aggregate.model.category or "unknown")
        self._screen.write_line(
            f"   {counted(len(usable), 'model')} found that the loader of {folder} can see"
        )
        return tuple(Substitute(model=model, reason="found by name") for model in usable.values())[
            :_SHOWN
        ]
