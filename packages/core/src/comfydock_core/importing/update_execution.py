"""UpdatePlan -> outcomes: everything is got aside first, then put in place, or put back.

Whatever needs the network or can be refused happens before anything of the environment changes.
Each step looks at what is there, so that one that was cut in the middle is repeated safely; one
that fails is followed by the way back, which is as repeatable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from comfydock_core.errors import ComfydockError, DiskFullError
from comfydock_core.events import ItemFailed, ItemFinished, ItemStarted, StepFinished, StepStarted
from comfydock_core.importing.execution import Execution
from comfydock_core.importing.import_steps import stage
from comfydock_core.importing.report import Outcomes
from comfydock_core.importing.update_steps import (
    ChangingWork,
    commit_change,
    install_python,
    place_workflows,
    restore_python,
    target_commit,
    write_target,
)
from comfydock_core.storage.durable_files import (
    copy_tree,
    remove_folder,
    staging_folder,
    storage_errors,
)
from comfydock_core.workspace.comfyui_checkout import (
    check_unchanged,
    fetch_comfyui,
    switch_comfyui,
)
from comfydock_core.workspace.journal import Journal, close_journal, write_journal
from comfydock_core.workspace.node_swap import NodeSwap
from comfydock_core.workspace.nodes import version_text
from comfydock_core.workspace.recorded_states import RecordedStates

_UNDO = "undo"
_TARGET = "target"


class UpdateExecution:
    """Runs the steps of one update or rollback and keeps its journal."""

    def __init__(self, work: ChangingWork, journal: Journal) -> None:
        self._work = work
        self._journal = journal

    @property
    def is_undoing(self) -> bool:
        """Whether it could not be finished and is on its way back."""
        return _UNDO in self._journal.done

    def run(self) -> Outcomes:
        """Do what is not done yet; a ComfydockError leaves the environment as it was.

        Only where the way back fails as well does the journal stay, so that `undo` can go on.
        """
        try:
            self._get()
        except ComfydockError:
            self._close()
            raise
        try:
            self._put()
        except ComfydockError:
            self.undo()
            raise
        return Outcomes(
            failed_nodes=tuple(sorted(self._journal.failed_nodes.items())),
            failed_models=tuple(sorted(self._journal.failed_models.items())),
        )

    def undo(self) -> None:
        """Make the environment what it was before, and complete."""
        work = self._work
        if not self.is_undoing:
            self._keep(self._journal.with_done(_UNDO))
        report = work.workspace.reporter.report
        report(StepStarted(step="undo", title=f"Putting {work.environment.name} back"))
        # Before the target is known, all that was done was done aside.
        if _TARGET in self._journal.done:
            with storage_errors(work.environment.path):
                self._put_back()
        self._close()
        report(StepFinished(step="undo", detail="Everything is as it was"))

    def _put_back(self) -> None:
        work = self._work
        self._swap.back()
        if work.update.comfyui_changes:
            here = work.update.comfyui_here
            switch_comfyui(work.workspace, work.environment, here, target_commit(work))
        states = RecordedStates(work.environment, work.workspace.tools.git)
        states.go_back(self._journal.before)
        restore_python(work)
        work.folder.restore_workflows(work.environment)

    def _close(self) -> None:
        close_journal(self._work.environment.path)
        remove_folder(self._work.folder.path, self._work.trash)

    def _keep(self, journal: Journal) -> None:
        self._journal = journal
        write_journal(self._work.environment.path, journal)

    def _step(self, name: str, act: Callable[[], None]) -> None:
        if name not in self._journal.done:
            with storage_errors(self._work.environment.path):
                act()
            self._keep(self._journal.with_done(name))

    def _get(self) -> None:
        """Get everything aside."""
        work = self._work
        if _TARGET in self._journal.done:
            return
        if work.update.comfyui_changes:
            self._step("comfyui-known", partial(_know_comfyui, work))
        self._keep(replace(self._journal, failed_nodes={}, failed_models={}))
        self._stage_nodes()
        self._journal = Execution(work, self._journal, lambda _: "skip").acquire_models()
        self._step(_TARGET, lambda: write_target(work, self._journal))

    def _stage_nodes(self) -> None:
        report = self._work.workspace.reporter.report
        installs = self._work.plan.nodes_for("install")
        if not installs:
            return
        report(StepStarted(step="nodes", title="Getting custom nodes", count=len(installs)))
        failed: dict[str, str] = {}
        for decision in installs:
            name = decision.node.name
            try:
                self._step(f"node:{name}", partial(_stage_node, self._work, name))
            except DiskFullError:
                raise
            except ComfydockError as error:
                if self._work.update.kind == "rollback":
                    raise
                failed[name] = "; ".join(filter(None, (error.sentence, error.hint)))
                report(ItemFailed(step="nodes", item=name, reason=failed[name]))
        self._keep(replace(self._journal, failed_nodes=failed))
        count = f"{len(installs) - len(failed)}/{len(installs)}"
        report(StepFinished(step="nodes", detail=f"Got {count} nodes"))

    @property
    def _swap(self) -> NodeSwap:
        installs = (d.node.name for d in self._work.plan.nodes_for("install"))
        return NodeSwap(
            custom_nodes=self._work.environment.custom_nodes_path,
            incoming=self._work.folder.incoming,
            outgoing=self._work.folder.outgoing,
            installs=tuple(name for name in installs if name not in self._journal.failed_nodes),
            removes=self._work.update.nodes_removed,
        )

    def _put(self) -> None:
        """Put everything in place; until the commit all of it can be undone."""
        work = self._work
        if work.update.comfyui_changes:
            self._step("comfyui", partial(_switch, work))
        self._step("nodes", self._swap.forth)
        self._step("python", lambda: install_python(work))
        self._step("workflows", lambda: place_workflows(work))
        self._step("commit", lambda: commit_change(work, self._journal.before))


def _know_comfyui(work: ChangingWork) -> None:
    commit = target_commit(work)
    fetch_comfyui(work.workspace, work.environment, work.plan.manifest.comfyui_repository, commit)
    check_unchanged(work.workspace, work.environment, commit)


def _switch(work: ChangingWork) -> None:
    report = work.workspace.reporter.report
    version = work.plan.manifest.comfyui_version
    report(StepStarted(step="comfyui", title=f"Switching to ComfyUI {version}"))
    switch_comfyui(work.workspace, work.environment, target_commit(work), work.update.comfyui_here)
    report(StepFinished(step="comfyui", detail=f"ComfyUI {version}"))


def _stage_node(work: ChangingWork, name: str) -> None:
    """Fetch or unpack one node aside, whole."""
    report = work.workspace.reporter.report
    node = next(d.node for d in work.plan.nodes_for("install") if d.node.name == name)
    report(ItemStarted(step="nodes", item=name))
    place = work.folder.incoming / name
    with staging_folder(work.workspace.staging_path, "node-") as staging:
        kept = work.folder.returning / name
        if kept.is_dir():
            folder = staging / "pack"
            copy_tree(kept, folder)
        else:
            folder = stage(work, node, staging).folder
        remove_folder(place, work.trash)
        folder.rename(place)
    report(ItemFinished(step="nodes", item=name, detail=version_text(node)))
