"""A bundle from a stranger -> its contents, unpacked and checked against its own manifest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from comfydock_core.domain.bundle import (
    DEV_NODES,
    FORMAT_VERSION,
    INPUTS,
    LOCK,
    MANIFEST,
    MODELS,
    PYPROJECT,
    PYTHON_VERSION,
    WORKFLOWS,
    BundleFile,
    BundleManifest,
    place_of,
)
from comfydock_core.domain.bundle_parsing import parse_manifest
from comfydock_core.domain.manifest_parsing import parse_manifest_toml
from comfydock_core.domain.names import PYTHON_VERSION as PYTHON_VERSION_FORM
from comfydock_core.errors import BundleError
from comfydock_core.importing.foreign_reader import FOREIGN, ForeignContents, take_over
from comfydock_core.storage.archive import (
    BUNDLE_LIMITS,
    ArchiveLimits,
    ArchiveMember,
    contents_digest,
)
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.member_rules import refused_member, shown
from comfydock_core.storage.tar_reader import read_archive, read_leniently

_REQUIRED = (PYPROJECT, LOCK, PYTHON_VERSION, MANIFEST)
_MOST_COMPRESSED = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleContents:
    """A bundle whose every member was checked.

    ``root`` is the folder that it was unpacked into; ``members`` are sorted by path; ``digest``
    is the bundle's identity; ``python_version`` is like ``3.11`` or ``3.11.7``; ``warnings`` are
    sentences for the user, and so is in ``dropped`` what another tool's bundle has of its own.
    """

    root: Path
    manifest: BundleManifest
    members: tuple[ArchiveMember, ...]
    digest: str
    python_version: str
    warnings: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

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
        return tuple(self._below(WORKFLOWS))

    @property
    def inputs(self) -> Mapping[str, ArchiveMember]:
        """The files for ComfyUI's input folder, by their paths below it; unpacked."""
        return self._below(INPUTS)

    @property
    def models(self) -> Mapping[str, ArchiveMember]:
        """The model files, by their paths below a models directory; not unpacked."""
        return self._below(MODELS)

    def _below(self, folder: str) -> Mapping[str, ArchiveMember]:
        start = f"{folder}/"
        return {
            member.path.removeprefix(start): member
            for member in self.members
            if member.path.startswith(start)
        }

    @property
    def dev_nodes(self) -> Mapping[str, Sequence[ArchiveMember]]:
        """The members of each development node, by its name."""
        nodes: dict[str, list[ArchiveMember]] = {}
        for path, member in self._below(DEV_NODES).items():
            nodes.setdefault(path.partition("/")[0], []).append(member)
        return nodes


def read_bundle(archive: Path, staging: Path) -> BundleContents:
    """Unpack ``archive`` into the fresh, private folder ``staging`` and check all of it.

    Its models are read and checked like everything else but stay where they are; see
    ``unpack_models``. A BundleError names the member and the rule, a ManifestError the key of
    manifest.json. Nothing is written outside ``staging``, which is the caller's to remove, also
    after an error. A bundle of ComfyDock 1.x or ComfyGit is taken over: what lies in ``staging`` is
    in our form then, without a uv.lock where that tool has none.
    """
    reading = read_leniently(
        archive,
        staging,
        place_of=place_of,
        is_unpacked=lambda path: not path.startswith(f"{MODELS}/"),
        limits=_limits(archive),
        leniency=FOREIGN,
    )
    if foreign := take_over(archive, staging, reading):
        return _taken_over(archive, staging, foreign)
    if reading.refusal:
        raise reading.refusal
    return _checked(archive, staging, reading.members)


def check_bundle(archive: Path, staging: Path) -> BundleContents:
    """Do the same for a bundle of ours, but unpack no more than the four files that all have."""
    members = read_archive(
        archive,
        staging,
        place_of=place_of,
        is_unpacked=_REQUIRED.__contains__,
        limits=_limits(archive),
    )
    return _checked(archive, staging, members)


def unpack_models(archive: Path, folder: Path, wanted: Collection[str], digest: str) -> None:
    """Unpack the models ``wanted`` (by ``BundleContents.models``) into ``folder``.

    ``folder`` is fresh and private, on the disk that the models go to; a model lies there
    as ``models/<path>``. The whole archive is checked again: it must
    still be the bundle whose identity is ``digest``, or a BundleError is raised and what lies in
    ``folder`` is worth nothing.
    """
    paths = frozenset(f"{MODELS}/{path}" for path in wanted)
    members = read_archive(
        archive,
        folder,
        place_of=place_of,
        is_unpacked=paths.__contains__,
        limits=_limits(archive),
    )
    if contents_digest(members) != digest:
        name = shown(archive.name)
        raise BundleError(
            f"`{name}` is not the bundle that it was when it was opened",
            hint="import it again from the start",
            subject=name,
        )


def _taken_over(archive: Path, staging: Path, foreign: ForeignContents) -> BundleContents:
    return BundleContents(
        root=staging,
        manifest=foreign.manifest,
        members=foreign.members,
        digest=contents_digest(foreign.members),
        python_version=foreign.python_version,
        warnings=tuple(_warnings(archive, foreign.manifest)),
        dropped=foreign.dropped,
    )


def _checked(archive: Path, staging: Path, members: tuple[ArchiveMember, ...]) -> BundleContents:
    _check_required(archive, members)
    with storage_errors(staging):
        manifest = parse_manifest((staging / MANIFEST).read_bytes())
        python_version = _python_version(archive, (staging / PYTHON_VERSION).read_bytes())
    if manifest.files:
        _check_listed(archive, manifest, members)
    contents = BundleContents(
        root=staging,
        manifest=manifest,
        members=members,
        digest=contents_digest(members),
        python_version=python_version,
        warnings=tuple(_warnings(archive, manifest)),
    )
    _check_development(archive, contents)
    return contents


def _limits(archive: Path) -> ArchiveLimits:
    """Return the caps for a bundle: models are stored, so they are no larger than the archive.

    Another tool may have compressed them, which is let pass where it is no bomb.
    """
    size = archive.stat().st_size if archive.is_file() else 0
    return replace(BUNDLE_LIMITS, large_total=_MOST_COMPRESSED * size + BUNDLE_LIMITS.total_size)


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


def _check_development(archive: Path, contents: BundleContents) -> None:
    """Refuse the source of a node that nobody would be told of: no plan has it."""
    if not contents.dev_nodes:
        return
    with storage_errors(contents.root):
        nodes = parse_manifest_toml(contents.pyproject_path.read_bytes()).nodes.values()
    known = {node.name for node in nodes if node.source == "development"}
    for name in sorted(contents.dev_nodes.keys() - known):
        rule = f"is no development node that `{PYPROJECT}` lists"
        raise refused_member(archive.name, f"{DEV_NODES}/{name}", rule)


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
