"""Resolving at a terminal: what is open is asked about, one thing after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from comfydock_core.domain.criticality import MEANING
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.names import url_problem
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.interaction import ModelAnswer, NodeAnswer
from comfydock_core.resolution.nodes import NodeResolution
from comfydock_core.resolution.workflow_analysis import AnalysedModel

from comfydock_cli.context import Context
from comfydock_cli.measures import counted, size_text

_FLAG = "--yes or --no-interactive"
_SHOWN = 9


class InteractiveModelStrategy:
    """Asks about one model: pick a similar one, search, enter a URL, mark optional, skip."""

    def __init__(self, context: Context) -> None:
        self._terminal = context.terminal
        self._screen = context.output.side

    def resolve_model(
        self, model: AnalysedModel, search: Callable[[str], Sequence[ModelWithLocation]]
    ) -> ModelAnswer | None:
        """Ask until there is an answer; a search shows what it found and asks again."""
        offered = [candidate.model for candidate in model.resolutions[0].candidates]
        reasons = [candidate.reason for candidate in model.resolutions[0].candidates]
        self._screen.write_line("\n".join(self._about(model)))
        while True:
            answer = self._ask(offered[:_SHOWN], reasons, model.entry.sources[:1])
            if answer != "f":
                break
            text = self._terminal.ask_text("   Search for:", flag=_FLAG)
            offered, reasons = list(search(text)) if text else [], []
            self._screen.write_line(f"   {counted(len(offered), 'model')} found")
        if answer.isdigit():
            return ModelAnswer(action="pick", model=offered[int(answer) - 1])
        if answer == "d":
            return ModelAnswer(action="url", url=model.entry.sources[0])
        if answer == "u":
            return self._url()
        return {
            "o": ModelAnswer(action="optional"),
            "s": ModelAnswer(action="skip"),
        }.get(answer)

    def _about(self, model: AnalysedModel) -> list[str]:
        entry = model.entry
        asked_by = ", ".join(
            f"{escape_text(place.node_type)} #{escape_text(place.node_id)}" for place in entry.nodes
        )
        return [
            "",
            f"📦 {escape_text(entry.filename)}",
            f"   Category: {entry.category or 'unknown'}",
            f"   Criticality: {entry.criticality.upper()} - {MEANING[entry.criticality]}",
            f"   Asked for by: {asked_by}",
            f"   {model.resolutions[0].state}: {model.resolutions[0].reason}",
        ]

    def _ask(
        self,
        offered: Sequence[ModelWithLocation],
        reasons: Sequence[str],
        sources: Sequence[str],
    ) -> str:
        lines = []
        for number, model in enumerate(offered, start=1):
            why = f", {reasons[number - 1]}" if number <= len(reasons) else ""
            path = escape_text(model.relative_path)
            lines.append(f"   [{number}] {path} ({size_text(model.size)}{why})")
        lines += [f"   [d] Download {escape_text(url)}" for url in sources]
        lines += ["", "   [f] Search  [u] Enter URL  [o] Mark optional  [s] Skip  [q] Quit"]
        choices = {str(number): "take it" for number in range(1, len(offered) + 1)}
        choices |= dict.fromkeys("d" * len(sources), "download")
        choices |= {"f": "search", "u": "enter URL", "o": "optional", "s": "skip", "q": "quit"}
        default = "d" if sources else "s"
        return self._terminal.choose(lines, choices, default=default, flag=_FLAG)

    def _url(self) -> ModelAnswer:
        while True:
            url = self._terminal.ask_text("   Enter download URL:", flag=_FLAG)
            if not url:
                return ModelAnswer(action="skip")
            problem = url_problem(url)
            if not problem:
                return ModelAnswer(action="url", url=url)
            self._screen.write_line(f"   {escape_text(url)} {problem}")


class KnownSources:
    """Answers for nobody: what has a known address is fetched, everything else stays open."""

    def resolve_model(
        self, model: AnalysedModel, search: Callable[[str], Sequence[ModelWithLocation]]
    ) -> ModelAnswer | None:
        """Take the first address."""
        url = next(iter(model.entry.sources), "")
        return ModelAnswer(action="url", url=url) if url else ModelAnswer(action="skip")


class InteractiveNodeStrategy:
    """Asks about one node class: which pack to install, leave it out, or skip."""

    def __init__(self, context: Context) -> None:
        self._terminal = context.terminal
        self._screen = context.output.side

    def resolve_node(self, node: NodeResolution, suggestions: Sequence[str]) -> NodeAnswer | None:
        """Ask with the evidence in sight; installing somebody's code is never the default."""
        evidence = "; ".join(node.evidence) or "nothing is known of it"
        offered = list(suggestions[:_SHOWN])
        lines = [
            "",
            f"📦 Node class {escape_text(node.node_type)} (used {len(node.nodes)} times)",
            f"   {escape_text(evidence)}",
            *(f"   [{n}] Install {escape_text(pack)}" for n, pack in enumerate(offered, start=1)),
            "",
            "   [i] Enter ID or URL  [x] Leave it out for good  [s] Skip  [q] Quit",
        ]
        choices = {str(number): "install it" for number in range(1, len(offered) + 1)}
        choices |= {"i": "enter", "x": "leave out", "s": "skip", "q": "quit"}
        answer = self._terminal.choose(lines, choices, default="s", flag=_FLAG)
        if answer.isdigit():
            return NodeAnswer(action="install", pack=offered[int(answer) - 1])
        if answer == "i":
            pack = self._terminal.ask_text("   Registry ID or git URL:", flag=_FLAG)
            return NodeAnswer(action="install", pack=pack) if pack else NodeAnswer(action="skip")
        return {
            "x": NodeAnswer(action="leave-out"),
            "s": NodeAnswer(action="skip"),
        }.get(answer)
