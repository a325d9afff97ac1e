"""ImportPlan -> outcomes: the steps in order, each recorded in the journal when it is done.

Every step looks at what is there first, so that a step that was cut in the middle is repeated
safely. What fails for one node or one model is recorded and the rest goes on; what the environment
cannot be without stops the work and leaves the journal, so that it can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from comfydock_core.domain.acquisition import ModelAcquisitionDecision
from comfydock_core.errors import CancelledError, ComfydockError, DiskFullError
from comfydock_core.events import ItemFailed, ItemFinished, StepFinished, StepStarted
from comfydock_core.importing.bundled_models import place_model, unpacked_models
from comfydock_core.importing.found_models import link_models
from comfydock_core.importing.import_steps import (
    Work,
    commit,
    install_node,
    install_python,
    model_requests,
    place_environment,
    place_input_files,
    place_workflows,
    record_workflows,
    write_manifest,
)
from comfydock_core.importing.python_ahead import PythonAhead
from comfydock_core.importing.report import Outcomes
from comfydock_core.importing.substitution import tell_skipped
from comfydock_core.interaction import AfterFailures
from comfydock_core.storage.downloads import DownloadRequest, DownloadResult
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.workspace.download_speeds import measured
from comfydock_core.workspace.journal import Journal, write_journal


class Execution:
    """Runs the steps of one import and keeps its journal."""

    def __init__(
        self,
        work: Work,
        journal: Journal,
        after_failures: Callable[[Mapping[str, str]], AfterFailures],
    ) -> None:
        self._work = work
        self._journal = journal
        self._after_failures = after_failures
        self._python = PythonAhead(work)

    def run(self) -> Outcomes:
        """Do what is not done yet and return what failed.

        Nodes and models that were given up are tried again by a resumed run until the commit.
        """
        work = self._work
        self._journal = self._journal.trying_again()
        self._step("environment", lambda: place_environment(work, self._python.install))
        if "manifest" not in self._journal.done:
            self._install_nodes()
            self.acquire_models()
            tell_skipped(work.workspace, work.plan)
        self._step("manifest", lambda: write_manifest(work, self._journal))
        self._step("python", self._install_python)
        self._step("workflows", lambda: place_workflows(work))
        self._step("recorded", lambda: record_workflows(work))
        self._step("inputs", lambda: place_input_files(work))
        self._step("commit", lambda: commit(work))
        return Outcomes(
            failed_nodes=tuple(sorted(self._journal.failed_nodes.items())),
            failed_models=tuple(sorted(self._journal.failed_models.items())),
        )

    def acquire_models(self) -> Journal:
        """Get the models that are not here yet; return the journal, which has what failed."""
        self._unpack_models()
        self._fetch_models()
        link_models(self._work.workspace, self._work.plan)
        return self._journal

    def _keep(self, journal: Journal) -> None:
        if journal != self._journal:
            self._journal = journal
            write_journal(self._work.environment.path, journal)

    def _step(self, name: str, act: Callable[[], None]) -> None:
        if name in self._journal.done:
            return
        with storage_errors(self._work.environment.path):
            act()
        self._keep(self._journal.with_done(name))

    def _install_nodes(self) -> None:
        report = self._work.workspace.reporter.report
        decisions = self._work.plan.nodes_for("install")
        report(StepStarted(step="nodes", title="Installing custom nodes", count=len(decisions)))
        failed: dict[str, str] = {}
        for decision in decisions:
            name = decision.node.name
            with self._given_up("nodes", name, failed, name):
                self._step(f"node:{name}", partial(install_node, self._work, decision))
        self._keep(replace(self._journal, failed_nodes=failed))
        count = f"{len(decisions) - len(failed)}/{len(decisions)}"
        report(StepFinished(step="nodes", detail=f"Installed {count} nodes"))

    def _install_python(self) -> None:
        """Without all of the plan's nodes, what was installed for them is not what is needed."""
        lock = "" if self._journal.failed_nodes else self._python.lock()
        install_python(self._work, lock)

    def _unpack_models(self) -> None:
        """Take the models that the bundle holds out of its file."""
        work = self._work
        decisions = work.plan.models_for("unpack")
        waiting = self._waiting(decisions)
        if not waiting:
            return
        report = work.workspace.reporter.report
        paths = {decision.target_path for decision in waiting}
        size = sum(work.plan.aggregates[decision.key].total_size for decision in waiting)
        count = len(decisions)
        report(StepStarted(step="models", title="Unpacking models", count=count, size=size))
        failed: dict[str, str] = {}
        archive = Path(self._journal.archive)
        with unpacked_models(work.workspace, archive, work.plan.bundle, paths, size) as unpacked:
            for decision in waiting:
                with self._given_up("models", decision.model.filename, failed, decision.key):
                    self._place_model(decision, unpacked)
        self._give_up_models(failed)
        detail = f"Unpacked {count - len(failed)}/{count} models"
        report(StepFinished(step="models", detail=detail))

    def _place_model(self, decision: ModelAcquisitionDecision, unpacked: Path) -> None:
        workspace, target = self._work.workspace, decision.target_path
        place_model(unpacked / target, workspace.download_directory / target)
        self._keep(self._journal.with_done(f"model:{decision.key}"))
        workspace.reporter.report(
            ItemFinished(step="models", item=decision.model.filename, detail="verified")
        )

    def _give_up_models(self, failed: Mapping[str, str]) -> None:
        self._keep(replace(self._journal, failed_models={**self._journal.failed_models, **failed}))

    def _fetch_models(self) -> None:
        """Download until everything is here or what failed is given up."""
        decisions = self._work.plan.models_for("download")
        failed = self._download(decisions) if decisions else {}
        while failed:
            reasons = {d.model.filename: failed[d.key] for d in decisions if d.key in failed}
            answer = self._after_failures(reasons)
            if answer == "quit":
                raise CancelledError(
                    "the import was stopped; what is here already stays",
                    hint=f"comfydock import --resume {self._work.environment.name}",
                )
            if answer == "skip":
                break
            failed = self._download([d for d in decisions if d.key in failed])
        self._give_up_models(failed)

    def _download(self, decisions: Sequence[ModelAcquisitionDecision]) -> dict[str, str]:
        """Download several models at a time; return what failed, by key with the reason."""
        workspace = self._work.workspace
        report = workspace.reporter.report
        waiting = model_requests(self._work, self._waiting(decisions))
        sizes = [request.size for request in waiting]
        size = sum(filter(None, sizes)) if all(sizes) else None
        count = len(decisions)
        report(StepStarted(step="models", title="Downloading models", count=count, size=size))
        failed: dict[str, str] = {}
        arriving = measured(workspace.root, workspace.tools.downloader.fetch_all(waiting))
        with closing(arriving) as outcomes:
            for request, outcome in outcomes:
                for decision in waiting[request]:
                    with self._given_up("models", request.shown, failed, decision.key):
                        self._take_model(request, decision, outcome)
        detail = f"Downloaded {count - len(failed)}/{count} models"
        report(StepFinished(step="models", detail=detail))
        return failed

    def _waiting(
        self, decisions: Iterable[ModelAcquisitionDecision]
    ) -> list[ModelAcquisitionDecision]:
        return [d for d in decisions if f"model:{d.key}" not in self._journal.done]

    def _take_model(
        self,
        request: DownloadRequest,
        decision: ModelAcquisitionDecision,
        outcome: DownloadResult | ComfydockError,
    ) -> None:
        """Record what became of one model as soon as it is known."""
        if isinstance(outcome, ComfydockError):
            raise outcome
        self._keep(self._journal.with_done(f"model:{decision.key}"))
        finished = ItemFinished(step="models", item=request.shown, detail=request.how_verified)
        self._work.workspace.reporter.report(finished)

    @contextmanager
    def _given_up(self, step: str, item: str, failed: dict[str, str], key: str) -> Iterator[None]:
        """Turn the failure of one item into an entry, so that the rest goes on.

        Not that of a full disk: it would fail all others too, and the same import goes on later.
        """
        try:
            yield
        except DiskFullError:
            raise
        except ComfydockError as error:
            failed[key] = error.in_one_line
            reporter = self._work.workspace.reporter
            reporter.report(ItemFailed(step=step, item=item, reason=failed[key]))
            reporter.write(f"{item}: {error.cause}")
