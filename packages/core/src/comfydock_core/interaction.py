"""What the core may ask, and the answers of nobody.

A terminal, ``--yes`` policies, a saved plan and later a web page implement these Protocols. An
answer of None or False means: stop here, nothing was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from comfydock_core.domain.acquisition import (
    CodeOrigin,
    ImportPlan,
    ModelAcquisitionDecision,
    ModelAction,
    ModelAggregate,
    NodeAction,
)
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.exporting import ExportValidation
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.manifest import ManifestModel, ManifestWorkflowModel, NodeInfo
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.secret_findings import Finding
from comfydock_core.resolution.nodes import NodeResolution
from comfydock_core.resolution.substitutes import Substitute
from comfydock_core.resolution.workflow_analysis import AnalysedModel

ModelStrategy = Literal["all", "required", "flexible", "skip"]
ModelChoice = ModelStrategy | Literal["custom"]
AfterFailures = Literal["retry", "skip", "quit"]


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


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportModelContext:
    """What a decision about one model of an import may look at.

    ``aggregate`` is that model over all workflows; ``all_model_aggregates`` are all of the bundle's
    by key, ``existing_models`` those that are here already. ``models_dir`` is where downloads go.
    ``similar`` finds files that could stand in for a model, best first; ``search`` finds models of
    the library by text.
    """

    models_dir: Path
    aggregate: ModelAggregate
    all_model_aggregates: Mapping[str, ModelAggregate]
    existing_models: Mapping[str, ModelWithLocation]
    similar: Callable[[ModelAggregate], Sequence[Substitute]]
    search: Callable[[str], Sequence[ModelWithLocation]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportNodeContext:
    """What a decision about the nodes of an import may look at.

    ``cached`` are the nodes whose files are on this machine, with their size in bytes where it is
    known, else 0. ``code`` says of each node what it brings.
    """

    environment: str
    all_nodes: tuple[NodeInfo, ...]
    cached: Mapping[str, int] = field(default_factory=dict)
    code: tuple[CodeOrigin, ...] = ()


class ImportModelAcquisitionStrategy(Protocol):
    """Decides about the models of a bundle that are not on this machine, one after the other.

    Here the model is known and only the way to it is open; ``ModelResolutionStrategy`` finds out
    which model a workflow means.
    """

    def acquire_model(
        self,
        model: ManifestWorkflowModel,
        criticality: Criticality,
        workflows_using: Sequence[str],
        context: ImportModelContext,
    ) -> ModelAcquisitionDecision | None:
        """Decide about ``model``; None quits the import.

        ``criticality`` is the most conservative one over ``workflows_using``; ``model.sources`` are
        all addresses that are known.
        """


class PlanRevision(Protocol):
    """The ways to change a plan while it is being confirmed; each makes the whole plan anew.

    ``choose_nodes`` and ``choose_models`` ask the interaction's questions of the same name and
    raise CancelledError where those are answered with None.
    """

    @property
    def has_nodes(self) -> bool:
        """Whether there are nodes to choose from that no option decided about."""

    @property
    def has_models(self) -> bool:
        """Whether models are missing that no option decided about."""

    def from_text(self, text: str) -> ImportPlan:
        """Follow a changed plan text; UsageError says what is wrong with it."""

    def look_again(self) -> ImportPlan:
        """Hold the plan against this machine and its hosts once more; its decisions stay."""

    def choose_nodes(self) -> ImportPlan:
        """Ask which nodes are installed; what was decided about models stays."""

    def choose_models(self) -> ImportPlan:
        """Ask what becomes of the missing models; what was decided about nodes stays."""


class ImportInteraction(ImportModelAcquisitionStrategy, Protocol):
    """The questions of an import; what options decided is not asked.

    Only ``confirm_summary`` and ``confirm_plan`` are asked every time. ``use_existing`` comes
    between them for a file that looks like a model of the bundle. ``choose_nodes``,
    ``choose_models`` and, for its ``custom``, ``acquire_model`` are asked where ``confirm_plan``
    wants another plan than the usual one, which installs and downloads all.
    """

    def confirm_summary(self, summary: ImportSummary) -> bool:
        """Show what the bundle holds and which hosts planning will ask."""

    def use_existing(self, model: ModelAggregate, here: ModelWithLocation) -> bool | None:
        """Ask whether a file that only looks like ``model`` is taken for it."""

    def confirm_plan(self, plan: ImportPlan, revision: PlanRevision) -> ImportPlan | None:
        """Show the plan with its code origins; the plan that comes back is executed."""

    def choose_nodes(self, context: ImportNodeContext) -> Mapping[str, NodeAction] | None:
        """Choose by name which nodes are installed; one that is not named is."""

    def choose_models(self, summary: ImportSummary, local: LocalModels) -> ModelChoice | None:
        """Choose what is downloaded of the models that are not here; ``custom`` asks for each."""

    def after_failures(self, failed: Mapping[str, str]) -> AfterFailures:
        """Choose what becomes of failed downloads, given by file name with the reason.

        ``quit`` leaves the import as it is, to be resumed.
        """


class ExportInteraction(ModelResolutionStrategy, NodeResolutionStrategy, Protocol):
    """The questions of an export, in their order; what workflows lack is asked about in between."""

    def show_validation(self, validation: ExportValidation) -> None:
        """Show the workflows and what is open in them."""

    def confirm_resolution(self, validation: ExportValidation) -> bool | None:
        """Ask about what is open: True resolves it now, False gives up, and None says that nobody
        is there to resolve it."""

    def confirm_hashing(self, lacking: Sequence[ManifestModel], seconds: float) -> bool:
        """Ask whether these models' digests, an estimated ``seconds`` of reading, are computed."""

    def enter_source(self, model: ManifestModel, problem: str) -> str | None:
        """Ask for an address of a model that has none; ``""`` says that nobody knows one, None
        that nobody was there to ask.

        ``problem`` says what is wrong with the address that was entered before.
        """

    def accept_findings(self, findings: Sequence[Finding]) -> bool | None:
        """Show secrets that would travel; True lets them, None says that nobody is there."""

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

    def choose_nodes(self, context: ImportNodeContext) -> Mapping[str, NodeAction] | None:
        """Install all of them."""
        return dict.fromkeys((node.name for node in context.all_nodes), "install")

    def use_existing(self, model: ModelAggregate, here: ModelWithLocation) -> bool | None:
        """Take it: the plan says that it is only probable."""
        return True

    def choose_models(self, summary: ImportSummary, local: LocalModels) -> ModelChoice | None:
        """Download everything that is not here."""
        return "all"

    def acquire_model(
        self,
        model: ManifestWorkflowModel,
        criticality: Criticality,
        workflows_using: Sequence[str],
        context: ImportModelContext,
    ) -> ModelAcquisitionDecision | None:
        """Download what has an address, skip the rest."""
        action: ModelAction = "download" if model.sources else "skip"
        return ModelAcquisitionDecision(model=model, action=action)

    def confirm_plan(self, plan: ImportPlan, revision: PlanRevision) -> ImportPlan | None:
        """Execute it."""
        return plan

    def after_failures(self, failed: Mapping[str, str]) -> AfterFailures:
        """Go on without them; the result says what is missing."""
        return "skip"

    def resolve_model(
        self, model: AnalysedModel, search: Callable[[str], Sequence[ModelWithLocation]]
    ) -> ModelAnswer | None:
        """Leave it open."""
        return None

    def resolve_node(self, node: NodeResolution, suggestions: Sequence[str]) -> NodeAnswer | None:
        """Leave it open."""
        return None

    def show_validation(self, validation: ExportValidation) -> None:
        """Nobody looks."""

    def confirm_resolution(self, validation: ExportValidation) -> bool | None:
        """Nobody is there to resolve anything."""
        return None

    def confirm_hashing(self, lacking: Sequence[ManifestModel], seconds: float) -> bool:
        """Compute them: without digests nobody can prove what they fetched."""
        return bool(lacking)

    def enter_source(self, model: ManifestModel, problem: str) -> str | None:
        """Nobody is there to ask."""
        return None

    def accept_findings(self, findings: Sequence[Finding]) -> bool | None:
        """Nobody is there to look."""
        return None

    def confirm_bundle(self, size: int) -> bool:
        """Write it."""
        return size >= 0
