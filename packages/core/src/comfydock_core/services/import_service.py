"""Import: read -> summarise -> plan -> execute -> verify -> report."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from comfydock_core.domain.acquisition import ImportPlan, ImportResult
from comfydock_core.domain.bundle import MANIFEST
from comfydock_core.domain.names import (
    checked_environment_name,
    checked_python_version,
    is_environment_name,
)
from comfydock_core.domain.plan_text import PlanLine
from comfydock_core.domain.untrusted import redact_secrets
from comfydock_core.errors import ManifestError, NotReadyError, StorageError, UsageError
from comfydock_core.events import Notice
from comfydock_core.importing.before_the_plan import MachineFacts, look_ahead
from comfydock_core.importing.bundle_source import forget_fetched, local_bundle
from comfydock_core.importing.execution import Execution
from comfydock_core.importing.import_steps import Work
from comfydock_core.importing.opening import open_bundle, surroundings_of
from comfydock_core.importing.report import make_result
from comfydock_core.importing.summary import OpenedBundle, free_name, summarise
from comfydock_core.importing.unpacked_bundle import check_unpacked, folder_digest
from comfydock_core.importing.verification import absent_models, look_again
from comfydock_core.interaction import (
    ImportInteraction,
    ImportModelAcquisitionStrategy,
    ModelStrategy,
    Unattended,
)
from comfydock_core.services.import_deciding import ImportDeciding, with_typed_hosts
from comfydock_core.services.import_questions import cancelled
from comfydock_core.storage.durable_files import remove_folder, staging_folder, storage_errors
from comfydock_core.storage.machine import ThisMachine
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.journal import Journal, close_journal, journal_of, write_journal
from comfydock_core.workspace.workspace import Workspace

_UNPACKED = "bundle"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportOptions:
    """What the caller decided beforehand; None for ``models`` asks.

    ``lines`` decide about single nodes and models; ``plan_text`` (``domain/plan_text.py``) decides
    about all of them, and nothing else counts then.
    ``python_version`` replaces the bundle's. ``ask_hosts`` has the plan held against what its hosts
    say, once the summary that names them is confirmed. ``verify`` starts ComfyUI once at the end.
    ``trust_code`` consents to code that neither a digest nor a registry vouches for;
    ``person`` says that whoever confirms the plan sees that code listed. ``answers`` are flags that
    the interaction decides by, as they were typed.
    """

    models: ModelStrategy | None = None
    skip_nodes: bool = False
    lines: tuple[PlanLine, ...] = ()
    plan_text: str = ""
    torch_backend: str = ""
    python_version: str = ""
    ask_hosts: bool = True
    verify: bool = True
    trust_code: bool = False
    person: bool = False
    answers: tuple[str, ...] = ()

    @property
    def decisions(self) -> tuple[str, ...]:
        """What of this decides about the plan, in words that can be compared and shown."""
        plan = hashlib.sha256(self.plan_text.encode()).hexdigest()[:12]
        said = (
            f"--models {self.models}" if self.models else "",
            "--skip-nodes" if self.skip_nodes else "",
            f"--plan ({plan})" if self.plan_text else "",
            f"--torch-backend {self.torch_backend}" if self.torch_backend else "",
            f"--python {self.python_version}" if self.python_version else "",
        )
        return (*filter(None, said), *map(_shown, self.lines), *self.answers)


class ImportService:
    """Imports bundles into a workspace.

    ``models`` decides about the models that are not here where no option does; without it the
    interaction is asked. ``machine`` is what a plan is held against: this machine, if None.
    """

    def __init__(
        self,
        workspace: Workspace,
        interaction: ImportInteraction | None = None,
        models: ImportModelAcquisitionStrategy | None = None,
        machine: MachineFacts | None = None,
    ) -> None:
        self._workspace = workspace
        self._machine = machine or ThisMachine(workspace.process_environment)
        self._models = models
        self._interaction: ImportInteraction = interaction or Unattended()

    def import_bundle(
        self,
        bundle_path: Path | str,
        env_name: str = "",
        skip_models: bool = False,
        skip_nodes: bool = False,
        options: ImportOptions | None = None,
    ) -> ImportResult:
        """Import ``bundle_path`` as a new environment; an interrupted import of it goes on.

        A text may be an ``https://`` address, with ``#sha256=…`` where the digest is known: it is
        fetched first, and naming it is the consent to ask its host.
        CancelledError when a question is answered with no: then nothing was written.
        """
        chosen = options or ImportOptions()
        if skip_models:
            chosen = replace(chosen, models="skip")
        chosen = replace(chosen, skip_nodes=chosen.skip_nodes or skip_nodes)
        archive = local_bundle(self._workspace, bundle_path)
        with staging_folder(self._workspace.staging_path, "import-") as staging:
            opened = open_bundle(self._workspace, archive, staging / _UNPACKED)
            if cut := self._cut_short(opened.digest, env_name, chosen):
                return self._go_on(cut.environment, chosen.verify, archive, staging / _UNPACKED)
            plan = self._deciding(opened, env_name, chosen).agreed_plan()
            journal = Journal(
                work="import",
                bundle=plan.bundle,
                unpacked=opened.unpacked,
                archive=str(archive.absolute()),
                requested=env_name or opened.bundle.environment_name,
                decisions=chosen.decisions,
            )
            return self._begin(journal, plan, staging, chosen.verify)

    def plan_import(
        self, bundle_path: Path | str, env_name: str = "", options: ImportOptions | None = None
    ) -> ImportPlan:
        """Return the plan that ``import_bundle`` would execute, and execute nothing.

        That of an import of this bundle that was cut short is the one that was agreed to.
        """
        chosen = options or ImportOptions()
        archive = local_bundle(self._workspace, bundle_path)
        with staging_folder(self._workspace.staging_path, "import-") as staging:
            opened = open_bundle(self._workspace, archive, staging / _UNPACKED)
            if cut := self._cut_short(opened.digest, env_name, chosen):
                return cut
            return self._deciding(opened, env_name, chosen).plan

    def plan_to_resume(self, name: str) -> ImportPlan:
        """Return the plan that ``resume`` would go on with, and execute nothing."""
        return _interrupted_import(self._workspace.environment(name))[1]

    def resume(self, name: str, archive: Path | None = None, verify: bool = True) -> ImportResult:
        """Go on with an interrupted import; what its plan says was agreed to already.

        ``archive`` is where its bundle lies now, if that is not where it lay. ``verify`` starts
        ComfyUI once at the end.
        """
        return self._go_on(name, verify, archive)

    def _go_on(
        self, name: str, verify: bool, archive: Path | None = None, fresh: Path | None = None
    ) -> ImportResult:
        """Resume; ``fresh`` is the same bundle unpacked again, which takes the place of the old."""
        environment = self._workspace.environment(name)
        with self._workspace.lock(name):
            journal, plan = _interrupted_import(environment)
            if archive:
                journal = replace(journal, archive=str(archive.absolute()))
            if fresh:
                journal = replace(journal, unpacked=folder_digest(fresh))
                remove_folder(environment.path / _UNPACKED, self._workspace.root / "cache/trash")
                with storage_errors(environment.path):
                    fresh.rename(environment.path / _UNPACKED)
                write_journal(environment.path, journal)
            return self._execute(environment, journal, plan, verify)

    def _cut_short(self, digest: str, wanted: str, chosen: ImportOptions) -> ImportPlan | None:
        """Return the plan of an import of the same contents that was cut short, and say so.

        UsageError where ``chosen`` decides what that plan did not: it was agreed to as it is.
        """
        name = self._interrupted(digest, wanted)
        if not name:
            return None
        journal, plan = _interrupted_import(self._workspace.environment(name))
        others = [said for said in chosen.decisions if said not in journal.decisions]
        if others:
            raise UsageError(
                f"the import of `{name}` was cut and goes on by the plan that was agreed to, "
                f"which `{others[0]}` cannot change",
                hint=f"leave that out, or begin anew after: comfydock delete {name}",
                subject=others[0],
            )
        text = f"Going on with the import of `{name}` that was cut; its plan was agreed to then"
        self._workspace.reporter.report(Notice(text=text))
        return plan

    def _interrupted(self, digest: str, wanted: str) -> str:
        """Return the environment in which an import of the same contents was cut short."""
        for name in self._workspace.environment_names():
            # One that cannot be read is another import's matter: `list` and `status` tell of it.
            journal = None
            with suppress(StorageError):
                journal = journal_of(self._workspace.environments_path / name)
            ours = journal is not None and journal.bundle == digest
            if ours and wanted in ("", name, journal.requested if journal else ""):
                return name
        return ""

    def _deciding(
        self, opened: OpenedBundle, wanted: str, options: ImportOptions
    ) -> ImportDeciding:
        _check_name(wanted, opened.bundle.environment_name)
        if version := checked_python_version(options.python_version):
            manifest = replace(opened.manifest, python_version=version)
            opened = replace(opened, manifest=manifest)
        summary = summarise(opened, wanted, surroundings_of(self._workspace))
        summary = with_typed_hosts(summary, options)
        if not self._interaction.confirm_summary(summary):
            raise cancelled()
        look = partial(
            look_ahead, self._workspace, opened, machine=self._machine, ask_hosts=options.ask_hosts
        )
        return ImportDeciding(
            self._workspace, self._interaction, options, summary, self._models, look
        )

    def _begin(
        self, journal: Journal, plan: ImportPlan, staging: Path, verify: bool
    ) -> ImportResult:
        """Take the environment's name and start; from here on a killed run can be resumed.

        The folder appears at once, by rename, with the unpacked bundle and the journal in it.
        A name that was taken since the plan was made gets a suffix.
        """
        name = plan.environment
        path = self._workspace.environments_path / name
        if not os.path.lexists(path):
            with self._workspace.lock(name):
                # Whoever had the lock until now may have taken the name.
                if not os.path.lexists(path):
                    journal = replace(journal, plan=plan)
                    begun = staging / "environment"
                    begun.mkdir()
                    (staging / _UNPACKED).rename(begun / _UNPACKED)
                    write_journal(begun, journal)
                    with storage_errors(path):
                        begun.rename(path)
                    environment = Environment(name, path, self._workspace.tools.git)
                    return self._execute(environment, journal, plan, verify)
        return self._begin(journal, self._renamed(plan), staging, verify)

    def _renamed(self, plan: ImportPlan) -> ImportPlan:
        """Return the plan for the next free name: its own was taken since it was made."""
        taken = frozenset(path.name for path in self._workspace.environments_path.iterdir())
        free = free_name(plan.environment, taken)
        text = f"`{plan.environment}` was taken meanwhile, so the import makes `{free}`"
        self._workspace.reporter.report(Notice(text=text))
        return replace(plan, environment=free)

    def _execute(
        self, environment: Environment, journal: Journal, plan: ImportPlan, verify: bool
    ) -> ImportResult:
        work = Work(
            workspace=self._workspace,
            environment=environment,
            plan=plan,
            bundle=environment.path / _UNPACKED,
        )
        hint = "run the same `comfydock import BUNDLE` command again"
        check_unpacked(work.bundle, journal.unpacked, hint)
        with self._workspace.reporter.log_to(self._workspace.log_path(environment.name)):
            outcomes = Execution(work, journal, self._interaction.after_failures).run()
            issues = look_again(self._workspace, environment, plan, start=verify)
        absent = absent_models(self._workspace, plan)
        result = make_result(plan, outcomes, issues, absent)
        close_journal(environment.path)
        forget_fetched(self._workspace, Path(journal.archive))
        shutil.rmtree(work.bundle)
        return replace(result, environment_path=environment.path)


def _interrupted_import(environment: Environment) -> tuple[Journal, ImportPlan]:
    journal = journal_of(environment.path)
    if journal is None or journal.plan is None:
        environment.check_complete(journal)
        raise NotReadyError(
            f"`{environment.name}` is complete: there is no import to go on with",
            subject=environment.name,
        )
    return journal, journal.plan


def _shown(line: PlanLine) -> str:
    """Say a decision in one line; no address that was typed brings a token into a file."""
    value = f"={redact_secrets(line.value)}" if line.value else ""
    limits = f" ({', '.join(line.workflows)})" if line.workflows else ""
    return f"{line.place} {line.name}{value}{limits}"


def _check_name(wanted: str, bundled: str) -> None:
    """Check the name that the user wants, else the one that the bundle brings."""
    if wanted:
        checked_environment_name(wanted)
    elif not is_environment_name(bundled):
        raise ManifestError(
            f"`environment_name` in `{MANIFEST}` is no name for an environment: {bundled[:80]!a}",
            hint="choose one with --name NAME",
            subject="environment_name",
        )
