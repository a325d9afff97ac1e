"""Import: read -> summarise -> plan -> execute -> verify -> report."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from comfydock_core import __version__
from comfydock_core.domain.acquisition import ImportPlan, ImportResult
from comfydock_core.domain.bundle import MANIFEST
from comfydock_core.domain.import_summary import ImportSummary, LocalModels
from comfydock_core.domain.lock import LockedPackage, foreign_packages, parse_lock
from comfydock_core.domain.manifest_parsing import parse_manifest_toml
from comfydock_core.domain.names import checked_environment_name, is_environment_name
from comfydock_core.errors import (
    AnswerNeededError,
    CancelledError,
    ManifestError,
    NotReadyError,
    StorageError,
)
from comfydock_core.importing.bundle_reader import BundleContents, read_bundle
from comfydock_core.importing.execution import Execution, Work, check_bundle_folder
from comfydock_core.importing.plan import PlanChoices, consent_needed, make_plan
from comfydock_core.importing.report import make_result
from comfydock_core.importing.summary import (
    DevelopmentSource,
    OpenedBundle,
    Surroundings,
    summarise,
)
from comfydock_core.importing.verification import find_issues
from comfydock_core.interaction import ImportInteraction, ModelStrategy, Unattended
from comfydock_core.storage.archive import ArchiveMember, contents_digest
from comfydock_core.storage.durable_files import staging_folder, storage_errors
from comfydock_core.storage.model_match import identify
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.journal import Journal, close_journal, journal_of, write_journal
from comfydock_core.workspace.workspace import Workspace

_SCRIPTS = ("install.py", "prestartup_script.py")
_NATIVE = (".so", ".pyd", ".dll", ".dylib", ".exe")
_UNPACKED = "bundle"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportOptions:
    """What the caller decided beforehand; None for ``models`` asks.

    ``trust_code`` consents to code that neither a digest nor a registry vouches for;
    ``person`` says that whoever confirms the plan sees that code listed.
    """

    models: ModelStrategy | None = None
    skip_nodes: bool = False
    torch_backend: str = ""
    trust_code: bool = False
    person: bool = False


class ImportService:
    """Imports bundles into a workspace."""

    def __init__(self, workspace: Workspace, interaction: ImportInteraction | None = None) -> None:
        self._workspace = workspace
        self._interaction: ImportInteraction = interaction or Unattended()

    def import_bundle(
        self,
        bundle_path: Path,
        env_name: str = "",
        skip_models: bool = False,
        skip_nodes: bool = False,
        options: ImportOptions | None = None,
    ) -> ImportResult:
        """Import ``bundle_path`` as a new environment; an interrupted import of it goes on.

        CancelledError when a question is answered with no: then nothing was written.
        """
        chosen = options or ImportOptions()
        if skip_models:
            chosen = replace(chosen, models="skip")
        chosen = replace(chosen, skip_nodes=chosen.skip_nodes or skip_nodes)
        with staging_folder(self._workspace.staging_path, "import-") as staging:
            opened = self._open(bundle_path, staging / _UNPACKED)
            if interrupted := self._interrupted(opened.digest, env_name):
                return self.resume(interrupted)
            plan = self._plan(opened, env_name, chosen)
            self._agree(plan, chosen)
            return self._begin(plan, env_name or opened.bundle.environment_name, staging)

    def plan_import(
        self, bundle_path: Path, env_name: str = "", options: ImportOptions | None = None
    ) -> ImportPlan:
        """Return the plan that ``import_bundle`` would execute, and execute nothing."""
        with staging_folder(self._workspace.staging_path, "import-") as staging:
            opened = self._open(bundle_path, staging / _UNPACKED)
            return self._plan(opened, env_name, options or ImportOptions())

    def _open(self, bundle_path: Path, unpacked: Path) -> OpenedBundle:
        unpacked.mkdir(mode=0o700)
        default = self._workspace.settings.hosts.comfyui_repository
        return open_contents(read_bundle(bundle_path, unpacked), default)

    def resume(self, name: str) -> ImportResult:
        """Go on with an interrupted import; what its plan says was agreed to already."""
        environment = self._workspace.environment(name)
        with self._workspace.lock(name):
            journal = journal_of(environment.path)
            if journal is None or journal.plan is None:
                raise NotReadyError(
                    f"`{name}` is complete: there is no import to go on with", subject=name
                )
            check_bundle_folder(environment.path / _UNPACKED)
            return self._execute(environment, journal, journal.plan)

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

    def _plan(self, opened: OpenedBundle, wanted: str, options: ImportOptions) -> ImportPlan:
        hosts = self._workspace.settings.hosts
        here = Surroundings(
            environment_names=frozenset(self._workspace.environment_names()),
            comfyui_repository=hosts.comfyui_repository,
            registry=hosts.registry,
            version=__version__,
        )
        _check_name(wanted, opened.bundle.environment_name)
        summary = summarise(opened, wanted, here)
        if not self._interaction.confirm_summary(summary):
            raise CancelledError("import cancelled; nothing was changed")
        local = self.local_models(summary)
        strategy = options.models or self._interaction.choose_models(summary, local)
        if strategy is None:
            raise CancelledError("import cancelled; nothing was changed")
        return make_plan(
            summary,
            local,
            PlanChoices(
                models=strategy,
                skip_nodes=options.skip_nodes,
                torch_backend=options.torch_backend
                or self._workspace.settings.python.torch_backend,
                build_allowed=options.trust_code or options.person,
            ),
        )

    def _agree(self, plan: ImportPlan, options: ImportOptions) -> None:
        """Have the plan confirmed; code that nobody vouches for needs a person or a flag."""
        unvouched = consent_needed(plan)
        if unvouched and not (options.trust_code or options.person):
            raise AnswerNeededError(
                f"this bundle brings code that nobody vouches for: {', '.join(unvouched)}",
                hint="look at it, then import with --trust-code",
                subject=unvouched[0],
            )
        if not self._interaction.confirm_plan(plan):
            raise CancelledError("import cancelled; nothing was changed")

    def local_models(self, summary: ImportSummary) -> LocalModels:
        """Find the bundle's models among this machine's, by content."""
        self._workspace.scan_models()
        index = self._workspace.tools.models
        found = {
            key: match
            for key, aggregate in summary.aggregates.items()
            if aggregate.content and (match := identify(aggregate.content, index))
        }
        return LocalModels(
            verified={k: m.model for k, m in found.items() if m.kind == "verified"},
            probable={k: m.model for k, m in found.items() if m.kind == "probable"},
        )

    def _begin(self, plan: ImportPlan, requested: str, staging: Path) -> ImportResult:
        """Take the environment's name and start; from here on a killed run can be resumed.

        The folder appears at once, by rename, with the unpacked bundle and the journal in it.
        """
        name = plan.environment
        environment = Environment(
            name, self._workspace.environments_path / name, self._workspace.tools.git
        )
        journal = Journal(
            work="import",
            bundle=plan.bundle,
            requested=requested,
            plan=plan,
        )
        with self._workspace.lock(name):
            begun = staging / "environment"
            begun.mkdir()
            (staging / _UNPACKED).rename(begun / _UNPACKED)
            write_journal(begun, journal)
            with storage_errors(environment.path):
                begun.rename(environment.path)
            return self._execute(environment, journal, plan)

    def _execute(
        self, environment: Environment, journal: Journal, plan: ImportPlan
    ) -> ImportResult:
        work = Work(
            workspace=self._workspace,
            environment=environment,
            plan=plan,
            bundle=environment.path / _UNPACKED,
        )
        with self._workspace.reporter.log_to(self._workspace.log_path(environment.name)):
            outcomes = Execution(work, journal).run()
            issues = find_issues(self._workspace, environment, plan)
        result = make_result(plan, outcomes, issues)
        close_journal(environment.path)
        shutil.rmtree(work.bundle)
        return replace(result, environment_path=environment.path)


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


def open_contents(contents: BundleContents, comfyui_repository: str) -> OpenedBundle:
    """Parse what the strict reader let through.

    ``comfyui_repository`` stands in where the bundle names none: one from a folder of its author's.
    """
    manifest = parse_manifest_toml(contents.pyproject_path.read_bytes())
    lock = parse_lock(contents.lock_path.read_bytes())
    if "://" not in manifest.comfyui_repository:
        manifest = replace(manifest, comfyui_repository=comfyui_repository)
    return OpenedBundle(
        bundle=contents.manifest,
        manifest=manifest,
        lock=lock,
        development=tuple(
            _development(name, members) for name, members in sorted(contents.dev_nodes.items())
        ),
        digest=contents.digest,
        warnings=(*contents.warnings, *_left_out(lock)),
    )


def _left_out(lock: tuple[LockedPackage, ...]) -> Iterable[str]:
    """Say which packages of a lock are not taken over: those that no index has."""
    for package in foreign_packages(lock):
        yield (
            f"Python package {package.name} came from {package.source} {package.address} "
            "and is not taken from there"
        )


def _development(name: str, members: Iterable[ArchiveMember]) -> DevelopmentSource:
    files = tuple(members)
    names = {member.path.rpartition("/")[2].lower() for member in files}
    native = any(name.endswith(_NATIVE) for name in names)
    return DevelopmentSource(
        name=name,
        files=len(files),
        digest=contents_digest(files),
        scripts=(
            *(script for script in _SCRIPTS if script in names),
            *(("native code",) if native else ()),
        ),
    )
