"""ImportPlan -> outcomes: the steps in order, each recorded in the journal when it is done.

Every step looks at what is there first, so that a step that was cut in the middle is repeated
safely. What fails for one node or one model is recorded and the rest goes on; what the environment
cannot be without stops the work and leaves the journal, so that it can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from comfydock_core.domain.acquisition import (
    ImportPlan,
    ModelAcquisitionDecision,
    NodeAcquisitionDecision,
)
from comfydock_core.domain.bundle import LOCK, PYPROJECT, WORKFLOWS
from comfydock_core.domain.lock import parse_lock
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.domain.requirements import Requirements
from comfydock_core.errors import (
    BundleError,
    CancelledError,
    ComfydockError,
    DiskFullError,
    NodeError,
)
from comfydock_core.events import (
    ItemFailed,
    ItemFinished,
    ItemStarted,
    Notice,
    StepFinished,
    StepStarted,
)
from comfydock_core.importing.bundled_models import place_model, unpacked_models
from comfydock_core.importing.found_models import link_models
from comfydock_core.importing.local_keys import keep_digests, local_keys, with_local_keys
from comfydock_core.importing.report import Outcomes
from comfydock_core.importing.substitution import apply_substitutes, tell_skipped
from comfydock_core.interaction import AfterFailures
from comfydock_core.storage.downloads import DownloadRequest, DownloadResult, model_request
from comfydock_core.storage.durable_files import copy_tree, remove_folder, staging_folder
from comfydock_core.workspace import creation, nodes, python_packages, workflows
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.input_files import place_inputs
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

    def __init__(
        self,
        work: Work,
        journal: Journal,
        after_failures: Callable[[Mapping[str, str]], AfterFailures],
    ) -> None:
        self._work = work
        self._journal = journal
        self._after_failures = after_failures

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
            self.acquire_models()
            tell_skipped(work.workspace, work.plan)
        self._step("manifest", lambda: write_manifest(work, self._journal))
        self._step("python", lambda: install_python(work))
        self._step("workflows", lambda: place_workflows(work))
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
        report = self._work.workspace.reporter.report
        waiting = model_requests(self._work, self._waiting(decisions))
        sizes = [request.size for request in waiting]
        size = sum(filter(None, sizes)) if all(sizes) else None
        count = len(decisions)
        report(StepStarted(step="models", title="Downloading models", count=count, size=size))
        failed: dict[str, str] = {}
        with closing(self._work.workspace.tools.downloader.fetch_all(waiting)) as outcomes:
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
    manifest = apply_substitutes(work.workspace, manifest, work.plan)
    index, failed = work.workspace.tools.models, frozenset(journal.failed_models)
    keep_digests(index, work.plan, failed, work.workspace.download_directory)
    manifest = with_local_keys(manifest, local_keys(index, work.plan, failed))
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


def install_python(work: Work) -> None:
    """Lock with the bundle's versions and this machine's addresses, then install."""
    report = work.workspace.reporter.report
    report(StepStarted(step="python", title="Syncing Python environment", count=1))
    manifest = work.environment.manifest()
    report(ItemStarted(step="python", item="Python packages"))
    build = work.plan.build_allowed
    lock = _resolved(work, manifest, build)
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
    report(StepFinished(step="workflows"))


def place_input_files(work: Work) -> None:
    """Put the files that workflows load into ComfyUI's input folder; nothing is replaced there."""
    for name in place_inputs(work.bundle, work.environment).kept:
        text = f"input file {name} of the bundle is not placed: another one is there"
        work.workspace.reporter.report(Notice(text=text))


def commit(work: Work) -> None:
    """Make the commit that an import ends with."""
    history = History(work.environment, work.workspace.tools.git)
    history.start()
    history.commit("Initial import from bundle")


def check_bundle_folder(folder: Path) -> None:
    """Raise BundleError when the unpacked bundle of a resumed import is gone."""
    if not (folder / PYPROJECT).exists():
        raise BundleError(
            f"`{folder}` is gone, so the import cannot go on by itself",
            hint="run the same `comfydock import BUNDLE` command again",
        )
