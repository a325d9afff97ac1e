"""The steps of an update or rollback that change Python, the tracked state and the workflows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from comfydock_core.domain.bundle import LOCK, PYPROJECT, WORKFLOWS
from comfydock_core.domain.lock import LockedPackage, parse_lock
from comfydock_core.domain.lock_subset import without_other_groups
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.requirements import wants_torch
from comfydock_core.domain.update import UpdatePlan
from comfydock_core.events import ItemFinished, ItemStarted, Notice, StepFinished, StepStarted
from comfydock_core.importing.import_steps import Work, place_input_files
from comfydock_core.importing.local_keys import as_known_here
from comfydock_core.importing.merging import free_name, without_failed
from comfydock_core.storage.durable_files import storage_errors, write_durably
from comfydock_core.storage.project_file import read_project, write_project
from comfydock_core.workspace import creation, python_packages, workflows
from comfydock_core.workspace.comfyui_label import true_label
from comfydock_core.workspace.environment import History
from comfydock_core.workspace.journal import Journal
from comfydock_core.workspace.recorded_states import RecordedStates, message_with_kept
from comfydock_core.workspace.update_folder import UpdateFolder
from comfydock_core.workspace.workflows import workflow_files


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangingWork(Work):
    """The work of an import with what an update adds; ``plan`` is ``update.acquisition``."""

    update: UpdatePlan
    folder: UpdateFolder


def target_commit(work: ChangingWork) -> str:
    """Return the commit that ComfyUI is to be at; old bundles only name a version."""
    manifest = work.plan.manifest
    if manifest.comfyui_commit:
        return manifest.comfyui_commit
    repositories = work.workspace.tools.repositories
    return repositories.resolve(manifest.comfyui_repository, manifest.comfyui_version)[0]


def write_target(work: ChangingWork, journal: Journal) -> None:
    """Write the manifest and the lock as they will be aside; a conflict is found here."""
    target = work.folder.target
    if work.update.kind == "rollback":
        for name in (PYPROJECT, LOCK):
            write_durably(target / name, (work.folder.bundle / name).read_bytes())
        return
    report = work.workspace.reporter.report
    report(StepStarted(step="resolving", title="Resolving Python packages"))
    work.workspace.scan_models()
    manifest = _target_manifest(work, journal)
    write_durably(target / PYPROJECT, work.environment.pyproject_path.read_bytes())
    write_project(target / PYPROJECT, manifest)
    write_durably(target / LOCK, _resolved(work, manifest).encode())
    report(StepFinished(step="resolving"))


def _target_manifest(work: ChangingWork, journal: Journal) -> Manifest:
    """Return the merged manifest as this machine can hold it, with what was just committed."""
    before = work.folder.manifest_before()
    manifest = without_failed(work.plan.manifest, before, frozenset(journal.failed_nodes))
    if work.update.comfyui_changes:
        manifest = replace(manifest, comfyui_commit=target_commit(work))
    repository, commit = manifest.comfyui_repository, manifest.comfyui_commit
    label = true_label(work.workspace, repository, commit, manifest.comfyui_version)
    manifest = replace(manifest, comfyui_version=label)
    failed = frozenset(journal.failed_models)
    return as_known_here(work.workspace, manifest, work.plan, failed)


def _resolved(work: ChangingWork, manifest: Manifest) -> str:
    """Lock what the bundle's lock says, and for what only the user has, what is here.

    What only nodes need that are not here afterwards binds nobody.
    """
    build, theirs = work.plan.build_allowed, work.bundle / LOCK
    if not theirs.exists():
        return python_packages.resolve(work.workspace, work.environment, manifest, build=build)
    pinned = _locked(theirs, manifest)
    names = {package.name for package in pinned}
    mine = _locked(work.folder.committed / LOCK, manifest)
    pinned += tuple(package for package in mine if package.name not in names)
    return python_packages.resolve_pinned(work.workspace, manifest, pinned, build)


def _locked(lock: Path, manifest: Manifest) -> tuple[LockedPackage, ...]:
    if not lock.exists():
        return ()
    text = without_other_groups(lock.read_text(encoding="utf-8"), manifest.groups.keys())
    return parse_lock(text.encode())


def install_python(work: ChangingWork) -> None:
    """Make ``.cec`` say what will be, and the venv hold it."""
    report = work.workspace.reporter.report
    report(StepStarted(step="python", title="Syncing Python environment", count=1))
    report(ItemStarted(step="python", item="Python packages"))
    manifest = read_project(work.folder.target / PYPROJECT)
    if work.update.kind == "rollback":
        RecordedStates(work.environment, work.workspace.tools.git).go_back(work.update.commit)
    else:
        creation.write_tracked(work.environment, manifest)
    lock = work.folder.target / LOCK
    _sync(work, lock, work.folder.committed / LOCK)
    report(ItemFinished(step="python", item="Python packages"))
    if work.update.kind == "update":
        torch = _install_torch(work, manifest)
        work.environment.write_manifest(torch)
    else:
        _install_torch(work, manifest)
    report(StepFinished(step="python", detail="Python packages are as the manifest says"))


def restore_python(work: ChangingWork) -> None:
    """Make the venv hold what ``.cec`` says, which is what it said before."""
    manifest = work.environment.manifest()
    _sync(work, work.environment.lock_path, work.folder.target / LOCK)
    _install_torch(work, manifest)


def _sync(work: ChangingWork, lock: Path, leaving: Path) -> None:
    """Install what ``lock`` says; what only ``leaving`` says goes, also after a killed run."""
    workspace, environment = work.workspace, work.environment
    if not lock.exists():
        return
    text = lock.read_text(encoding="utf-8")
    build = work.plan.build_allowed or work.update.kind == "rollback"
    python_packages.install(workspace, environment, text, build=build)
    if leaving.exists():
        there = {package.name for package in parse_lock(text.encode())}
        others = {package.name for package in parse_lock(leaving.read_bytes())}
        workspace.tools.uv.uninstall(environment.venv_path, sorted(others - there))


def _install_torch(work: ChangingWork, manifest: Manifest) -> Manifest:
    """Make torch what the manifest says; what is installed already costs no download.

    It is asked for each time: a package that torch needs may have another version now.
    """
    if not wants_torch(manifest.requirements):
        return manifest
    return creation.add_torch(work.workspace, work.environment, manifest, work.plan.torch_backend)


def place_workflows(work: ChangingWork) -> None:
    """Make ComfyUI's workflows what the plan says; what the user saved meanwhile is kept."""
    report = work.workspace.reporter.report
    report(StepStarted(step="workflows", title="Updating workflows"))
    if work.update.kind == "rollback":
        _place_committed(work)
    else:
        _place_bundled(work)
        place_input_files(work)
        workflows.record_workflows(work.workspace, work.environment)
    report(StepFinished(step="workflows"))


def _place_committed(work: ChangingWork) -> None:
    live = workflow_files(work.environment.workflows_path)
    committed = workflow_files(work.folder.bundle / WORKFLOWS)
    for name in sorted(live.keys() | committed.keys()):
        if name not in committed:
            _replace(work, name, None)
        elif name not in live or workflows.differ(live[name], committed[name]):
            _replace(work, name, committed[name].read_bytes())


def _place_bundled(work: ChangingWork) -> None:
    # What the target says of the workflows is what the bundle's say; a killed run may have
    # recorded in the environment's own what they say by now.
    manifest = read_project(work.folder.target / PYPROJECT)
    facts = workflows.known_facts(work.workspace, work.environment, manifest)
    bundled = workflow_files(work.bundle / WORKFLOWS)
    for step in work.update.workflows:
        if step.action == "remove":
            _replace(work, step.name, None)
        elif step.action == "take":
            data = bundled[step.name].read_bytes()
            if recorded := manifest.workflows.get(step.name):
                data = workflows.rewritten_here(work.workspace, data, recorded, facts.loaders)
            if step.kept_as:
                _keep_mine(work, step.name, step.kept_as)
            _replace(work, step.name, data)


def _keep_mine(work: ChangingWork, name: str, kept_as: str) -> None:
    live = work.environment.workflows_path / f"{name}.json"
    if live.exists() and not work.folder.has_replaced(name):
        work.folder.replace_workflow(work.environment, kept_as, live.read_bytes())


def _replace(work: ChangingWork, name: str, data: bytes | None) -> None:
    """Replace a workflow; one that was saved after the update began is kept beside it."""
    live = work.environment.workflows_path / f"{name}.json"
    committed = work.folder.committed / WORKFLOWS / f"{name}.json"
    mine = live.is_file() and not work.folder.has_replaced(name)
    if mine and (not committed.exists() or workflows.differ(live, committed)):
        taken = workflow_files(work.environment.workflows_path)
        kept_as = free_name(f"{name}.mine", taken)
        work.folder.replace_workflow(work.environment, kept_as, live.read_bytes())
        text = f"`{name}` was saved meanwhile: yours is now `{kept_as}`"
        work.workspace.reporter.report(Notice(text=text))
    work.folder.replace_workflow(work.environment, name, data)


def commit_change(work: ChangingWork, before: str) -> None:
    """Make the commit that it ends with, also where only files outside ``.cec`` changed."""
    history = History(work.environment, work.workspace.tools.git)
    with storage_errors(work.environment.cec_path):
        (work.environment.cec_path / ".git" / "index.lock").unlink(missing_ok=True)
    if history.head() == before:
        kept = _kept(work) if work.update.kind == "update" else {}
        history.commit(message_with_kept(work.update.message, kept), even_if_empty=True)


def _kept(work: ChangingWork) -> dict[str, str]:
    """Say what of the environment is not the bundle's, so that the next update can tell."""
    theirs = read_project(work.bundle / PYPROJECT)
    names = {node.name for node in theirs.nodes.values()}
    mine = work.environment.manifest().nodes.values()
    own = {f"node:{node.name}": "" for node in mine if node.name not in names}
    bundled = workflow_files(work.bundle / WORKFLOWS).keys()
    here = workflow_files(work.environment.workflows_cec_path).keys()
    own |= {f"workflow:{name}": "" for name in here - bundled}
    return {**own, **work.update.kept}
