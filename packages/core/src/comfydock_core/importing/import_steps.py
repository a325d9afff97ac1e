"""The steps of an import, each safe to repeat: what is there already is looked at first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from comfydock_core.domain.acquisition import (
    ImportPlan,
    ModelAcquisitionDecision,
    NodeAcquisitionDecision,
)
from comfydock_core.domain.bundle import LOCK, WORKFLOWS
from comfydock_core.domain.lock import parse_lock
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.domain.requirements import Requirements
from comfydock_core.errors import NodeError
from comfydock_core.events import ItemFinished, ItemStarted, Notice, StepFinished, StepStarted
from comfydock_core.importing.local_keys import as_known_here
from comfydock_core.importing.preflight import require_not_forbidden
from comfydock_core.importing.substitution import apply_substitutes
from comfydock_core.storage.downloads import DownloadRequest, model_request
from comfydock_core.storage.durable_files import (
    copy_tree,
    remove_folder,
    staging_folder,
    storage_errors,
)
from comfydock_core.workspace import creation, nodes, python_packages, workflows
from comfydock_core.workspace.comfyui_checkout import comfyui_head
from comfydock_core.workspace.comfyui_label import true_label
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.input_files import place_inputs
from comfydock_core.workspace.journal import Journal
from comfydock_core.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """Everything a step may use; ``bundle`` is the folder of the strictly unpacked bundle."""

    workspace: Workspace
    environment: Environment
    plan: ImportPlan
    bundle: Path

    @property
    def trash(self) -> Path:
        """Where removed folders go first."""
        return self.workspace.root / "cache" / "trash"


def place_environment(work: Work, beside: Callable[[], None]) -> None:
    """Make ComfyUI's work tree at the bundle's commit, and do ``beside`` meanwhile."""
    report = work.workspace.reporter.report
    manifest = work.plan.manifest
    title = f"Creating environment {work.environment.name}"
    report(StepStarted(step="environment", title=title, count=1))
    report(ItemStarted(step="environment", item="ComfyUI"))
    repository = manifest.comfyui_repository
    commit = manifest.comfyui_commit
    if not commit:
        commit, _ = work.workspace.tools.repositories.resolve(repository, manifest.comfyui_version)
    creation.fetch_comfyui(work.workspace, repository, commit)
    # In the thread is what ends soon by itself: an interrupt reaches only this one.
    with ThreadPoolExecutor(1) as thread:
        place = creation.place_comfyui
        placed = thread.submit(place, work.workspace, work.environment, repository, commit)
        beside()
    placed.result()
    version = true_label(work.workspace, repository, commit, manifest.comfyui_version)
    if version != manifest.comfyui_version:
        text = f"the bundle calls its ComfyUI {manifest.comfyui_version}, in fact it is {version}"
        report(Notice(text=text))
    report(ItemFinished(step="environment", item="ComfyUI", detail=version))
    report(StepFinished(step="environment", detail=f"ComfyUI {version}"))


def install_node(work: Work, decision: NodeAcquisitionDecision) -> None:
    """Fetch or unpack one node and move it into place; Python comes later, for all at once."""
    report = work.workspace.reporter.report
    node = decision.node
    report(ItemStarted(step="nodes", item=node.name))
    destination = work.environment.custom_nodes_path / node.name
    with staging_folder(work.workspace.staging_path, "node-") as staging:
        staged = stage(work, node, staging)
        remove_folder(destination, work.trash)
        nodes.place(work.environment, replace(staged, info=node))
    report(ItemFinished(step="nodes", item=node.name, detail=nodes.version_text(node)))


def stage(work: Work, node: NodeInfo, staging: Path) -> nodes.StagedNode:
    """Get a node's files aside from where the bundle says they are."""
    if node.source == "registry":
        require_not_forbidden(node, work.plan.preflight)
        node_id = node.registry_id or node.name
        return nodes.stage_registry(work.workspace, node_id, node.version, staging, node.sha256)
    if node.source == "git":
        return nodes.stage_git(work.workspace, node.repository, node.version, staging)
    source = work.bundle / "dev_nodes" / node.name
    if not source.is_dir():
        raise NodeError(
            f"`{node.name}` is a development node and its source is not in the bundle",
            hint="ask the sender for it",
            subject=node.name,
        )
    copy_tree(source, staging / "pack")
    return nodes.StagedNode(info=node, folder=staging / "pack", requirements=Requirements())


def model_requests(
    work: Work, decisions: Iterable[ModelAcquisitionDecision]
) -> dict[DownloadRequest, list[ModelAcquisitionDecision]]:
    """Say what is to be downloaded from where, and which decisions each download serves."""
    folder = work.workspace.download_directory
    requests: dict[DownloadRequest, list[ModelAcquisitionDecision]] = {}
    for decision in decisions:
        aggregate = work.plan.aggregates[decision.key]
        rest = (url for url in aggregate.sources if url != decision.source_url)
        request = model_request(
            aggregate.content,
            urls=(decision.source_url, *rest),
            target=folder / decision.target_path,
            name=decision.model.filename,
        )
        requests.setdefault(request, []).append(decision)
    return requests


def write_manifest(work: Work, journal: Journal) -> None:
    """Write the environment's own pyproject.toml, generated from what was parsed.

    It names what is here: a node that could not be installed is added by ``node add`` later.
    """
    work.workspace.scan_models()
    manifest = installed_manifest(work, frozenset(journal.failed_nodes))
    # An older bundle names only a version, which may be another commit tomorrow.
    commit = comfyui_head(work.workspace, work.environment)
    version = true_label(
        work.workspace, manifest.comfyui_repository, commit, manifest.comfyui_version
    )
    manifest = replace(manifest, comfyui_commit=commit, comfyui_version=version)
    manifest = apply_substitutes(work.workspace, manifest, work.plan)
    failed = frozenset(journal.failed_models)
    manifest = as_known_here(work.workspace, manifest, work.plan, failed)
    creation.write_tracked(work.environment, manifest)


def installed_manifest(work: Work, failed: frozenset[str]) -> Manifest:
    """Return the bundle's manifest as this machine can hold it."""
    plan = work.plan
    absent = failed | {decision.node.name for decision in plan.nodes_for("skip")}
    kept = {name: node for name, node in plan.manifest.nodes.items() if node.name not in absent}
    groups = {node.group for node in kept.values() if node.group}
    return replace(
        plan.manifest,
        name=work.environment.name,
        nodes=kept,
        groups={name: lines for name, lines in plan.manifest.groups.items() if name in groups},
    )


def install_python(work: Work, lock: str) -> None:
    """Install what the manifest asks for; ``lock`` says what of it is there already, if any is."""
    report = work.workspace.reporter.report
    report(StepStarted(step="python", title="Syncing Python environment", count=1))
    manifest = work.environment.manifest()
    report(ItemStarted(step="python", item="Python packages"))
    lock = lock or install_packages(work, manifest)
    report(ItemFinished(step="python", item="Python packages"))
    recorded = manifest.torch.version
    manifest = creation.add_torch(
        work.workspace, work.environment, manifest, work.plan.torch_backend
    )
    if recorded and manifest.torch.version != recorded:
        text = f"torch is {manifest.torch.version} here, it was {recorded} at the sender's"
        report(Notice(text=text))
    work.environment.write_manifest(manifest)
    report(StepFinished(step="python", detail=f"Installed {creation.python_detail(lock)}"))


def install_packages(work: Work, manifest: Manifest) -> str:
    """Lock with the bundle's versions and this machine's addresses, install, return the lock."""
    build = work.plan.build_allowed
    lock = _resolved(work, manifest, build)
    work.environment.write_manifest(manifest)
    python_packages.install(work.workspace, work.environment, lock, build=build)
    return lock


def _resolved(work: Work, manifest: Manifest, build: bool) -> str:
    """Lock what the bundle's lock says; ComfyGit's bundles have none, and are resolved afresh."""
    theirs = work.bundle / LOCK
    if not theirs.exists():
        return python_packages.resolve(work.workspace, work.environment, manifest, build=build)
    pinned = parse_lock(theirs.read_bytes())
    return python_packages.resolve_pinned(work.workspace, manifest, pinned, build)


def place_workflows(work: Work) -> None:
    """Put the workflows into ``.cec`` and ComfyUI, with the paths that the models have here."""
    report = work.workspace.reporter.report
    report(StepStarted(step="workflows", title="Updating workflow paths"))
    workflows.take_over(work.workspace, work.environment, work.bundle / WORKFLOWS)


def record_workflows(work: Work) -> None:
    """Write down what the workflows say now.

    A step of its own: where it is done, the bundle's workflows are no longer found in the manifest.
    """
    workflows.record_workflows(work.workspace, work.environment)
    work.workspace.reporter.report(StepFinished(step="workflows"))


def place_input_files(work: Work) -> None:
    """Put the files that workflows load into ComfyUI's input folder; nothing is replaced there."""
    for name in place_inputs(work.bundle, work.environment).kept:
        text = f"input file {name} of the bundle is not placed: another one is there"
        work.workspace.reporter.report(Notice(text=text))


def commit(work: Work) -> None:
    """Make the commit that an import ends with."""
    history = History(work.environment, work.workspace.tools.git)
    # A git that was killed leaves it, and nobody else works here while the environment is locked.
    with storage_errors(work.environment.cec_path):
        (work.environment.cec_path / ".git" / "index.lock").unlink(missing_ok=True)
    history.start()
    history.commit("Initial import from bundle")
