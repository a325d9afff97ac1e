"""Carrying out an agreed update or rollback: begun, gone on with, undone, looked at afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from comfydock_core.domain.update import ConflictChoice, UpdatePlan, UpdateResult
from comfydock_core.errors import CancelledError, NotReadyError
from comfydock_core.importing.bundle_source import forget_fetched
from comfydock_core.importing.report import Outcomes, make_result
from comfydock_core.importing.unpacked_bundle import check_unpacked, folder_digest
from comfydock_core.importing.update_execution import UpdateExecution
from comfydock_core.importing.update_steps import ChangingWork
from comfydock_core.importing.verification import absent_models, look_again
from comfydock_core.storage.durable_files import remove_folder, storage_errors
from comfydock_core.workspace import workflows
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.journal import Journal, close_journal, journal_of, write_journal
from comfydock_core.workspace.node_swap import keep_own_files
from comfydock_core.workspace.update_folder import UpdateFolder, replaced_folder
from comfydock_core.workspace.workspace import Workspace


class ChangeInteraction(Protocol):
    """The questions of an update or rollback, in their order; None or False stops it."""

    def choose_workflow(self, name: str) -> ConflictChoice | None:
        """Choose whose version of a workflow counts that the user and the bundle changed."""

    def confirm_change(self, plan: UpdatePlan) -> bool:
        """Show the plan; True executes it."""


class UnattendedChange:
    """Nobody is there: what the user changed stays, and the plan is executed."""

    def choose_workflow(self, name: str) -> ConflictChoice | None:
        """Keep the user's."""
        return "keep"

    def confirm_change(self, plan: UpdatePlan) -> bool:
        """Execute it."""
        return True


def interrupted_change(environment: Environment) -> UpdatePlan | None:
    """Return the plan of an update or rollback that was cut short in this environment."""
    journal = journal_of(environment.path)
    return journal.update if journal else None


def nothing_to_do(workspace: Workspace, plan: UpdatePlan) -> UpdateResult:
    """Return the result of a plan that changes nothing."""
    environment = workspace.environment(plan.environment)
    head = History(environment, workspace.tools.git).head()
    issues = look_again(workspace, environment, plan.acquisition, start=False)
    result = make_result(plan.acquisition, Outcomes(), issues)
    return UpdateResult(plan=plan, result=result, before=head, after=head)


def begin_change(
    workspace: Workspace, plan: UpdatePlan, made: Path, *, unpacked: str = "", verify: bool = True
) -> UpdateResult:
    """Commit what is not committed, then start; from here on a killed run can be resumed.

    ``made`` is a folder on the environments' disk that has the files to go to in ``bundle``, whose
    digest was ``unpacked`` when the plan was made; empty where that is not known.
    ``verify`` starts ComfyUI once afterwards.
    """
    environment = workspace.environment(plan.environment)
    with workspace.lock(plan.environment):
        environment.check_complete(journal_of(environment.path))
        bundle = made / "bundle"
        unpacked = unpacked or folder_digest(bundle)
        check_unpacked(bundle, unpacked, f"run the {plan.kind} again")
        history = History(environment, workspace.tools.git)
        history.start()
        if plan.uncommitted or not history.head():
            workflows.record_workflows(workspace, environment)
            history.commit(f"Before {plan.kind}")
        UpdateFolder.of(environment).begin(environment, made, _trash(workspace))
        journal = Journal(
            work="update",
            unpacked=unpacked,
            archive=plan.archive,
            update=plan,
            before=history.head(),
        )
        write_journal(environment.path, journal)
        return _execute(workspace, environment, journal, plan, verify)


def resume_change(workspace: Workspace, name: str, *, verify: bool = True) -> UpdateResult:
    """Go on with what was interrupted; CancelledError where it was on its way back."""
    environment = workspace.environment(name)
    with workspace.lock(name):
        journal, plan = interrupted_plan(environment)
        execution = UpdateExecution(_work(workspace, environment, plan), journal)
        if execution.is_undoing:
            with workspace.reporter.log_to(workspace.log_path(name)):
                execution.undo()
            raise CancelledError(
                f"the {plan.kind} of `{name}` could not be finished and was undone: "
                "everything is as it was before",
                hint=f"see {workspace.log_path(name)}, then run the {plan.kind} again",
                subject=name,
            )
        hint = f"go back with: comfydock rollback {name}"
        check_unpacked(UpdateFolder.of(environment).bundle, journal.unpacked, hint)
        return _execute(workspace, environment, journal, plan, verify)


def undo_interrupted(workspace: Workspace, name: str) -> UpdatePlan:
    """Undo what was interrupted and return its plan; everything is as it was before it."""
    environment = workspace.environment(name)
    with workspace.lock(name):
        journal, plan = interrupted_plan(environment)
        with workspace.reporter.log_to(workspace.log_path(name)):
            UpdateExecution(_work(workspace, environment, plan), journal).undo()
    return plan


def interrupted_plan(environment: Environment) -> tuple[Journal, UpdatePlan]:
    """Return what was interrupted with its plan; NotReadyError where nothing was."""
    journal = journal_of(environment.path)
    if journal is None or journal.update is None:
        environment.check_complete(journal)
        raise NotReadyError(
            f"`{environment.name}` is complete: there is no update to go on with",
            subject=environment.name,
        )
    return journal, journal.update


def _execute(
    workspace: Workspace,
    environment: Environment,
    journal: Journal,
    plan: UpdatePlan,
    verify: bool,
) -> UpdateResult:
    work = _work(workspace, environment, plan)
    with workspace.reporter.log_to(workspace.log_path(environment.name)):
        outcomes = UpdateExecution(work, journal).run()
        issues = look_again(workspace, environment, plan.acquisition, start=verify)
    kept = keep_own_files(
        workspace.tools.git,
        work.folder.outgoing,
        work.folder.manifest_before().nodes.values(),
        replaced_folder(environment, journal.before),
        work.trash,
    )
    close_journal(environment.path)
    if plan.archive:
        forget_fetched(workspace, Path(plan.archive))
    with storage_errors(work.folder.path):
        remove_folder(work.folder.path, work.trash)
    return UpdateResult(
        plan=plan,
        result=make_result(
            plan.acquisition, outcomes, issues, absent_models(workspace, plan.acquisition)
        ),
        before=journal.before,
        after=History(environment, workspace.tools.git).head(),
        kept_aside=tuple(dict.fromkeys((*map(str, kept), *plan.left_aside))),
    )


def _work(workspace: Workspace, environment: Environment, plan: UpdatePlan) -> ChangingWork:
    folder = UpdateFolder.of(environment)
    return ChangingWork(
        workspace=workspace,
        environment=environment,
        plan=plan.acquisition,
        bundle=folder.bundle,
        update=plan,
        folder=folder,
    )


def _trash(workspace: Workspace) -> Path:
    return workspace.root / "cache" / "trash"
