"""Strictly read contents -> what an import or a look at a bundle goes by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from comfydock_core import __version__
from comfydock_core.domain.bundle import BundleFile
from comfydock_core.domain.lock import LockedPackage, foreign_packages, parse_lock
from comfydock_core.domain.manifest_parsing import parse_manifest_toml
from comfydock_core.importing.bundle_reader import BundleContents, read_bundle
from comfydock_core.importing.model_places import check_model_places
from comfydock_core.importing.summary import DevelopmentSource, OpenedBundle, Surroundings
from comfydock_core.importing.unpacked_bundle import folder_digest
from comfydock_core.storage.archive import ArchiveMember, contents_digest
from comfydock_core.workspace.workspace import Workspace

_SCRIPTS = ("install.py", "prestartup_script.py")
_NATIVE = (".so", ".pyd", ".dll", ".dylib", ".exe")


def surroundings_of(workspace: Workspace) -> Surroundings:
    """Say what this machine is like for an import."""
    hosts = workspace.settings.hosts
    return Surroundings(
        environment_names=frozenset(workspace.environment_names()),
        comfyui_repository=hosts.comfyui_repository,
        registry=hosts.registry,
        version=__version__,
    )


def open_bundle(workspace: Workspace, archive: Path, unpacked: Path) -> OpenedBundle:
    """Read a bundle strictly into ``unpacked``, a private folder that is made, and parse it."""
    unpacked.mkdir(mode=0o700, parents=True)
    default = workspace.settings.hosts.comfyui_repository
    opened = open_contents(read_bundle(archive, unpacked), default)
    return replace(opened, unpacked=folder_digest(unpacked))


def open_contents(contents: BundleContents, comfyui_repository: str) -> OpenedBundle:
    """Parse what the strict reader let through; ManifestError where two models are in one place.

    ``comfyui_repository`` stands in where the bundle names none: one from a folder of its author's.
    """
    manifest = parse_manifest_toml(contents.pyproject_path.read_bytes())
    check_model_places(manifest, "ask the sender to rename one of them")
    lock = parse_lock(contents.lock_path.read_bytes()) if contents.lock_path.exists() else ()
    if "://" not in manifest.comfyui_repository:
        manifest = replace(manifest, comfyui_repository=comfyui_repository)
    return OpenedBundle(
        bundle=contents.manifest,
        manifest=manifest,
        lock=lock,
        development=tuple(
            _development(name, members) for name, members in sorted(contents.dev_nodes.items())
        ),
        digest=contents.digest,
        models=_listed(contents.models),
        inputs=_listed(contents.inputs),
        warnings=(*contents.warnings, *_left_out(lock)),
        dropped=contents.dropped,
    )


def _listed(members: Mapping[str, ArchiveMember]) -> Mapping[str, BundleFile]:
    return {
        path: BundleFile(size=member.size, sha256=member.sha256) for path, member in members.items()
    }


def _left_out(lock: tuple[LockedPackage, ...]) -> Iterable[str]:
    """Say which packages of a lock are not taken over: those that no index has."""
    for package in foreign_packages(lock):
        yield (
            f"Python package {package.name} came from {package.source} {package.address} "
            "and is not taken from there"
        )


def _development(name: str, members: Iterable[ArchiveMember]) -> DevelopmentSource:
    files = tuple(members)
    names = {member.path.rpartition("/")[2].lower() for member in files}
    native = any(name.endswith(_NATIVE) for name in names)
    return DevelopmentSource(
        name=name,
        files=len(files),
        digest=contents_digest(files),
        size=sum(member.size for member in files),
        scripts=(
            *(script for script in _SCRIPTS if script in names),
            *(("native code",) if native else ()),
        ),
    )
