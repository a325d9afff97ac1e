"""What the core may ask, and the answers of nobody.

A terminal, ``--yes`` policies, a saved plan and later a web page implement these Protocols. An
answer of None or False means: stop here, nothing was done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from comfydock_core.domain.acquisition import (
    ImportPlan,
)
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.resolution.nodes import NodeResolution
from comfydock_core.resolution.workflow_analysis import AnalysedModel

ModelStrategy = Literal["all", "required", "flexible", "skip"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAnswer:
    """What to do about a model that a workflow asks for and that is not here.

    ``pick`` takes ``model`` instead, ``url`` fetches it from ``url``, ``optional`` lets the
    workflow be without it, ``skip`` leaves it open.
    """

    action: Literal["pick", "url", "optional", "skip"]
    model: ModelWithLocation | None = None
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeAnswer:
    """What to do about a node class that is not here.

    ``install`` adds ``pack`` (a registry id or an address), ``leave-out`` records for the whole
    environment that it is missing on purpose, ``skip`` leaves it open.
    """

    action: Literal["install", "leave-out", "skip"]
    pack: str = ""


class ModelResolutionStrategy(Protocol):
    """Answers for models that a workflow asks for; None quits."""

    def resolve_model(
        self, model: AnalysedModel, search: Callable[[str], Sequence[ModelWithLocation]]
    ) -> ModelAnswer | None:
        """Decide about ``model``; ``search`` finds models of the library by text."""


class NodeResolutionStrategy(Protocol):
    """Answers for node classes that a workflow uses; asked once for each class. None quits."""

    def resolve_node(self, node: NodeResolution, suggestions: Sequence[str]) -> NodeAnswer | None:
        """Decide about ``node``; ``suggestions`` are packs that may have it, best first."""


class ImportInteraction(Protocol):
    """The questions of an import, in their order."""

    def confirm_summary(self, summary: ImportSummary) -> bool:
        """Show what the bundle holds and which hosts planning will ask."""

    def choose_models(self, summary: ImportSummary, local: LocalModels) -> ModelStrategy | None:
        """Choose what is downloaded of the models that are not here."""

    def confirm_plan(self, plan: ImportPlan) -> bool:
        """Show the plan with its code origins; True executes it."""


class ExportInteraction(Protocol):
    """The questions of an export."""

    def confirm_bundle(self, size: int) -> bool:
        """Show the estimated size in bytes; True writes the bundle."""


class Unattended:
    """Answers every question as ``--yes`` without a person: the defaults.

    It does not consent to code that a bundle carries; ``ImportPlan.code`` is checked by the
    service against ``trust_code``.
    """

    def confirm_summary(self, summary: ImportSummary) -> bool:
        """Go on."""
        return bool(summary)

    def choose_models(self, summary: ImportSummary, local: LocalModels) -> ModelStrategy | None:
        """Download everything that is not here."""
        return "all"

    def confirm_plan(self, plan: ImportPlan) -> bool:
        """Execute it."""
        return bool(plan)

    def confirm_bundle(self, size: int) -> bool:
        """Write it."""
        return size >= 0
