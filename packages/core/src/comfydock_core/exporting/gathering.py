"""What of an environment travels -> the members of a bundle, each read from where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from comfydock_core.domain.bundle import DEV_NODES, INPUTS, WORKFLOWS, DevelopmentOrigin
from comfydock_core.domain.denied_files import denied_reason
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.exporting.input_files import choose_inputs
from comfydock_core.exporting.selection import Contents
from comfydock_core.storage.development_origin import development_origin
from comfydock_core.storage.development_source import (
    LARGE_SOURCE,
    development_files,
    measure,
    repositories_inside,
)
from comfydock_core.workspace.development_nodes import requirements_problems
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.input_files import input_folder, loaded_inputs, present_inputs
from comfydock_core.workspace.workflows import workflow_files
from comfydock_core.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class GatheredFiles:
    """Members by their paths in the bundle, and what the user should know of them.

    ``models`` are by their paths below a models directory, with ``model_digests`` (sha256, hex).
    ``inputs`` counts the input files among the members.
    """

    files: Mapping[str, Path]
    models: Mapping[str, Path] = field(default_factory=dict)
    model_digests: Mapping[str, str] = field(default_factory=dict)
    inputs: int = 0
    missing_inputs: tuple[str, ...] = ()
    development: Mapping[str, DevelopmentOrigin] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all of them together."""
        return sum(path.stat().st_size for path in (*self.files.values(), *self.models.values()))


def gather(
    workspace: Workspace,
    environment: Environment,
    manifest: Manifest,
    contents: Contents,
    input_budget: int,
) -> GatheredFiles:
    """Find the files of the manifest's workflows, development nodes, inputs and models."""
    files = dict(_workflow_members(environment, manifest))
    warnings: list[str] = []
    origins: dict[str, DevelopmentOrigin] = {}
    if contents.node_sources:
        for node in manifest.nodes_by_source("development"):
            source = environment.custom_nodes_path / node.name
            files |= _node_members(workspace, node, source, warnings)
            origins[node.name] = development_origin(workspace.tools.git, source)
    references = loaded_inputs(workspace, environment, manifest.workflows)
    budget = input_budget if contents.inputs else 0
    chosen = choose_inputs(references, present_inputs(environment), budget)
    folder = input_folder(environment)
    files |= {f"{INPUTS}/{name}": folder / name for name in chosen.taken}
    gathered = GatheredFiles(
        files=files,
        inputs=len(chosen.taken),
        missing_inputs=tuple(name for name, _ in chosen.left_out),
        development=origins,
        warnings=(
            *warnings,
            *(f"input file {name} does not travel: it {why}" for name, why in chosen.left_out),
        ),
    )
    return _with_models(workspace, manifest, gathered) if contents.model_files else gathered


def _workflow_members(environment: Environment, manifest: Manifest) -> Iterator[tuple[str, Path]]:
    for name, path in workflow_files(environment.workflows_cec_path).items():
        if name in manifest.workflows:
            yield f"{WORKFLOWS}/{name}.json", path


def _node_members(
    workspace: Workspace, node: NodeInfo, source: Path, warnings: list[str]
) -> dict[str, Path]:
    """Return a development node's files, and add to ``warnings`` what is strange about it."""
    empty = workspace.root / "cache" / "git" / "empty.git"
    listed = development_files(workspace.tools.git, source, empty)
    denied = {path: why for path in listed if (why := denied_reason(path))}
    files = [path for path in listed if path not in denied]
    warnings += [f"{node.name}/{path} does not travel: {why}" for path, why in denied.items()]
    warnings += [f"{node.name}: {what}" for what in repositories_inside(source, files)]
    warnings += [f"{node.name} {what}" for what in requirements_problems(source)]
    size = measure(source, files)
    if size.total > LARGE_SOURCE:
        largest = ", ".join(f"{path} ({_megabytes(each)})" for path, each in size.largest)
        total = _megabytes(size.total)
        warnings.append(f"Development node '{node.name}' is {total}; largest files: {largest}")
    return {f"{DEV_NODES}/{node.name}/{path}": source / path for path in files}


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:.1f} MB"


def _with_models(
    workspace: Workspace, manifest: Manifest, gathered: GatheredFiles
) -> GatheredFiles:
    """Add the model files that are here; one that is not is named."""
    models: dict[str, Path] = {}
    digests: dict[str, str] = {}
    absent = []
    for model in manifest.models.values():
        if here := workspace.tools.models.get_model(model.hash):
            models[model.relative_path] = Path(here.path)
            digests[model.relative_path] = model.sha256_hash
        else:
            absent.append(f"model file {model.filename} does not travel: it is not here")
    return replace(
        gathered,
        models=models,
        model_digests=digests,
        warnings=(*gathered.warnings, *absent),
    )
