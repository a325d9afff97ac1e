"""Inspect: what is in a bundle, without any network, without running or keeping any of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from comfydock_core.domain.bundle import WORKFLOWS
from comfydock_core.domain.import_summary import ImportSummary
from comfydock_core.domain.lenient_json import fast_decoder
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.errors import WorkflowError
from comfydock_core.importing.bundle_reader import read_bundle
from comfydock_core.importing.inspection import (
    BundleDifference,
    EnvironmentState,
    InspectedWorkflow,
    Inspection,
    compare,
    environment_size,
)
from comfydock_core.importing.opening import open_contents, surroundings_of
from comfydock_core.importing.summary import summarise
from comfydock_core.storage.durable_files import staging_folder, storage_errors
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workflows import differ, workflow_files
from comfydock_core.workspace.workspace import Workspace


class InspectService:
    """Looks at bundles with the eyes of a workspace, which it leaves as it is."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def inspect(self, path: Path, against: Environment | None = None) -> Inspection:
        """Read and check the bundle at ``path`` and say what it holds.

        ``against`` adds how it differs from an environment. Models count as here by the digests
        that the index has already: no file is read for it.
        """
        here = surroundings_of(self._workspace)
        with staging_folder(self._workspace.staging_path, "inspect-") as staging:
            contents = read_bundle(path, staging)
            opened = open_contents(contents, here.comfyui_repository)
            summary = summarise(opened, "", here)
            files = workflow_files(staging / WORKFLOWS)
            with storage_errors(path):
                size = path.stat().st_size
            return Inspection(
                path=path,
                size=size,
                opened=opened,
                summary=summary,
                workflows=tuple(_workflows(summary.manifest, files)),
                environment_size=environment_size(
                    opened, self._workspace.settings.python.torch_backend
                ),
                difference=self._difference(summary, files, against) if against else None,
            )

    def _difference(
        self, summary: ImportSummary, files: dict[str, Path], against: Environment
    ) -> BundleDifference:
        here = workflow_files(against.workflows_path)
        changed = {name: name in files and differ(path, files[name]) for name, path in here.items()}
        state = EnvironmentState(
            name=against.name,
            manifest=against.manifest(),
            workflows=changed,
            models=frozenset(self._known_models(summary)),
            likely=frozenset(self._likely_models(summary)),
        )
        return compare(summary, files, state)

    def _known_models(self, summary: ImportSummary) -> Iterator[str]:
        index = self._workspace.tools.models
        for key, aggregate in summary.aggregates.items():
            content = aggregate.content
            if content and (content.sha256_hash or content.blake3_hash):
                found = index.by_digest(sha256=content.sha256_hash, blake3=content.blake3_hash)
                if any(index.is_as_scanned(model) for model in found):
                    yield key

    def _likely_models(self, summary: ImportSummary) -> Iterator[str]:
        """Yield the keys of models that have the size and the sampled hash of a file here."""
        index = self._workspace.tools.models
        for key, aggregate in summary.aggregates.items():
            content = aggregate.content
            found = index.by_short_hash(content.hash) if content else ()
            if any(model.size == aggregate.total_size for model in found):
                yield key


def _workflows(manifest: Manifest, files: dict[str, Path]) -> Iterator[InspectedWorkflow]:
    for name in sorted(files.keys() | manifest.workflows.keys()):
        recorded = manifest.workflows.get(name)
        nodes, problem = _graph(name, files.get(name))
        yield InspectedWorkflow(
            name=name,
            nodes=nodes,
            models=len(recorded.models) if recorded else 0,
            packs=recorded.nodes if recorded else (),
            problem=problem,
        )


def _graph(name: str, path: Path | None) -> tuple[int, str]:
    """Count the nodes of a workflow's graphs, or say why that is not possible."""
    if path is None:
        return 0, "its file is not in the bundle"
    try:
        return len(parse_workflow(path.read_bytes(), name, fast_decoder()).nodes), ""
    except WorkflowError as error:
        return 0, error.sentence
