"""Making an environment: ComfyUI's work tree, its venv, its packages, its first commit.

Every step looks at what is there first, so a killed run is repeated safely; the journal lies in
the folder until the last one.
"""

from __future__ import annotations

import datetime
import sys
from dataclasses import dataclass, replace

from comfydock_core.domain.lock import parse_lock
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.path_rules import folded
from comfydock_core.domain.requirements import parse_requirements, wants_torch
from comfydock_core.errors import ComfydockError, GitError, NodeError, UsageError
from comfydock_core.events import ItemFinished, ItemStarted, StepFinished, StepStarted
from comfydock_core.storage.durable_files import remove_folder, write_durably
from comfydock_core.workspace import python_packages
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.journal import Journal, close_journal, journal_of, write_journal
from comfydock_core.workspace.workspace import Workspace

STEP = "create"
_SLACK = datetime.timedelta(days=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateRequest:
    """What to create; empty fields take the settings' or this machine's defaults."""

    name: str
    comfyui: str = "latest"
    repository: str = ""
    python_version: str = ""
    torch_backend: str = ""


def create_environment(workspace: Workspace, request: CreateRequest) -> Environment:
    """Create an environment from nothing; whatever goes wrong, nothing of it stays behind.

    A folder of that name that an interrupted creation left is begun anew.
    """
    environment = Environment(
        request.name, workspace.environments_path / request.name, workspace.tools.git
    )
    with workspace.lock(request.name):
        _clear_interrupted(workspace, environment)
        try:
            with workspace.reporter.log_to(workspace.log_path(request.name)):
                _create(workspace, environment, request)
        except ComfydockError:
            remove_folder(environment.path, workspace.root / "cache" / "trash")
            raise
    return environment


def _clear_interrupted(workspace: Workspace, environment: Environment) -> None:
    taken = {folded(name): name for name in workspace.environment_names()}
    other = taken.get(folded(environment.name), environment.name)
    if other != environment.name:
        raise UsageError(
            f"`{environment.name}` would be the same folder as `{other}` on some systems",
            hint="choose another name",
            subject=environment.name,
        )
    if not workspace.has_environment(environment.name):
        return
    journal = journal_of(environment.path)
    if journal is None or journal.work != "create":
        raise UsageError(
            f"there is already an environment `{environment.name}`",
            hint=f"choose another name, or: comfydock delete {environment.name}",
            subject=environment.name,
        )
    remove_folder(environment.path, workspace.root / "cache" / "trash")


def _create(workspace: Workspace, environment: Environment, request: CreateRequest) -> None:
    report = workspace.reporter.report
    report(StepStarted(step=STEP, title=f"Creating environment {request.name}", count=3))
    repository = request.repository or workspace.settings.hosts.comfyui_repository
    report(ItemStarted(step=STEP, item="ComfyUI"))
    commit, reference = workspace.tools.repositories.resolve(repository, request.comfyui)
    write_journal(environment.path, Journal(work="create"))
    fetch_comfyui(workspace, repository, commit)
    place_comfyui(workspace, environment, repository, commit)
    report(ItemFinished(step=STEP, item="ComfyUI", detail=f"{reference} ({commit[:8]})"))
    manifest = Manifest(
        name=request.name,
        comfyui_version=reference,
        comfyui_commit=commit,
        comfyui_repository=repository,
        python_version=request.python_version or _this_python(),
        requirements=comfyui_requirements(environment),
    )
    committed = datetime.datetime.fromtimestamp(
        workspace.tools.repositories.commit_time(repository, commit), datetime.UTC
    )
    report(ItemStarted(step=STEP, item="Python packages"))
    lock = python_packages.resolve(workspace, environment, manifest, committed + _SLACK)
    environment.write_manifest(manifest)
    python_packages.install(workspace, environment, lock, build=True)
    report(ItemFinished(step=STEP, item="Python packages", detail=python_detail(lock)))
    manifest = add_torch(workspace, environment, manifest, request.torch_backend)
    write_tracked(environment, manifest)
    history = History(environment, workspace.tools.git)
    history.start()
    history.commit("Create environment")
    close_journal(environment.path)
    report(StepFinished(step=STEP, detail=f"ComfyUI {reference}, {python_detail(lock)}"))


def add_torch(
    workspace: Workspace, environment: Environment, manifest: Manifest, backend: str
) -> Manifest:
    """Install the torch stack where ComfyUI asks for it; return the manifest that records it."""
    chosen = backend or workspace.settings.python.torch_backend
    if not wants_torch(manifest.requirements) or chosen == "none":
        return manifest
    report = workspace.reporter.report
    report(ItemStarted(step=STEP, item="torch"))
    torch = python_packages.install_torch(workspace, environment, manifest, chosen)
    report(ItemFinished(step=STEP, item="torch", detail=f"{torch.version} ({chosen})"))
    return replace(manifest, torch=torch)


def write_tracked(environment: Environment, manifest: Manifest) -> None:
    """Write the files of ``.cec`` that describe the environment, and make its folders."""
    environment.write_manifest(manifest)
    write_durably(environment.cec_path / ".python-version", f"{manifest.python_version}\n".encode())
    environment.workflows_path.mkdir(parents=True, exist_ok=True)


def fetch_comfyui(workspace: Workspace, repository: str, commit: str) -> None:
    """Have ``commit`` in the mirror; without network where it is there already."""
    repositories = workspace.tools.repositories
    if not repositories.has(repository, commit):
        repositories.update(repository)
        if not repositories.has(repository, commit):
            raise GitError(
                f"`{repository}` has no commit `{commit[:12]}`",
                hint="the repository may have moved: set [hosts] comfyui_repository in config.toml",
                subject=commit,
            )


def place_comfyui(
    workspace: Workspace, environment: Environment, repository: str, commit: str
) -> None:
    """Make the ComfyUI checkout at ``commit``, which the mirror has, unless it is there."""
    if environment.comfyui_path.exists():
        return
    aside = environment.path / ".ComfyUI.new"
    remove_folder(aside, workspace.root / "cache" / "trash")
    workspace.tools.repositories.check_out(repository, commit, aside)
    if not (aside / "main.py").exists():
        raise GitError(f"`{repository}` at `{commit[:12]}` is no ComfyUI: it has no `main.py`")
    (aside / "custom_nodes").mkdir(exist_ok=True)
    aside.rename(environment.comfyui_path)


def comfyui_requirements(environment: Environment) -> tuple[str, ...]:
    """Read what the checked out ComfyUI asks of Python, torch included."""
    path = environment.comfyui_path / "requirements.txt"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    requirements = parse_requirements(text)
    if requirements.refused:
        raise NodeError(
            f"ComfyUI's `requirements.txt` has a line that cannot be locked: "
            f"`{requirements.refused[0]}`"
        )
    return (*requirements.packages, *requirements.torch)


def python_detail(lock: str) -> str:
    """Say how many packages a lock holds."""
    return f"{len(parse_lock(lock.encode()))} packages"


def _this_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
