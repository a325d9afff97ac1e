"""ImportPlan -> outcomes: the steps in order, each recorded in the journal when it is done.

Every step looks at what is there first, so that a step that was cut in the middle is repeated
safely. What fails for one node or one model is recorded and the rest goes on; what the environment
cannot be without stops the work and leaves the journal, so that it can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from comfydock_core.domain.acquisition import (
    ImportPlan,
    ModelAcquisitionDecision,
    NodeAcquisitionDecision,
)
from comfydock_core.domain.bundle import LOCK, WORKFLOWS
from comfydock_core.domain.lock import parse_lock
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.domain.model_loaders import loader_value
from comfydock_core.domain.requirements import Requirements
from comfydock_core.errors import BundleError, ComfydockError, DiskFullError, NodeError
from comfydock_core.events import (
    ItemFailed,
    ItemFinished,
    ItemStarted,
    Notice,
    StepFinished,
    StepStarted,
)
from comfydock_core.importing.report import Outcomes
from comfydock_core.storage.downloads import model_request
from comfydock_core.storage.durable_files import copy_tree, remove_folder, staging_folder
from comfydock_core.storage.model_links import link_model
from comfydock_core.workspace import creation, nodes, python_packages, workflows
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.journal import Journal, write_journal
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


class Execution:
    """Runs the steps of one import and keeps its journal."""

    def __init__(self, work: Work, journal: Journal) -> None:
        self._work = work
        self._journal = journal

    def run(self) -> Outcomes:
        """Do what is not done yet and return what failed.

        Nodes and models that were given up are tried again by a resumed run only until the
        manifest is written: it says what is here.
        """
        work = self._work
        self._step("environment", lambda: place_environment(work))
        if "manifest" not in self._journal.done:
            self._keep(replace(self._journal, failed_nodes={}, failed_models={}))
            self._install_nodes()
            self._fetch_models()
            link_models(work)
        self._step("manifest", lambda: write_manifest(work, self._journal))
        self._step("python", lambda: install_python(work))
        self._step("workflows", lambda: place_workflows(work))
        self._step("commit", lambda: commit(work))
        return Outcomes(
            failed_nodes=tuple(sorted(self._journal.failed_nodes.items())),
            failed_models=tuple(sorted(self._journal.failed_models.items())),
        )

    def _keep(self, journal: Journal) -> None:
        self._journal = journal
        write_journal(self._work.environment.path, journal)

    def _step(self, name: str, act: Callable[[], None]) -> None:
        if name in self._journal.done:
            return
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

    def _fetch_models(self) -> None:
        report = self._work.workspace.reporter.report
        decisions = self._work.plan.models_for("download")
        if not decisions:
            return
        report(StepStarted(step="models", title="Downloading models", count=len(decisions)))
        failed: dict[str, str] = {}
        for decision in decisions:
            with self._given_up("models", decision.model.filename, failed, decision.key):
                self._step(f"model:{decision.key}", partial(fetch_model, self._work, decision))
        self._keep(replace(self._journal, failed_models=failed))
        count = f"{len(decisions) - len(failed)}/{len(decisions)}"
        report(StepFinished(step="models", detail=f"Downloaded {count} models"))

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
            parts = (error.sentence, error.cause.partition("\n")[0], error.hint)
            failed[key] = "; ".join(filter(None, parts))
            reporter = self._work.workspace.reporter
            reporter.report(ItemFailed(step=step, item=item, reason=failed[key]))
            reporter.write(f"{item}: {error.cause}")


def place_environment(work: Work) -> None:
    """Make ComfyUI's work tree at the bundle's commit."""
    report = work.workspace.reporter.report
    manifest = work.plan.manifest
    title = f"Creating environment {work.environment.name}"
    report(StepStarted(step="environment", title=title, count=1))
    report(ItemStarted(step="environment", item="ComfyUI"))
    repository = manifest.comfyui_repository
    commit = manifest.comfyui_commit
    if not commit:
        commit, _ = work.workspace.tools.repositories.resolve(repository, manifest.comfyui_version)
    creation.place_comfyui(work.workspace, work.environment, repository, commit)
    report(ItemFinished(step="environment", item="ComfyUI", detail=manifest.comfyui_version))
    report(StepFinished(step="environment", detail=f"ComfyUI {manifest.comfyui_version}"))


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


def fetch_model(work: Work, decision: ModelAcquisitionDecision) -> None:
    """Download one model, verified, from the first of its sources that gives the right bytes."""
    aggregate = work.plan.aggregates[decision.key]
    content = aggregate.content
    report = work.workspace.reporter.report
    name = decision.model.filename
    report(ItemStarted(step="models", item=name, size=aggregate.total_size or None))
    folder = work.workspace.models_directories[0]
    rest = (url for url in aggregate.sources if url != decision.source_url)
    work.workspace.tools.downloader.fetch(
        model_request(
            content,
            urls=(decision.source_url, *rest),
            target=folder / decision.target_path,
            name=name,
        )
    )
    known = content and (content.sha256_hash or content.blake3_hash)
    detail = "verified" if known else "there was no digest to verify it with"
    report(ItemFinished(step="models", item=name, detail=detail))


def link_models(work: Work) -> None:
    """Make models that lie here in a folder where their loader does not look appear where it does.

    The file stays where it is; ``target_path`` is where the bundle's author had it.
    """
    for decision in work.plan.models_for("existing"):
        here, target = decision.substitute, decision.target_path
        if (
            here
            and target
            and not loader_value(
                decision.model.category or target.partition("/")[0],
                here.relative_path,
                separator="/",
            )
        ):
            link_model(Path(here.path), work.workspace.models_directories[0] / target)


def write_manifest(work: Work, journal: Journal) -> None:
    """Write the environment's own pyproject.toml, generated from what was parsed.

    It names what is here: a node that could not be installed is added by ``node add`` later.
    """
    work.workspace.scan_models()
    manifest = installed_manifest(work, frozenset(journal.failed_nodes))
    manifest = with_local_keys(manifest, local_keys(work, frozenset(journal.failed_models)))
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


def local_keys(work: Work, failed: frozenset[str]) -> dict[str, str]:
    """Return under which key this machine's index has each of the plan's models.

    It differs from the bundle's where another tool wrote the bundle, or where two files here share
    a short hash. What failed to be downloaded is not here, whatever lies in its place.
    """
    keys: dict[str, str] = {}
    for decision in work.plan.models_for("existing"):
        if decision.substitute:
            keys[decision.key] = decision.substitute.hash
    for decision in work.plan.models_for("download"):
        found = work.workspace.tools.models.by_relative_path(decision.target_path)
        if found and decision.key not in failed:
            keys[decision.key] = found[0].hash
    bundled = work.plan.manifest.models
    return {old: new for old, new in keys.items() if old != new and old in bundled}


def with_local_keys(manifest: Manifest, keys: Mapping[str, str]) -> Manifest:
    """Return the manifest with models renamed to the keys that this machine knows them by."""
    if not keys:
        return manifest
    models = {
        keys.get(key, key): replace(model, hash=keys.get(key, key))
        for key, model in manifest.models.items()
    }
    workflows_here = {
        name: replace(
            workflow,
            models=tuple(replace(m, hash=keys.get(m.hash, m.hash)) for m in workflow.models),
        )
        for name, workflow in manifest.workflows.items()
    }
    return replace(manifest, models=models, workflows=workflows_here)


def install_python(work: Work) -> None:
    """Lock with the bundle's versions and this machine's addresses, then install."""
    report = work.workspace.reporter.report
    report(StepStarted(step="python", title="Syncing Python environment", count=1))
    manifest = work.environment.manifest()
    pinned = parse_lock((work.bundle / LOCK).read_bytes())
    report(ItemStarted(step="python", item="Python packages"))
    build = work.plan.build_allowed
    lock = python_packages.resolve_pinned(work.workspace, manifest, pinned, build)
    python_packages.prepare_venv(work.workspace, work.environment, manifest.python_version)
    python_packages.install(work.workspace, work.environment, lock, build=build)
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


def place_workflows(work: Work) -> None:
    """Put the workflows into ``.cec`` and ComfyUI, with the paths that the models have here."""
    report = work.workspace.reporter.report
    report(StepStarted(step="workflows", title="Updating workflow paths"))
    workflows.take_over(work.workspace, work.environment, work.bundle / WORKFLOWS)
    report(StepFinished(step="workflows"))


def commit(work: Work) -> None:
    """Make the commit that an import ends with."""
    history = History(work.environment, work.workspace.tools.git)
    history.start()
    history.commit("Initial import from bundle")


def check_bundle_folder(folder: Path) -> None:
    """Raise BundleError when the unpacked bundle of a resumed import is gone."""
    if not (folder / LOCK).exists():
        raise BundleError(
            f"`{folder}` is gone, so the import cannot go on by itself",
            hint="run the same `comfydock import BUNDLE` command again",
        )
