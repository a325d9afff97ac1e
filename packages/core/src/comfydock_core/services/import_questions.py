"""The questions about one bundle, and a plan that is made anew from their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision, ModelAggregate
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.tensor_facts import TensorFacts
from comfydock_core.errors import CancelledError
from comfydock_core.importing.plan import PlanChoices, answered, by_criticality
from comfydock_core.importing.plan_choices import Ground, follow_plan
from comfydock_core.interaction import (
    ImportInteraction,
    ImportModelAcquisitionStrategy,
    ImportModelContext,
    ImportNodeContext,
)
from comfydock_core.resolution.substitutes import find_substitutes
from comfydock_core.storage.safetensors_header import safetensors_facts
from comfydock_core.workspace.node_cache import cached_nodes
from comfydock_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from comfydock_core.services.import_service import ImportOptions


class Questions:
    """Asks about the nodes and models of a bundle; CancelledError for an answer that quits."""

    def __init__(
        self, workspace: Workspace, interaction: ImportInteraction, ground: Ground
    ) -> None:
        self._workspace = workspace
        self._interaction = interaction
        self.ground = ground

    @property
    def _summary(self) -> ImportSummary:
        return self.ground.summary

    @property
    def nodes(self) -> tuple[NodeInfo, ...]:
        """The bundle's nodes by name."""
        return tuple(node for _, node in sorted(self._summary.manifest.nodes.items()))

    def refused(self, choices: PlanChoices) -> frozenset[str]:
        """Ask about files that only look like a model, where another way is known to get it.

        Return the keys of the models that they are not taken for.
        """
        refused: set[str] = set()
        for key, here in self.ground.local.probable.items():
            aggregate = self._summary.aggregates[key]
            if key in choices.decided or key in self._summary.inside or not aggregate.sources:
                continue
            answer = self._interaction.use_existing(aggregate, here)
            if answer is None:
                raise cancelled()
            if not answer:
                refused.add(key)
        return frozenset(refused)

    def chosen_nodes(self, choices: PlanChoices) -> PlanChoices:
        """Ask which nodes are installed."""
        context = ImportNodeContext(
            environment=self._summary.environment,
            all_nodes=self.nodes,
            cached=cached_nodes(self._workspace, self.nodes),
            code=self._summary.code,
        )
        actions = self._interaction.choose_nodes(context)
        if actions is None:
            raise cancelled()
        return replace(choices, nodes=actions)

    def chosen_models(self, choices: PlanChoices) -> PlanChoices:
        """Ask what is downloaded of the models that are not here, or about each of them."""
        strategy = self._interaction.choose_models(self._summary, self._taken(choices))
        if strategy is None:
            raise cancelled()
        if strategy == "custom":
            return self.one_by_one(choices, self._interaction)
        return replace(choices, models=strategy)

    def one_by_one(
        self, choices: PlanChoices, strategy: ImportModelAcquisitionStrategy
    ) -> PlanChoices:
        """Have ``strategy`` decide about each model that is not here and not decided about."""
        taken = self._taken(choices)
        answers: dict[str, tuple[ModelAcquisitionDecision, ...]] = {}
        for aggregate in self.missing(choices):
            answer = strategy.acquire_model(
                replace(aggregate.model, sources=aggregate.sources),
                aggregate.criticality,
                aggregate.workflows,
                self._context(aggregate, taken),
            )
            if answer is None:
                raise cancelled()
            answers[aggregate.key] = (answered(aggregate, self.ground.local, answer),)
        return replace(choices, decided={**choices.decided, **answers})

    def missing(self, choices: PlanChoices) -> list[ModelAggregate]:
        """Return the models that have to be acquired, those decided about aside."""
        had = self._taken(choices).known | self._summary.inside | choices.decided.keys()
        everything = by_criticality(self._summary.aggregates.values())
        return [aggregate for aggregate in everything if aggregate.key not in had]

    def _taken(self, choices: PlanChoices) -> LocalModels:
        local = self.ground.local
        believed = {k: m for k, m in local.probable.items() if k not in choices.refused}
        return LocalModels(verified=local.verified, probable=believed)

    def _context(self, aggregate: ModelAggregate, taken: LocalModels) -> ImportModelContext:
        return ImportModelContext(
            models_dir=self._workspace.download_directory,
            aggregate=aggregate,
            all_model_aggregates=self._summary.aggregates,
            existing_models={**taken.probable, **taken.verified},
            similar=lambda wanted: find_substitutes(wanted, self.ground.library, _read_facts),
            search=self._workspace.tools.models.find,
        )


class Revision:
    """Changes a plan while it is confirmed (``interaction.PlanRevision``).

    ``choices`` are what the options decided: every answer is added to them, and a later one
    replaces an earlier one to the same question.
    """

    def __init__(
        self,
        questions: Questions,
        options: ImportOptions,
        choices: PlanChoices,
        planned: Callable[[PlanChoices], ImportPlan],
    ) -> None:
        self._questions = questions
        self._options = options
        self._decided_before = choices
        self._choices = choices
        self._planned = planned

    @property
    def has_nodes(self) -> bool:
        """Whether there are nodes to choose from that no option decided about."""
        decided = self._decided_before.skip_nodes or self._decided_before.nodes
        return not decided and any(n.source != "development" for n in self._questions.nodes)

    @property
    def has_models(self) -> bool:
        """Whether models are missing that no option decided about."""
        if self._options.models or self._options.plan_text:
            return False
        return bool(self._questions.missing(self._decided_before))

    def from_text(self, text: str) -> ImportPlan:
        """Follow a changed plan text; UsageError says what is wrong with it."""
        followed = follow_plan(text, self._questions.ground, self._decided_before)
        return self._changed(followed)

    def look_again(self) -> ImportPlan:
        """Hold the plan against this machine and its hosts once more; its decisions stay."""
        return self._planned(self._choices)

    def choose_nodes(self) -> ImportPlan:
        """Ask which nodes are installed; what was decided about models stays."""
        return self._changed(self._questions.chosen_nodes(self._choices))

    def choose_models(self) -> ImportPlan:
        """Ask what becomes of the missing models; what was decided about nodes stays."""
        before = replace(self._choices, decided=self._decided_before.decided)
        return self._changed(self._questions.chosen_models(before))

    def _changed(self, choices: PlanChoices) -> ImportPlan:
        plan = self._planned(choices)
        self._choices = choices
        return plan


def cancelled() -> CancelledError:
    """Say that the user said no before anything was done."""
    return CancelledError("import cancelled; nothing was changed")


def _read_facts(model: ModelWithLocation) -> TensorFacts | None:
    """Read what a local file's header tells; None for a file of another format."""
    is_safetensors = model.filename.lower().endswith((".safetensors", ".sft"))
    return safetensors_facts(Path(model.path)) if is_safetensors else None
