"""Everything that an import leaves to its user, decided once, before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from comfydock_core.domain.acquisition import (
    ImportPlan,
    ModelAcquisitionDecision,
    ModelAggregate,
    NodeAction,
)
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.preflight import Preflight
from comfydock_core.domain.tensor_facts import TensorFacts
from comfydock_core.errors import CancelledError
from comfydock_core.importing.before_the_plan import require_possible
from comfydock_core.importing.plan import (
    PlanChoices,
    answered,
    by_criticality,
    make_plan,
    require_consent,
)
from comfydock_core.importing.plan_choices import Ground, apply_lines, follow_plan
from comfydock_core.interaction import (
    ImportInteraction,
    ImportModelAcquisitionStrategy,
    ImportModelContext,
    ImportNodeContext,
)
from comfydock_core.resolution.substitutes import find_substitutes
from comfydock_core.storage.safetensors_header import safetensors_facts
from comfydock_core.workspace.local_models import find_local
from comfydock_core.workspace.node_cache import cached_nodes
from comfydock_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from comfydock_core.services.import_service import ImportOptions


class ImportDeciding:
    """Asks about one bundle what its options leave open, and makes the plan.

    ``strategy`` decides about the models that are not here where no option does; None leaves it to
    the interaction. ``look`` says what a plan meets on this machine and at its hosts.
    """

    def __init__(
        self,
        workspace: Workspace,
        interaction: ImportInteraction,
        options: ImportOptions,
        summary: ImportSummary,
        strategy: ImportModelAcquisitionStrategy | None = None,
        look: Callable[[ImportPlan], Preflight] | None = None,
    ) -> None:
        self._workspace = workspace
        self._interaction = interaction
        self._options = options
        self._summary = summary
        self._strategy = strategy
        self._look = look

    @cached_property
    def plan(self) -> ImportPlan:
        """The plan that the options and the answers make, and what it meets on this machine.

        CancelledError for a no.
        """
        return self._looked_at(self._bare_plan)

    @cached_property
    def _bare_plan(self) -> ImportPlan:
        return make_plan(self._summary, self._ground.local, self._choices)

    def _looked_at(self, plan: ImportPlan) -> ImportPlan:
        return replace(plan, preflight=self._look(plan)) if self._look else plan

    def agreed_plan(self) -> ImportPlan:
        """Return the plan as it was confirmed, changed by hand or not.

        Code that nobody vouches for needs a person or a flag, which is held against it before any
        host is asked; CancelledError for a no. What cannot be done here is refused.
        """
        self._require_consent(self._bare_plan)
        agreed = self._interaction.confirm_plan(self.plan, self._revised)
        if agreed is None:
            raise cancelled()
        self._require_consent(agreed)
        require_possible(agreed.preflight)
        return agreed

    def _revised(self, text: str) -> ImportPlan:
        choices = follow_plan(text, self._ground, self._choices)
        return self._looked_at(make_plan(self._summary, self._ground.local, choices))

    def _require_consent(self, plan: ImportPlan) -> None:
        require_consent(plan, self._options.trust_code or self._options.person, "import")

    @cached_property
    def _ground(self) -> Ground:
        local = find_local_models(self._workspace, self._summary)
        return Ground(
            summary=self._summary, local=local, library=self._workspace.tools.models.all()
        )

    @cached_property
    def _choices(self) -> PlanChoices:
        options = self._options
        choices = PlanChoices(
            models=options.models or "all",
            skip_nodes=options.skip_nodes,
            torch_backend=options.torch_backend or self._workspace.settings.python.torch_backend,
            build_allowed=options.trust_code or options.person,
        )
        if options.plan_text:
            return follow_plan(options.plan_text, self._ground, choices)
        choices = apply_lines(options.lines, self._ground, choices)
        choices = replace(choices, nodes=self._node_actions(choices))
        return self._model_choices(replace(choices, refused=self._refused(choices)))

    def _node_actions(self, choices: PlanChoices) -> Mapping[str, NodeAction]:
        nodes = tuple(node for _, node in sorted(self._summary.manifest.nodes.items()))
        decided = choices.skip_nodes or choices.nodes
        if decided or all(node.source == "development" for node in nodes):
            return choices.nodes
        context = ImportNodeContext(
            environment=self._summary.environment,
            all_nodes=nodes,
            cached=cached_nodes(self._workspace, nodes),
            code=self._summary.code,
        )
        actions = self._interaction.choose_nodes(context)
        if actions is None:
            raise cancelled()
        return actions

    def _refused(self, choices: PlanChoices) -> frozenset[str]:
        """Ask about files that only look like a model, where another way is known to get it."""
        refused: set[str] = set()
        for key, here in self._ground.local.probable.items():
            aggregate = self._summary.aggregates[key]
            if key in choices.decided or key in self._summary.inside or not aggregate.sources:
                continue
            answer = self._interaction.use_existing(aggregate, here)
            if answer is None:
                raise cancelled()
            if not answer:
                refused.add(key)
        return frozenset(refused)

    def _model_choices(self, choices: PlanChoices) -> PlanChoices:
        local = self._ground.local
        believed = {k: m for k, m in local.probable.items() if k not in choices.refused}
        taken = LocalModels(verified=local.verified, probable=believed)
        if self._options.models:
            return choices
        if self._strategy is None:
            strategy = self._interaction.choose_models(self._summary, taken)
            if strategy is None:
                raise cancelled()
            if strategy != "custom":
                return replace(choices, models=strategy)
        answers = self._asked_one_by_one(self._missing(taken, choices), taken)
        return replace(choices, decided={**choices.decided, **answers})

    def _missing(self, taken: LocalModels, choices: PlanChoices) -> Iterable[ModelAggregate]:
        had = taken.verified.keys() | taken.probable.keys() | self._summary.inside
        decided = had | choices.decided.keys()
        everything = by_criticality(self._summary.aggregates.values())
        return (aggregate for aggregate in everything if aggregate.key not in decided)

    def _asked_one_by_one(
        self, missing: Iterable[ModelAggregate], taken: LocalModels
    ) -> dict[str, tuple[ModelAcquisitionDecision, ...]]:
        strategy = self._strategy or self._interaction
        answers: dict[str, tuple[ModelAcquisitionDecision, ...]] = {}
        for aggregate in missing:
            answer = strategy.acquire_model(
                replace(aggregate.model, sources=aggregate.sources),
                aggregate.criticality,
                aggregate.workflows,
                self._context(aggregate, taken),
            )
            if answer is None:
                raise cancelled()
            answers[aggregate.key] = (answered(aggregate, self._ground.local, answer),)
        return answers

    def _context(self, aggregate: ModelAggregate, taken: LocalModels) -> ImportModelContext:
        return ImportModelContext(
            models_dir=self._workspace.download_directory,
            aggregate=aggregate,
            all_model_aggregates=self._summary.aggregates,
            existing_models={**taken.probable, **taken.verified},
            similar=lambda wanted: find_substitutes(wanted, self._ground.library, read_facts),
            search=self._workspace.tools.models.find,
        )


def cancelled() -> CancelledError:
    """Say that the user said no before anything was done."""
    return CancelledError("import cancelled; nothing was changed")


def read_facts(model: ModelWithLocation) -> TensorFacts | None:
    """Read what a local file's header tells; None for a file of another format."""
    is_safetensors = model.filename.lower().endswith((".safetensors", ".sft"))
    return safetensors_facts(Path(model.path)) if is_safetensors else None


def find_local_models(workspace: Workspace, summary: ImportSummary) -> LocalModels:
    """Find the bundle's models among this machine's, by content."""
    workspace.scan_models()
    found = {
        key: match
        for key, aggregate in summary.aggregates.items()
        if aggregate.content and (match := find_local(workspace, aggregate.content))
    }
    return LocalModels(
        verified={k: m.model for k, m in found.items() if m.kind == "verified"},
        probable={k: m.model for k, m in found.items() if m.kind == "probable"},
    )
