"""A bundle from a stranger -> its contents, unpacked and checked against its own manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.bundle import (
    DEV_NODES,
    FORMAT_VERSION,
    LOCK,
    MANIFEST,
    PYPROJECT,
    PYTHON_VERSION,
    WORKFLOWS,
    BundleFile,
    BundleManifest,
    place_of,
)
from comfydock_core.domain.bundle_parsing import parse_manifest
from comfydock_core.domain.names import PYTHON_VERSION as PYTHON_VERSION_FORM
from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import ArchiveMember, contents_digest
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.member_rules import refused_member, shown
from comfydock_core.storage.tar_reader import read_archive

_REQUIRED = (PYPROJECT, LOCK, PYTHON_VERSION, MANIFEST)


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleContents:
    """A bundle whose every member was checked.

    ``root`` is the folder that it was unpacked into; ``members`` are sorted by path; ``digest``
    is the bundle's identity; ``python_version`` is like ``3.11`` or ``3.11.7``; ``warnings`` are
    sentences for the user.
    """

    root: Path
    manifest: BundleManifest
    members: tuple[ArchiveMember, ...]
    digest: str
    python_version: str
    warnings: tuple[str, ...] = ()

    @property
    def pyproject_path(self) -> Path:
        """Where the bundle's pyproject.toml lies."""
        return self.root / PYPROJECT

    @property
    def lock_path(self) -> Path:
        """Where the bundle's uv.lock lies."""
        return self.root / LOCK

    @property
    def workflows(self) -> tuple[str, ...]:
        """Paths below ``workflows/``, sorted."""
        paths = (member.path.split("/", 1) for member in self.members)
        return tuple(rest[0] for folder, *rest in paths if folder == WORKFLOWS)

    @property
    def dev_nodes(self) -> Mapping[str, Sequence[ArchiveMember]]:
        """The members of each development node, by its name."""
        nodes: dict[str, list[ArchiveMember]] = {}
        for member in self.members:
            folder, _, rest = member.path.partition("/")
            if folder == DEV_NODES:
                name = rest.partition("/")[0]
                nodes.setdefault(name, []).append(member)
        return nodes


def read_bundle(archive: Path, staging: Path) -> BundleContents:
    """Unpack ``archive`` into the fresh, private folder ``staging`` and check all of it.

    A BundleError names the member and the rule, a ManifestError the key of manifest.json. Nothing
    is written outside ``staging``, which is the caller's to remove, also after an error.
    """
    members = read_archive(archive, staging, place_of=place_of)
    _check_required(archive, members)
    with storage_errors(staging):
        manifest = parse_manifest((staging / MANIFEST).read_bytes())
        python_version = _python_version(archive, (staging / PYTHON_VERSION).read_bytes())
    if manifest.files:
        _check_listed(archive, manifest, members)
    return BundleContents(
        root=staging,
        manifest=manifest,
        members=members,
        digest=contents_digest(members),
        python_version=python_version,
        warnings=tuple(_warnings(archive, manifest)),
    )


def _check_required(archive: Path, members: tuple[ArchiveMember, ...]) -> None:
    paths = {member.path for member in members}
    missing = next((path for path in _REQUIRED if path not in paths), "")
    if missing:
        name = shown(archive.name)
        raise BundleError(
            f"`{name}` is not a comfydock bundle: it has no `{missing}`",
            hint="a bundle is a .tar.gz file that `comfydock export` writes",
            subject=missing,
        )


def _python_version(archive: Path, data: bytes) -> str:
    # Other bytes than ASCII become letters that no version has.
    version = data.decode("ascii", "replace").strip()
    if not PYTHON_VERSION_FORM.fullmatch(version):
        raise refused_member(archive.name, PYTHON_VERSION, "must be a version like 3.11 or 3.11.7")
    return version


def _check_listed(
    archive: Path, manifest: BundleManifest, members: tuple[ArchiveMember, ...]
) -> None:
    found = {member.path: member for member in members if member.path != MANIFEST}
    for path in sorted(manifest.files.keys() | found.keys()):
        if rule := _difference(manifest.files.get(path), found.get(path)):
            raise refused_member(archive.name, path, rule)


def _difference(listed: BundleFile | None, found: ArchiveMember | None) -> str:
    if listed is None:
        return f"is not listed in `{MANIFEST}`"
    if found is None:
        return f"is listed in `{MANIFEST}` but is not there"
    if listed.size != found.size:
        return f"has {found.size:,} bytes where `{MANIFEST}` says {listed.size:,}"
    if listed.sha256 != found.sha256:
        return f"is not what `{MANIFEST}` lists: its sha256 differs"
    return ""


def _warnings(archive: Path, manifest: BundleManifest) -> list[str]:
    warnings = []
    name = shown(archive.name)
    if not manifest.files:
        warnings.append(f"`{name}` lists no digests, so its files could not be checked one by one")
    if manifest.format_version > FORMAT_VERSION:
        warnings.append(
            f"`{name}` has format {manifest.format_version}, and this comfydock knows format"
            f" {FORMAT_VERSION}: something in it may be passed over"
        )
    return warnings
