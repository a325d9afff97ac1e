"""Update: read -> plan as a difference -> execute -> verify -> report."""

from __future__ import annotations

from pathlib import Path

from comfydock_core.domain.update import ConflictChoice, UpdatePlan, UpdateResult
from comfydock_core.errors import CancelledError
from comfydock_core.events import Notice
from comfydock_core.importing.opening import open_bundle
from comfydock_core.importing.plan import require_consent
from comfydock_core.importing.summary import OpenedBundle
from comfydock_core.services.changing import (
    ChangeInteraction,
    UnattendedChange,
    begin_change,
    interrupted_change,
    interrupted_plan,
    nothing_to_do,
    resume_change,
)
from comfydock_core.services.update_planning import UpdateOptions, UpdatePlanning
from comfydock_core.storage.durable_files import staging_folder
from comfydock_core.workspace.environments import ready_environment
from comfydock_core.workspace.workspace import Workspace


class UpdateService:
    """Updates environments from bundles."""

    def __init__(self, workspace: Workspace, interaction: ChangeInteraction | None = None) -> None:
        self._workspace = workspace
        self._interaction: ChangeInteraction = interaction or UnattendedChange()

    def update(
        self, name: str, bundle_path: Path, options: UpdateOptions | None = None
    ) -> UpdateResult:
        """Make an environment what ``bundle_path`` says, around what the user changed in it.

        An interrupted update with it goes on. CancelledError when a question is answered with no:
        then nothing was written.
        """
        chosen = options or UpdateOptions()
        with staging_folder(self._workspace.staging_path, "update-") as staging:
            made = staging / "update"
            opened = open_bundle(self._workspace, bundle_path, made / "bundle")
            interrupted = interrupted_change(self._workspace.environment(name))
            if interrupted and interrupted.acquisition.bundle == opened.digest:
                text = f"Going on with the update of `{name}` that was cut; it was agreed to then"
                self._workspace.reporter.report(Notice(text=text))
                return self.resume(name, verify=chosen.verify)
            plan = self._plan(name, bundle_path, opened, made / "bundle", chosen)
            if plan.is_noop:
                return nothing_to_do(self._workspace, plan)
            require_consent(plan.acquisition, chosen.trust_code or chosen.person, "update")
            if not self._interaction.confirm_change(plan):
                raise _cancelled()
            return begin_change(
                self._workspace, plan, made, unpacked=opened.unpacked, verify=chosen.verify
            )

    def plan_update(
        self, name: str, bundle_path: Path, options: UpdateOptions | None = None
    ) -> UpdatePlan:
        """Return the plan that ``update`` would execute, and execute nothing."""
        with staging_folder(self._workspace.staging_path, "update-") as staging:
            unpacked = staging / "bundle"
            opened = open_bundle(self._workspace, bundle_path, unpacked)
            return self._plan(name, bundle_path, opened, unpacked, options or UpdateOptions())

    def plan_to_resume(self, name: str) -> UpdatePlan:
        """Return the plan that ``resume`` would go on with, and execute nothing."""
        return interrupted_plan(self._workspace.environment(name))[1]

    def resume(self, name: str, *, verify: bool = True) -> UpdateResult:
        """Go on with an interrupted update or rollback; it was agreed to already."""
        return resume_change(self._workspace, name, verify=verify)

    def _plan(
        self,
        name: str,
        bundle_path: Path,
        opened: OpenedBundle,
        unpacked: Path,
        options: UpdateOptions,
    ) -> UpdatePlan:
        environment = ready_environment(self._workspace, name)
        planning = UpdatePlanning(
            self._workspace, environment, opened, unpacked, options, self._decide
        )
        with staging_folder(self._workspace.staging_path, "common-") as aside:
            return planning.plan(bundle_path, aside)

    def _decide(self, name: str) -> ConflictChoice:
        choice = self._interaction.choose_workflow(name)
        if choice is None:
            raise _cancelled()
        return choice


def _cancelled() -> CancelledError:
    return CancelledError("update cancelled; nothing was changed")
