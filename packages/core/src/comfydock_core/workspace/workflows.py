"""Workflows of an environment: where ComfyUI has them, what is committed, what they need."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote

from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.exporting import WorkflowChanges
from comfydock_core.domain.manifest import Manifest, ManifestModel, ManifestWorkflow, NodeReference
from comfydock_core.domain.model_loaders import Loaders, LoaderWidget, known_loaders, loader_value
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.names import model_path_problem
from comfydock_core.domain.workflow_meaning import meaning
from comfydock_core.domain.workflow_splice import Rewritten, rewrite_values
from comfydock_core.errors import NotFoundError, WorkflowError
from comfydock_core.events import Notice
from comfydock_core.resolution.workflow_analysis import AnalysedWorkflow, KnownFacts, analyse
from comfydock_core.storage.durable_files import write_all_durably, write_durably
from comfydock_core.storage.node_scan_cache import NodeScanCache
from comfydock_core.storage.workflow_readings import WorkflowReadings
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

READINGS = "workflow_readings.json"


def workflow_files(folder: Path) -> dict[str, Path]:
    """Return the workflows below a folder by name: the POSIX path without ``.json``."""
    if not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.rglob("*.json")) if path.is_file())
    return {path.relative_to(folder).as_posix().removesuffix(".json"): path for path in files}


def find_workflow(environment: Environment, name: str) -> tuple[str, Path]:
    """Return the full name and file of a workflow that the user named, with or without .json."""
    files = workflow_files(environment.workflows_path)
    wanted = name.removesuffix(".json")
    if wanted in files:
        return wanted, files[wanted]
    there = ", ".join(f"`{known}`" for known in files)
    raise NotFoundError(
        f"there is no workflow `{wanted}` in `{environment.name}`",
        hint=f"there are: {there}"
        if there
        else f"save one in ComfyUI: {environment.workflows_path}",
        subject=wanted,
    )


def changes(environment: Environment) -> WorkflowChanges:
    """Compare ComfyUI's workflows with the committed ones, by meaning."""
    live = workflow_files(environment.workflows_path)
    committed = workflow_files(environment.workflows_cec_path)
    both = sorted(live.keys() & committed.keys())
    return WorkflowChanges(
        new=tuple(sorted(live.keys() - committed.keys())),
        modified=tuple(name for name in both if differ(live[name], committed[name])),
        deleted=tuple(sorted(committed.keys() - live.keys())),
    )


def differ(one: Path, other: Path) -> bool:
    """Tell whether two workflow files mean something else; what is no workflow always does."""
    first, second = one.read_bytes(), other.read_bytes()
    if first == second:
        return False
    try:
        return meaning(first) != meaning(second)
    except WorkflowError:
        return True


def known_facts(workspace: Workspace, environment: Environment, manifest: Manifest) -> KnownFacts:
    """Read what this environment's ComfyUI and packs have, and what lies in the library."""
    scans = NodeScanCache(workspace.root / "cache" / "node_classes")
    recorded = sorted(manifest.nodes.items())
    packs = [(environment.custom_nodes_path / node.name, name) for name, node in recorded]
    packs += [(folder, "") for folder in _unrecorded_packs(environment, manifest)]
    installed: dict[str, str] = {}
    learned: dict[str, tuple[LoaderWidget, ...]] = {}
    frontend: dict[str, str] = {}
    for folder, name in packs:
        catalogue = scans.pack(folder)
        for class_name, widgets in catalogue.classes.items():
            if class_name not in installed:
                installed[class_name], learned[class_name] = name, widgets
        frontend = dict.fromkeys(catalogue.frontend, name) | frontend
    core = scans.core(environment.comfyui_path).classes
    return KnownFacts(
        core_classes=core.keys(),
        installed=installed,
        models=workspace.tools.models.all(),
        loaders=known_loaders({**learned, **core}),
        frontend=frontend,
    )


def _unrecorded_packs(environment: Environment, manifest: Manifest) -> Iterable[Path]:
    """Yield folders in ``custom_nodes`` that comfydock did not put there."""
    recorded = {node.name for node in manifest.nodes.values()}
    if environment.custom_nodes_path.is_dir():
        for folder in sorted(environment.custom_nodes_path.iterdir()):
            if folder.is_dir() and folder.name not in recorded | {"__pycache__"}:
                yield folder


def analyse_all(
    workspace: Workspace, environment: Environment, manifest: Manifest
) -> tuple[AnalysedWorkflow, ...]:
    """Analyse every workflow that ComfyUI has; a file that is none has that as its problem."""
    facts = known_facts(workspace, environment, manifest)
    files = workflow_files(environment.workflows_path)
    readings = WorkflowReadings(environment.path / READINGS, facts.loaders)
    analysed: list[AnalysedWorkflow] = []
    for name, path in files.items():
        try:
            needs = readings.needs(name, path)
            analysed.append(analyse(needs, manifest.workflows.get(name), facts))
        except WorkflowError as error:
            analysed.append(AnalysedWorkflow(name=name, problem=error.sentence))
    readings.keep()
    return tuple(analysed)


def with_analysis(
    workspace: Workspace, manifest: Manifest, analysed: Iterable[AnalysedWorkflow]
) -> Manifest:
    """Return the manifest that records what the workflows need, and only the models they name."""
    workflows = {workflow.name: workflow.record() for workflow in analysed}
    located = {
        model.model.hash: model.model
        for workflow in analysed
        for model in workflow.models
        if model.model
    }
    return replace(
        manifest, workflows=workflows, models=_models(workspace, manifest, workflows, located)
    )


def _models(
    workspace: Workspace,
    manifest: Manifest,
    workflows: Mapping[str, ManifestWorkflow],
    located: Mapping[str, ModelWithLocation],
) -> dict[str, ManifestModel]:
    declared: dict[str, list[str]] = {}
    for workflow in workflows.values():
        for entry in workflow.models:
            declared.setdefault(entry.hash, []).extend(entry.sources)
            declared.setdefault(entry.substituted_for, [])
    models: dict[str, ManifestModel] = {}
    for key, sources in declared.items():
        known = manifest.models.get(key)
        if key in located:
            models[key] = described(workspace, located[key], known, sources)
        elif known:
            models[key] = known
    return models


def described(
    workspace: Workspace,
    model: ModelWithLocation,
    known: ManifestModel | None,
    declared: Iterable[str],
) -> ManifestModel:
    """Describe a local file as content, with every source that is known, those typed in first.

    A name that no other system may have (``what?.safetensors``) gives way to the recorded one.
    """
    place = known if known and model_path_problem(model.relative_path) else model
    sources = (
        *workspace.tools.models.get_model_sources(model.hash),
        *(known.sources if known else ()),
        *declared,
    )
    return ManifestModel(
        hash=model.hash,
        filename=place.filename,
        size=model.size,
        relative_path=place.relative_path,
        category=place.category,
        blake3_hash=model.blake3_hash or (known.blake3_hash if known else ""),
        sha256_hash=model.sha256_hash or (known.sha256_hash if known else ""),
        sources=tuple(dict.fromkeys(url for url in sources if url)),
    )


def record_workflows(
    workspace: Workspace, environment: Environment
) -> tuple[Manifest, tuple[AnalysedWorkflow, ...]]:
    """Copy ComfyUI's workflows into ``.cec`` and write down what they need."""
    recorded = record_needs(workspace, environment)
    copy_to_cec(environment)
    return recorded


def record_needs(
    workspace: Workspace, environment: Environment
) -> tuple[Manifest, tuple[AnalysedWorkflow, ...]]:
    """Write down what ComfyUI's workflows need; return the manifest and what it was made from."""
    workspace.scan_models()
    manifest = environment.manifest()
    analysed = analyse_all(workspace, environment, manifest)
    recorded = with_analysis(workspace, manifest, analysed)
    environment.write_manifest(recorded)
    return recorded, analysed


def copy_to_cec(environment: Environment) -> None:
    """Make ``.cec/workflows`` what ComfyUI has; a cosmetic re-save keeps the committed bytes."""
    live = workflow_files(environment.workflows_path)
    committed = workflow_files(environment.workflows_cec_path)
    for name, path in live.items():
        if name not in committed or differ(path, committed[name]):
            write_durably(environment.workflows_cec_path / f"{name}.json", path.read_bytes())
    for name in committed.keys() - live.keys():
        committed[name].unlink()


def take_over(workspace: Workspace, environment: Environment, bundled: Path) -> None:
    """Put a bundle's workflows into ``.cec`` and ComfyUI, with the paths of this machine.

    The manifest still says what the bundle's workflows say; ``record_workflows`` is the next step.
    """
    manifest = environment.manifest()
    loaders = known_facts(workspace, environment, manifest).loaders

    def placed() -> Iterator[tuple[Path, bytes]]:
        for name, path in workflow_files(bundled).items():
            data = path.read_bytes()
            if recorded := manifest.workflows.get(name):
                data = rewritten_here(workspace, data, recorded, loaders)
            for folder in (environment.workflows_cec_path, environment.workflows_path):
                yield folder / f"{name}.json", data

    write_all_durably(placed())


def rewritten_here(
    workspace: Workspace, data: bytes, recorded: ManifestWorkflow, loaders: Loaders
) -> bytes:
    try:
        rewritten = with_local_paths(workspace, data, recorded, loaders)
    except WorkflowError:
        return data
    for left in rewritten.left_alone:
        text = (
            f"`{recorded.name}`: `{left.reference.widget_value}` was left as it is: {left.reason}"
        )
        workspace.reporter.report(Notice(text=text))
    return rewritten.data


def with_local_paths(
    workspace: Workspace, data: bytes, recorded: ManifestWorkflow, loaders: Loaders
) -> Rewritten:
    """Return a workflow that names its models as they are called here.

    WorkflowError for one that cannot be rewritten.
    """
    changes: dict[NodeReference, str] = {}
    for entry in recorded.models:
        here = workspace.tools.models.locations(entry.hash) if entry.hash else ()
        if here:
            changes |= {place: _value_here(place, entry.category, here) for place in entry.nodes}
    if not changes:
        return Rewritten(data=data)
    return rewrite_values(data, changes, name=recorded.name, loaders=loaders)


def _value_here(place: NodeReference, category: str, locations: Iterable[ModelWithLocation]) -> str:
    """Return what a loader must be told here; what the workflow says is kept where it fits."""
    values = [
        value
        for model in locations
        if (value := loader_value(category, model.relative_path, separator=os.sep))
    ]
    return values[0] if values and place.widget_value not in values else place.widget_value


def set_criticality(
    environment: Environment, workflow: str, filename: str, criticality: Criticality
) -> ManifestWorkflow:
    """Record how critical a model is for a workflow; it stays so until it is set again."""
    manifest = environment.manifest()
    if workflow not in manifest.workflows:
        raise NotFoundError(
            f"workflow `{workflow}` is not recorded yet",
            hint=f"comfydock -e {environment.name} workflow resolve {quote(workflow)}",
            subject=workflow,
        )
    recorded = manifest.workflows[workflow]
    if filename not in {model.filename for model in recorded.models}:
        names = ", ".join(f"`{model.filename}`" for model in recorded.models)
        raise NotFoundError(
            f"workflow `{workflow}` uses no model `{filename}`",
            hint=f"it uses: {names}" if names else "it uses no models",
            subject=filename,
        )
    changed = replace(
        recorded,
        models=tuple(
            replace(model, criticality=criticality) if model.filename == filename else model
            for model in recorded.models
        ),
    )
    environment.write_manifest(
        replace(manifest, workflows={**manifest.workflows, workflow: changed})
    )
    return changed
