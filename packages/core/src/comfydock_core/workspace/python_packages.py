"""An environment's Python: one resolution over ComfyUI and all nodes, torch as a layer apart."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from comfydock_core.domain.lock import (
    LOCK_FILE,
    LockedPackage,
    parse_lock,
    unlisted_files,
    without_constraints,
    without_cutoff,
    without_files,
)
from comfydock_core.domain.manifest import Manifest, TorchSpec
from comfydock_core.domain.requirements import package_name
from comfydock_core.errors import PythonEnvironmentError, RequirementConflictError
from comfydock_core.events import Notice
from comfydock_core.storage.durable_files import remove_folder, staging_folder, write_durably
from comfydock_core.storage.project_file import project_text
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

_TORCH_PACKAGES = ("torch", "torchvision", "torchaudio")
_GROUP = re.compile(r"comfydock-env-[A-Za-z0-9._-]+:([a-z0-9-]+)")
_ASKED = re.compile(r"depends on ([A-Za-z0-9][A-Za-z0-9._-]*)")


def resolve(
    workspace: Workspace,
    environment: Environment,
    manifest: Manifest,
    newest: datetime.datetime | None = None,
    *,
    build: bool = True,
) -> str:
    """Return the text of a lock for ``manifest``; nothing in the environment changes.

    Versions of the environment's present lock are kept where they can be; without one, files
    uploaded after ``newest`` are left out. RequirementConflictError names both sides.
    """
    present = environment.lock_path
    with staging_folder(workspace.staging_path, "resolve-") as folder:
        (folder / "pyproject.toml").write_text(project_text(manifest), encoding="utf-8")
        cutoff = newest
        if present.exists():
            (folder / LOCK_FILE).write_bytes(present.read_bytes())
            cutoff = None
        try:
            _lock(workspace, folder, manifest.python_version, cutoff, build)
        except RequirementConflictError as error:
            raise _named_conflict(manifest, error) from error
        return without_cutoff((folder / LOCK_FILE).read_text(encoding="utf-8"))


def _lock(
    workspace: Workspace,
    folder: Path,
    python_version: str,
    newest: datetime.datetime | None,
    build: bool,
) -> None:
    """Lock, without the cut-off where the index does not say when its files were uploaded."""
    try:
        workspace.tools.uv.lock(folder, python_version=python_version, newest=newest, build=build)
    except RequirementConflictError as error:
        if newest is None or "exclude-newer" not in error.cause:
            raise
        text = "the package index has no upload times: the newest packages are taken"
        workspace.reporter.report(Notice(text=text))
        workspace.tools.uv.lock(folder, python_version=python_version, build=build)


def resolve_pinned(
    workspace: Workspace, manifest: Manifest, pinned: tuple[LockedPackage, ...], build: bool
) -> str:
    """Return a lock with exactly the versions of a bundle's lock and this machine's addresses.

    A file whose digest the bundle's lock does not list is dropped, and a package of which none is
    left is refused by name. What uv's cache knows of this machine's index is enough where it has
    all of those versions: they are exact, so nothing newer could be wanted.
    """
    with suppress(PythonEnvironmentError):
        return _pinned(workspace, manifest, pinned, build, offline=True)
    return _pinned(workspace, manifest, pinned, build, offline=False)


def _pinned(
    workspace: Workspace,
    manifest: Manifest,
    pinned: tuple[LockedPackage, ...],
    build: bool,
    *,
    offline: bool,
) -> str:
    pins = [package.pin for package in pinned if package.source == "registry"]
    needed = replace(manifest, workflows={}, models={})
    with staging_folder(workspace.staging_path, "resolve-") as folder:
        text = project_text(needed, constraints=pins)
        (folder / "pyproject.toml").write_text(text, encoding="utf-8")
        version = manifest.python_version
        try:
            workspace.tools.uv.lock(folder, python_version=version, build=build, offline=offline)
        except RequirementConflictError as error:
            raise _named_conflict(manifest, error) from error
        lock = (folder / LOCK_FILE).read_text(encoding="utf-8")
        return _held_to_digests(without_constraints(lock), pinned)


def _held_to_digests(lock: str, pinned: tuple[LockedPackage, ...]) -> str:
    ours = parse_lock(lock.encode())
    if strange := unlisted_files(ours, pinned):
        names = ", ".join(f"`{p.name} {p.version}`" for p in strange[:5])
        raise PythonEnvironmentError(
            f"{names}: this machine's index has other files than the bundle's lock lists",
            hint="ask the sender, or check [python] index in config.toml",
            subject=strange[0].name,
        )
    listed = frozenset(digest for package in pinned for digest in package.hashes)
    return without_files(lock, frozenset(d for p in ours for d in p.hashes) - listed)


def _named_conflict(
    manifest: Manifest, error: RequirementConflictError
) -> RequirementConflictError:
    """Say uv's explanation with the names that the user knows: nodes and ComfyUI."""
    owners = {node.group: node.name for node in manifest.nodes.values() if node.group}
    cause = _GROUP.sub(lambda found: f"node `{owners.get(found[1], found[1])}`", error.cause)
    cause = cause.replace("your project", "ComfyUI")
    sides = [f"`{name}`" for name in owners.values() if f"node `{name}`" in cause]
    sides += ["ComfyUI"] if "ComfyUI depends on" in cause else []
    packages = dict.fromkeys(_ASKED.findall(cause))
    about = f"versions of `{next(iter(packages))}`" if packages else "packages"
    return RequirementConflictError(
        f"{' and '.join(sides) or 'the requirements'} ask for {about} that exclude each other",
        cause=cause,
        hint="choose another version of the node, or remove the other one; nothing was changed",
        subject=next(iter(packages), ""),
    )


def install(workspace: Workspace, environment: Environment, lock: str, *, build: bool) -> None:
    """Write ``lock`` and make the venv hold what it says; the manifest is written already.

    What it no longer says is removed, unless a package that no lock has (torch) requires it.
    """
    before = _locked_names(environment.lock_path)
    write_durably(environment.lock_path, lock.encode())
    _sync(workspace, environment, build)
    gone = before - _locked_names(environment.lock_path)
    workspace.tools.uv.uninstall(environment.venv_path, sorted(gone))


def _locked_names(path: Path) -> frozenset[str]:
    if not path.exists():
        return frozenset()
    return frozenset(package.name for package in parse_lock(path.read_bytes()))


def _sync(workspace: Workspace, environment: Environment, build: bool) -> None:
    """Install into the venv; one that is not there or not whole is made anew on the way."""
    project, venv, new_python = environment.cec_path, environment.venv_path, ""
    if not (environment.python.exists() and (venv / "pyvenv.cfg").exists()):
        remove_folder(venv, workspace.root / "cache" / "trash")
        new_python = environment.manifest().python_version
    workspace.tools.uv.sync(project, venv, new_python=new_python, build=build)


def install_torch(
    workspace: Workspace, environment: Environment, manifest: Manifest, backend: str
) -> TorchSpec:
    """Install the torch stack and return what is there afterwards.

    The recorded versions are asked for; where this machine's backend has no such build, the newest
    is taken instead. The three versions are read back: uv has been seen to install nothing with
    exit code 0.
    """
    asked = {package_name(line) for line in manifest.requirements}
    wanted = [name for name in _TORCH_PACKAGES if name in asked]
    if backend == "none" or "torch" not in wanted:
        return replace(manifest.torch, backend=backend)
    pins = _torch_pins(manifest.torch, wanted)
    try:
        workspace.tools.uv.install_torch(environment.venv_path, pins, backend)
    except PythonEnvironmentError:
        if pins == wanted:
            raise
        workspace.tools.uv.install_torch(environment.venv_path, wanted, backend)
    installed = workspace.tools.uv.installed(environment.venv_path)
    there = {package.name: package.version for package in installed}
    if missing := [name for name in wanted if name not in there]:
        raise PythonEnvironmentError(
            f"`{missing[0]}` is not there after its installation",
            hint="set [python] torch_backend or torch_wheels in config.toml",
            subject=missing[0],
        )
    return _torch_spec(there, backend)


def _torch_pins(torch: TorchSpec, wanted: list[str]) -> list[str]:
    """Pin all packages of the stack or none: they only fit together."""
    versions = {
        "torch": torch.version,
        "torchvision": torch.torchvision,
        "torchaudio": torch.torchaudio,
    }
    if not all(versions[name] for name in wanted):
        return wanted
    return [f"{name}=={versions[name]}" for name in wanted]


def _torch_spec(installed: Mapping[str, str], backend: str) -> TorchSpec:
    versions = {name: installed.get(name, "").partition("+")[0] for name in _TORCH_PACKAGES}
    return TorchSpec(
        version=versions["torch"],
        torchvision=versions["torchvision"],
        torchaudio=versions["torchaudio"],
        backend=backend,
    )
