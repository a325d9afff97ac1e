"""The plan of an import, decided once and agreed to before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.plan_text import parse_plan
from comfydock_core.domain.preflight import Preflight
from comfydock_core.importing.before_the_plan import require_possible
from comfydock_core.importing.plan import PlanChoices, make_plan, require_consent
from comfydock_core.importing.plan_choices import Ground, apply_lines, follow_plan
from comfydock_core.importing.summary import also_contacting
from comfydock_core.interaction import ImportInteraction, ImportModelAcquisitionStrategy
from comfydock_core.services.import_questions import Questions, Revision, cancelled
from comfydock_core.workspace.local_models import find_local
from comfydock_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from comfydock_core.services.import_service import ImportOptions


class ImportDeciding:
    """Makes the plan of one import from its options and defaults, and has it confirmed.

    ``strategy`` decides about the models that are not here where no option does; without it all
    are downloaded, unless whoever confirms the plan chooses otherwise. ``look`` says what a plan
    meets on this machine and at its hosts.
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
        return make_plan(self._summary, self._questions.ground.local, self._choices)

    def _looked_at(self, plan: ImportPlan) -> ImportPlan:
        return replace(plan, preflight=self._look(plan)) if self._look else plan

    def agreed_plan(self) -> ImportPlan:
        """Return the plan as it was confirmed, changed by hand or not.

        Code that nobody vouches for needs a person or a flag, which is held against it before any
        host is asked; CancelledError for a no. What cannot be done here is refused.
        """
        self._require_consent(self._bare_plan)
        revision = Revision(self._questions, self._options, self._choices, self._planned)
        agreed = self._interaction.confirm_plan(self.plan, revision)
        if agreed is None:
            raise cancelled()
        self._require_consent(agreed)
        require_possible(agreed.preflight)
        return agreed

    def _planned(self, choices: PlanChoices) -> ImportPlan:
        plan = make_plan(self._summary, self._questions.ground.local, choices)
        return self._looked_at(plan)

    def _require_consent(self, plan: ImportPlan) -> None:
        require_consent(plan, self._options.trust_code or self._options.person, "import")

    @cached_property
    def _questions(self) -> Questions:
        local = find_local_models(self._workspace, self._summary)
        ground = Ground(
            summary=self._summary, local=local, library=self._workspace.tools.models.all()
        )
        return Questions(self._workspace, self._interaction, ground)

    @cached_property
    def _choices(self) -> PlanChoices:
        options, questions = self._options, self._questions
        choices = PlanChoices(
            models=options.models or "all",
            skip_nodes=options.skip_nodes,
            torch_backend=options.torch_backend or self._workspace.settings.python.torch_backend,
            build_allowed=options.trust_code or options.person,
        )
        if options.plan_text:
            return follow_plan(options.plan_text, questions.ground, choices)
        choices = apply_lines(options.lines, questions.ground, choices)
        choices = replace(choices, refused=questions.refused(choices))
        if options.models or self._strategy is None:
            return choices
        return questions.one_by_one(choices, self._strategy)


def with_typed_hosts(summary: ImportSummary, options: ImportOptions) -> ImportSummary:
    """Add the hosts of addresses in the options, which may be none of the bundle's.

    PlanTextError for a plan that cannot be read.
    """
    said = (*options.lines, *parse_plan(options.plan_text).lines)
    return also_contacting(summary, (line.value for line in said if line.word == "download"))


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
