"""Export: validate -> resolve -> enrich -> gather -> look for secrets -> write, in that order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from comfydock_core.domain.bundle import LOCK, PROFILES, PYPROJECT, PYTHON_VERSION, BundleManifest
from comfydock_core.domain.exporting import ExportResult, ExportValidation
from comfydock_core.domain.lock import parse_lock, without_places
from comfydock_core.domain.lock_subset import without_other_groups
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.secret_findings import Finding
from comfydock_core.errors import (
    AnswerNeededError,
    CancelledError,
    ComfydockError,
    NotReadyError,
    StorageError,
)
from comfydock_core.events import Notice, StepFinished
from comfydock_core.exporting.bundle_writer import ExportBundle
from comfydock_core.exporting.description import describe, export_time, free_name
from comfydock_core.exporting.enrichment import (
    estimated_seconds,
    lacking_digests,
    local_only,
    read_digests,
    with_index,
)
from comfydock_core.exporting.gathering import GatheredFiles, gather
from comfydock_core.exporting.input_files import DEFAULT_BUDGET
from comfydock_core.exporting.private_data import Searched, owner_of, search_private
from comfydock_core.exporting.selection import (
    Selection,
    contents_of,
    select,
    without_development_nodes,
)
from comfydock_core.exporting.sources import settle_sources, without_sources
from comfydock_core.exporting.validation import of_workflows, validate
from comfydock_core.importing.model_places import check_model_places
from comfydock_core.interaction import ExportInteraction, Unattended
from comfydock_core.services.resolve_service import ResolveService
from comfydock_core.storage.durable_files import staging_folder, storage_errors
from comfydock_core.storage.project_file import project_text
from comfydock_core.workspace import workflows
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """What the caller decided beforehand.

    ``workflows`` are the ones to export, all where it is empty. ``allow_issues`` exports what is
    open too: the bundle says so, and the receiver's plan shows it. ``inputs`` are the bytes of
    input files that may travel. ``accepted`` are the identities of secrets that may travel.
    """

    overwrite: bool = False
    allow_issues: bool = False
    workflows: tuple[str, ...] = ()
    profile: str = PROFILES[0]
    inputs: int = DEFAULT_BUDGET
    accepted: frozenset[str] = frozenset()


class ExportService:
    """Exports one environment; usable without any front end.

    Without a ``workspace`` the one that the environment lies in is opened.
    """

    def __init__(
        self,
        environment: Environment,
        workspace: Workspace | None = None,
        interaction: ExportInteraction | None = None,
    ) -> None:
        self._environment = environment
        self._workspace = workspace or Workspace.open(environment.path.parent.parent)
        self._interaction: ExportInteraction = interaction or Unattended()
        self._commits: list[str] = []

    def export(
        self,
        output_path: Path | None = None,
        interactive: bool = True,
        options: ExportOptions | None = None,
    ) -> ExportResult:
        """Write the bundle of the last commit and return what is in it.

        ``interactive`` False asks nothing. The bundle has been read back by the strict reader
        when this returns.
        """
        chosen = options or ExportOptions()
        contents_of(chosen.profile)
        target = _target(output_path, self._environment, chosen.overwrite)
        if not interactive:
            self._interaction = Unattended()
        with self._workspace.lock(self._environment.name):
            validation = self._settle(chosen)
            selection = self._selected(self.enrich_model_metadata(), chosen)
            return self.create_bundle(selection, validation, chosen, target)

    def validate_for_export(self) -> ExportValidation:
        """Check for uncommitted changes and for open issues of workflows."""
        environment = self._environment
        self._workspace.scan_models()
        manifest = environment.manifest()
        return validate(
            manifest,
            self._history.changes(),
            workflows.changes(environment),
            workflows.analyse_all(self._workspace, environment, manifest),
        )

    @property
    def _history(self) -> History:
        return History(self._environment, self._workspace.tools.git)

    def _settle(self, options: ExportOptions) -> ExportValidation:
        """Validate, have what is open resolved, and validate again."""
        found = self._validated(options)
        if options.allow_issues or not found.issues:
            return found
        answer = self._interaction.confirm_resolution(found)
        if answer is None:
            choice = "; `--allow-issues` exports them too"
            raise _open_issues(self._environment.name, found, AnswerNeededError, choice)
        if not answer:
            raise CancelledError("export cancelled; nothing was written")
        self._resolve(found)
        found = self._validated(options)
        if found.issues:
            raise _open_issues(self._environment.name, found, NotReadyError, "")
        return found

    def _validated(self, options: ExportOptions) -> ExportValidation:
        found = self.validate_for_export()
        self._require_committed(found)
        if options.workflows:
            selected = select(self._environment.manifest(), options.workflows)
            found = of_workflows(found, selected.manifest.workflows)
        self._interaction.show_validation(found)
        return found

    def _resolve(self, validation: ExportValidation) -> None:
        """Ask about every workflow with issues, then commit what was answered."""
        service = ResolveService(
            self._environment, self._workspace, models=self._interaction, nodes=self._interaction
        )
        for workflow in validation.workflows:
            if workflow.issues:
                service.resolve(workflow.name)
        workflows.record_workflows(self._workspace, self._environment)
        self._commit("Pre-export resolution")

    def _commit(self, message: str) -> None:
        """Commit what changed, and say so: nobody else will."""
        if self._history.commit(message):
            self._commits.append(message)
            said = StepFinished(step="commit", detail=f"committed: {message}")
            self._workspace.reporter.report(said)

    def _require_committed(self, validation: ExportValidation) -> None:
        name = self._environment.name
        if validation.obstacles:
            raise NotReadyError(
                "Cannot export with uncommitted changes. Commit first.",
                cause="\n".join(validation.obstacles),
                hint=f'comfydock -e {name} commit -m "Pre-export checkpoint"',
                subject=name,
            )

    def enrich_model_metadata(self) -> Manifest:
        """Find digests and sources of all models; what is new is committed.

        A model whose digests are not wanted is local-only: the bundle has no address for it.
        """
        workspace, environment = self._workspace, self._environment
        before = environment.manifest()
        known = with_index(workspace, before)
        lacking = lacking_digests(workspace, known)
        wanted = not lacking or self._interaction.confirm_hashing(
            lacking, estimated_seconds(workspace, lacking)
        )
        if lacking and wanted:
            read_digests(workspace, lacking)
            known = with_index(workspace, known)
        wrong = settle_sources(workspace, known, self._interaction.enter_source)
        enriched = without_sources(with_index(workspace, known), wrong)
        if enriched != before:
            environment.write_manifest(enriched)
            self._commit("Pre-export: model digests and sources")
        return enriched if wanted else local_only(enriched)

    def _selected(self, manifest: Manifest, options: ExportOptions) -> Selection:
        """Return what travels; a ComfyUI from a folder of this machine has no address."""
        if "://" not in manifest.comfyui_repository:
            manifest = replace(manifest, comfyui_repository="")
        selection = Selection(manifest=manifest)
        if options.workflows:
            selection = select(manifest, options.workflows)
        check_model_places(selection.manifest, "rename one of the two files, then commit again")
        if contents_of(options.profile).node_sources:
            return selection
        return without_development_nodes(selection)

    def create_bundle(
        self,
        selection: Selection,
        validation: ExportValidation,
        options: ExportOptions,
        target: Path,
    ) -> ExportResult:
        """Gather what travels, show what is private in it, and write it to ``target``."""
        workspace, manifest = self._workspace, selection.manifest
        contents = contents_of(options.profile)
        gathered = gather(workspace, self._environment, manifest, contents, options.inputs)
        about = replace(
            describe(manifest, gathered, options.profile, validation.issues),
            environment_name=self._environment.name,
            timestamp=export_time(workspace.process_environment),
            exported_commit=self._history.head(),
        )
        with staging_folder(workspace.staging_path, "export-") as staging:
            bundle = self._bundle(manifest, gathered, about, staging)
            searched = self._searched(bundle)
            private = self._require_no_secrets(searched.findings, options.accepted)
            warnings = _warnings(selection, gathered, private)
            for warning in warnings:
                workspace.reporter.report(Notice(text=warning))
            size = gathered.size + sum(path.stat().st_size for path in staging.iterdir())
            if not self._interaction.confirm_bundle(size):
                raise CancelledError("export cancelled; nothing was written")
            with storage_errors(target):
                # What is written has to be what was searched.
                bundle = replace(bundle, file_digests=searched.digests)
                bundle.to_tarball(target, overwrite=options.overwrite)
        result = _result(target, selection.manifest, gathered, warnings)
        return replace(result, commits=tuple(self._commits))

    def _bundle(
        self, manifest: Manifest, gathered: GatheredFiles, about: BundleManifest, staging: Path
    ) -> ExportBundle:
        """Write into ``staging`` the files that a bundle has in another form than ``.cec``."""
        environment = self._environment
        with storage_errors(environment.cec_path):
            version = (environment.cec_path / PYTHON_VERSION).read_bytes()
            lock = environment.lock_path.read_bytes()
        parse_lock(lock)
        text = without_places(without_other_groups(lock.decode(), manifest.groups))
        (staging / LOCK).write_bytes(text.encode())
        (staging / PYTHON_VERSION).write_bytes(version)
        (staging / PYPROJECT).write_text(project_text(manifest), encoding="utf-8")
        return ExportBundle(
            pyproject_path=staging / PYPROJECT,
            uv_lock_path=staging / LOCK,
            python_version_path=staging / PYTHON_VERSION,
            workflows_dir=None,
            dev_nodes_dir=None,
            files=gathered.files,
            models=gathered.models,
            model_digests=gathered.model_digests,
            manifest=about,
            mtime=self._history.head_time(),
        )

    def _searched(self, bundle: ExportBundle) -> Searched:
        own = {PYPROJECT: bundle.pyproject_path, LOCK: bundle.uv_lock_path}
        owner = owner_of(self._workspace.process_environment)
        return search_private({**own, **bundle.files}, owner)

    def _require_no_secrets(
        self, found: Sequence[Finding], accepted: frozenset[str]
    ) -> tuple[Finding, ...]:
        """Have secrets accepted by name, and return the private details that travel."""
        secrets = [f for f in found if f.severity == "secret" and f.identity not in accepted]
        if secrets:
            answer = self._interaction.accept_findings(secrets)
            if answer is None:
                raise _secrets_would_leave(secrets)
            if not answer:
                raise CancelledError("export cancelled; nothing was written")
        return tuple(finding for finding in found if finding.severity == "private")


def _target(chosen: Path | None, environment: Environment, overwrite: bool) -> Path:
    """Return where the bundle goes; refuse a name that is taken before any work is done."""
    name = environment.name
    target = chosen or free_name(Path.cwd(), name)
    with storage_errors(target):
        is_folder, is_taken = target.is_dir(), target.exists()
    if is_folder:
        raise StorageError(
            f"`{target}` is a folder",
            hint=f"name the file in it: --output {quote(str(free_name(target, name)))}",
            subject=str(target),
        )
    _require_outside(target, environment)
    if is_taken and not overwrite:
        raise StorageError(
            f"`{target}` is already there and is not overwritten",
            hint="choose another name with --output, or add --force",
            subject=str(target),
        )
    return target


def _require_outside(target: Path, environment: Environment) -> None:
    """Refuse a place whose files the next commit or export would take in."""
    place = os.path.realpath(target)
    for folder in (environment.cec_path, environment.custom_nodes_path):
        if Path(place).is_relative_to(os.path.realpath(folder)):
            raise StorageError(
                f"`{target}` lies among the files that are exported",
                hint="choose a place outside the environment with --output",
                subject=str(target),
            )


def _open_issues(
    name: str, validation: ExportValidation, kind: type[ComfydockError], choice: str
) -> ComfydockError:
    first = validation.issues[0]
    return kind(
        f"`{name}` has {_counted(len(validation.issues), 'open issue')} in its workflows{choice}",
        cause="\n".join(f"{i.workflow}: {i.sentence}" for i in validation.issues),
        hint=f"comfydock -e {name} workflow resolve {quote(first.workflow)}",
        subject=first.subject,
    )


def _secrets_would_leave(secrets: Sequence[Finding]) -> AnswerNeededError:
    accepting = " ".join(f"--accept-finding {finding.identity}" for finding in secrets)
    return AnswerNeededError(
        f"{_counted(len(secrets), 'secret')} would leave with the bundle",
        cause="\n".join(finding.line_of_text for finding in secrets),
        hint=f"take them out, or let them travel: {accepting}",
        subject=secrets[0].place,
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _warnings(
    selection: Selection, gathered: GatheredFiles, private: Sequence[Finding]
) -> tuple[str, ...]:
    """Say what does not travel, and what does although it is private."""
    return (
        *gathered.warnings,
        *(f"node {name} stays behind" for name in selection.left_out),
        *(f"private: {finding.described}" for finding in private),
    )


def _result(
    target: Path, manifest: Manifest, gathered: GatheredFiles, warnings: tuple[str, ...]
) -> ExportResult:
    return ExportResult(
        path=target,
        size=target.stat().st_size,
        workflows=len(manifest.workflows),
        nodes=len(manifest.nodes),
        development_nodes=len(manifest.nodes_by_source("development")),
        models=len(manifest.models),
        inputs=gathered.inputs,
        model_files=len(gathered.models),
        unknown_sources=tuple(m.filename for m in manifest.models.values() if not m.sources),
        warnings=warnings,
    )
