"""Export: validate -> enrich -> write, in that order, nothing else."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote

from comfydock_core import __version__
from comfydock_core.domain.bundle import (
    DEV_NODES,
    LOCK,
    PYPROJECT,
    PYTHON_VERSION,
    WORKFLOWS,
    BundleManifest,
)
from comfydock_core.domain.exporting import ExportResult, ExportValidation
from comfydock_core.domain.lock import parse_lock, without_places
from comfydock_core.domain.manifest import Manifest
from comfydock_core.errors import CancelledError, ComfydockError, NotReadyError, StorageError
from comfydock_core.exporting.bundle_writer import ExportBundle
from comfydock_core.exporting.enrichment import enrich_models
from comfydock_core.exporting.validation import validate
from comfydock_core.interaction import ExportInteraction, Unattended
from comfydock_core.storage.development_source import development_files
from comfydock_core.storage.durable_files import staging_folder, storage_errors, tree_size
from comfydock_core.storage.hashing import SHORT_HASH_SCHEME
from comfydock_core.storage.project_file import project_text
from comfydock_core.workspace import workflows
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.workspace import Workspace


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

    def export(self, output_path: Path | None = None, interactive: bool = True) -> ExportResult:
        """Write the bundle of the last commit and return what is in it.

        ``interactive`` False asks nothing. The bundle has been read back by the strict reader
        when this returns; nothing is overwritten.
        """
        environment = self._environment
        with self._workspace.lock(environment.name):
            self._require_valid(self.validate_for_export())
            manifest = self.enrich_model_metadata()
            with staging_folder(self._workspace.staging_path, "export-") as staging:
                bundle = self._gather(manifest, staging)
                if interactive and not self._interaction.confirm_bundle(tree_size(staging)):
                    raise CancelledError("export cancelled; nothing was written")
                return self.create_bundle(bundle, manifest, output_path)

    def validate_for_export(self) -> ExportValidation:
        """Check for uncommitted changes and for open issues of workflows."""
        environment = self._environment
        self._workspace.scan_models()
        manifest = environment.manifest()
        return validate(
            manifest,
            History(environment, self._workspace.tools.git).changes(),
            workflows.changes(environment),
            workflows.analyse_all(self._workspace, environment, manifest),
        )

    def _require_valid(self, validation: ExportValidation) -> None:
        name = self._environment.name
        if validation.obstacles:
            raise NotReadyError(
                "Cannot export with uncommitted changes. Commit first.",
                cause="\n".join(validation.obstacles),
                hint=f'comfydock -e {name} commit -m "Pre-export checkpoint"',
                subject=name,
            )
        if validation.issues:
            first = validation.issues[0]
            raise NotReadyError(
                f"`{name}` has {len(validation.issues)} open issue(s) in its workflows",
                cause="\n".join(f"{i.workflow}: {i.sentence}" for i in validation.issues),
                hint=f"comfydock -e {name} workflow resolve {quote(first.workflow)}",
                subject=first.subject,
            )

    def enrich_model_metadata(self) -> Manifest:
        """Add digests and sources to the manifest, committing it when that changes something."""
        environment = self._environment
        manifest = environment.manifest()
        enriched = enrich_models(self._workspace, manifest)
        if enriched != manifest:
            environment.write_manifest(enriched)
            history = History(environment, self._workspace.tools.git)
            history.commit("Pre-export: model digests and sources")
        return enriched

    def _gather(self, manifest: Manifest, staging: Path) -> ExportBundle:
        """Lay the bundle's files out in ``staging``; only what git would track of a node."""
        environment = self._environment
        travelling = _travelling(manifest)
        (staging / PYPROJECT).write_text(project_text(travelling), encoding="utf-8")
        with storage_errors(environment.cec_path):
            version = (environment.cec_path / PYTHON_VERSION).read_bytes()
            lock = environment.lock_path.read_bytes()
        parse_lock(lock)
        (staging / PYTHON_VERSION).write_bytes(version)
        (staging / LOCK).write_bytes(without_places(lock.decode()).encode())
        for name, path in workflows.workflow_files(environment.workflows_cec_path).items():
            _copy(path, staging / WORKFLOWS / f"{name}.json")
        empty = self._workspace.root / "cache" / "git" / "empty.git"
        for node in manifest.nodes_by_source("development"):
            source = environment.custom_nodes_path / node.name
            for inner in development_files(self._workspace.tools.git, source, empty):
                _copy(source / inner, staging / DEV_NODES / node.name / inner)
        return ExportBundle(
            pyproject_path=staging / PYPROJECT,
            uv_lock_path=staging / LOCK,
            python_version_path=staging / PYTHON_VERSION,
            workflows_dir=staging / WORKFLOWS,
            dev_nodes_dir=staging / DEV_NODES,
            manifest=self._bundle_manifest(travelling),
            mtime=History(environment, self._workspace.tools.git).head_time(),
        )

    def _bundle_manifest(self, manifest: Manifest) -> BundleManifest:
        environment = self._environment
        names = sorted(workflows.workflow_files(environment.workflows_cec_path))
        return BundleManifest(
            timestamp=_timestamp(self._workspace.process_environment),
            comfydock_version=__version__,
            environment_name=environment.name,
            workflows=tuple(f"{name}.json" for name in names),
            python_version=manifest.python_version,
            comfyui_version=manifest.comfyui_version,
            platform=sys.platform,
            total_models=len(manifest.models),
            total_nodes=len(manifest.nodes),
            exported_commit=History(environment, self._workspace.tools.git).head(),
            hash_scheme=SHORT_HASH_SCHEME,
        )

    def create_bundle(
        self, bundle: ExportBundle, manifest: Manifest, output_path: Path | None = None
    ) -> ExportResult:
        """Write the gathered files to ``output_path``, or to a new name in the current folder."""
        target = output_path or _free_name(Path.cwd(), self._environment.name)
        if target.exists():
            raise StorageError(
                f"`{target}` is already there and is not overwritten",
                hint="choose another name with --output",
                subject=str(target),
            )
        with storage_errors(target):
            path = bundle.to_tarball(target)
        return ExportResult(
            path=path,
            size=path.stat().st_size,
            workflows=len(bundle.manifest.workflows),
            nodes=len(manifest.nodes),
            development_nodes=len(manifest.nodes_by_source("development")),
            models=len(manifest.models),
            unknown_sources=tuple(
                model.filename for model in manifest.models.values() if not model.sources
            ),
        )


def _travelling(manifest: Manifest) -> Manifest:
    """Return the manifest without what only this machine has: a ComfyUI from a local folder."""
    local = "://" not in manifest.comfyui_repository
    return replace(manifest, comfyui_repository="") if local else manifest


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _timestamp(environment: Mapping[str, str]) -> str:
    """Return now, or ``SOURCE_DATE_EPOCH`` where reproducible output is wanted."""
    epoch = environment.get("SOURCE_DATE_EPOCH", "")
    if epoch and not epoch.isdigit():
        raise ComfydockError("`SOURCE_DATE_EPOCH` must be a number of seconds")
    now = (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        if epoch
        else datetime.datetime.now(datetime.UTC)
    )
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _free_name(folder: Path, environment: str) -> Path:
    """Return ``<env>_export_<date>.tar.gz`` with a counter where that is taken."""
    stem = f"{environment}_export_{datetime.date.today():%Y-%m-%d}"
    target = folder / f"{stem}.tar.gz"
    counter = 1
    while target.exists():
        counter += 1
        target = folder / f"{stem}-{counter}.tar.gz"
    return target
