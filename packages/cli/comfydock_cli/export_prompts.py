"""The questions of an export, answered from a terminal or by its flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from comfydock_core.domain.exporting import ExportValidation
from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.secret_findings import Finding
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.interaction import ModelAnswer, NodeAnswer
from comfydock_core.resolution.nodes import NodeResolution
from comfydock_core.resolution.workflow_analysis import AnalysedModel

from comfydock_cli.context import Context
from comfydock_cli.export_screens import (
    finding_lines,
    hashing_lines,
    settled_line,
    source_lines,
    validation_lines,
)
from comfydock_cli.measures import size_text
from comfydock_cli.resolve_prompts import InteractiveModelStrategy, InteractiveNodeStrategy


class TerminalExport:
    """Shows each screen on stderr; asks where a person is, and elsewhere does what flags say."""

    def __init__(self, context: Context, *, skip_hashes: bool = False) -> None:
        self._terminal = context.terminal
        self._screen = context.output.side
        self._skip_hashes = skip_hashes
        self._shown = False
        self._models = InteractiveModelStrategy(context)
        self._nodes = InteractiveNodeStrategy(context)

    @property
    def _person(self) -> bool:
        return self._terminal.interactive and not self._terminal.yes

    def show_validation(self, validation: ExportValidation) -> None:
        """Draw the validation summary; where all is settled the second time, a line says so."""
        again, self._shown = self._shown, True
        if again and not validation.issues:
            self._screen.write_line(settled_line(validation))
            return
        lines = validation_lines(validation)
        self._screen.write_line("\n".join(["", *lines] if again else lines))

    def confirm_resolution(self, validation: ExportValidation) -> bool | None:
        """Ask what to do about what is open."""
        if not self._person:
            return None
        answer = self._terminal.choose(
            ["", "Options:", "  [r] Resolve issues interactively", "  [c] Cancel export"],
            {"r": "resolve", "c": "cancel"},
            default="r",
            flag="--allow-issues",
        )
        return answer == "r"

    def resolve_model(
        self, model: AnalysedModel, search: Callable[[str], Sequence[ModelWithLocation]]
    ) -> ModelAnswer | None:
        """Ask as ``workflow resolve`` does."""
        return self._models.resolve_model(model, search)

    def resolve_node(self, node: NodeResolution, suggestions: Sequence[str]) -> NodeAnswer | None:
        """Ask as ``workflow resolve`` does."""
        return self._nodes.resolve_node(node, suggestions)

    def confirm_hashing(self, lacking: Sequence[ManifestModel], seconds: float) -> bool:
        """Ask whether digests are computed; without a person they are, unless a flag says no."""
        if self._skip_hashes or not self._person:
            return not self._skip_hashes
        answer = self._terminal.choose(
            ["", *hashing_lines(lacking, seconds)],
            {"Y": "calculate", "s": "skip"},
            default="Y",
            flag="--skip-hashes",
        )
        return answer == "y"

    def enter_source(self, model: ManifestModel, problem: str) -> str | None:
        """Ask for an address; Enter alone leaves it unknown."""
        if not self._person:
            return None
        if problem:
            self._screen.write_line(f"   ✗ {escape_text(problem)}")
        else:
            answer = self._terminal.choose(
                source_lines(model),
                {"u": "enter URL", "s": "skip"},
                default="u",
                flag="comfydock model add-source",
            )
            if answer == "s":
                return ""
        return self._terminal.ask_text(
            "   Enter download URL (Enter alone skips):", flag="comfydock model add-source"
        )

    def accept_findings(self, findings: Sequence[Finding]) -> bool | None:
        """Show the secrets, masked; letting them travel is never the default."""
        if not self._person:
            return None
        self._screen.write_line("\n".join(finding_lines(findings)))
        return self._terminal.confirm(
            "   Let them travel?", default=False, flag="--accept-finding ID"
        )

    def confirm_bundle(self, size: int) -> bool:
        """Ask before the bundle is written; writing a file of a few MB needs no consent."""
        self._screen.write_line(f"\n📦 Bundle size estimate: {size_text(size)}")
        if not self._terminal.interactive:
            return True
        answer = self._terminal.confirm("   Continue?", default=True, flag="--yes")
        self._screen.write_line("")
        return answer
