"""An environment's tracked files -> one reproducible bundle, read back before it is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from comfydock_core.domain.bundle import (
    DEV_NODES,
    LOCK,
    MANIFEST,
    PYPROJECT,
    PYTHON_VERSION,
    WORKFLOWS,
    BundleFile,
    BundleManifest,
    place_of,
)
from comfydock_core.domain.bundle_parsing import manifest_bytes
from comfydock_core.errors import BundleError
from comfydock_core.importing.bundle_reader import read_bundle
from comfydock_core.storage.archive import ArchiveMember, MemberSource
from comfydock_core.storage.durable_files import staging_folder, storage_errors
from comfydock_core.storage.member_rules import refused_member
from comfydock_core.storage.new_file import new_file
from comfydock_core.storage.tar_writer import measure_members, write_archive


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportBundle:
    """What goes into a bundle.

    ``workflows_dir`` gives every ``.json`` below it and need not exist; ``dev_nodes_dir`` holds
    one folder for each development node, with exactly the files that may travel. ``manifest`` is
    completed by ``files``. ``mtime`` is that of every member, in seconds since 1970.
    """

    pyproject_path: Path
    uv_lock_path: Path
    python_version_path: Path
    workflows_dir: Path
    dev_nodes_dir: Path | None
    manifest: BundleManifest
    mtime: int

    def to_tarball(self, output_path: Path, *, overwrite: bool = False) -> Path:
        """Write the bundle to ``output_path`` and return that.

        Equal files, manifest and mtime give equal bytes. The bundle takes its name only after the
        strict reader has read it back; a failure leaves nothing, and a file that exists stays
        unless ``overwrite`` is set.
        """
        with storage_errors(output_path):
            sources = (*self._fixed(), *self._workflows(), *self._dev_nodes())
            _check_places(output_path, sources)
            measured = measure_members(sources, output_path.name)
            manifest = MemberSource(path=MANIFEST, content=self._manifest_bytes(measured))
            with new_file(output_path, replace=overwrite) as part:
                written = write_archive(part, (*sources, manifest), mtime=self.mtime)
                _read_back(part, written)
        return output_path

    def _fixed(self) -> Iterator[MemberSource]:
        yield MemberSource(path=PYPROJECT, content=self.pyproject_path)
        yield MemberSource(path=LOCK, content=self.uv_lock_path)
        yield MemberSource(path=PYTHON_VERSION, content=self.python_version_path)

    def _workflows(self) -> Iterator[MemberSource]:
        if self.workflows_dir.is_dir():
            for source in _files_below(self.workflows_dir, WORKFLOWS):
                if source.path.endswith(".json"):
                    yield replace(source, mode=0o644)

    def _dev_nodes(self) -> Iterator[MemberSource]:
        if self.dev_nodes_dir is not None:
            yield from _files_below(self.dev_nodes_dir, DEV_NODES)

    def _manifest_bytes(self, members: Sequence[ArchiveMember]) -> bytes:
        files = {
            member.path: BundleFile(size=member.size, sha256=member.sha256) for member in members
        }
        return manifest_bytes(replace(self.manifest, files=files))


def _files_below(folder: Path, place: str) -> Iterator[MemberSource]:
    """Find everything below ``folder`` that is no folder; links are found, not followed."""
    waiting = [(folder, place)]
    while waiting:
        current, path = waiting.pop()
        with os.scandir(current) as entries:
            for entry in entries:
                member = f"{path}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((Path(entry.path), member))
                else:
                    mode = entry.stat(follow_symlinks=False).st_mode
                    yield MemberSource(path=member, content=Path(entry.path), mode=mode)


def _check_places(archive: Path, sources: Sequence[MemberSource]) -> None:
    for source in sources:
        if not place_of(source.path):
            raise refused_member(archive.name, source.path, "has no place in a bundle")


def _read_back(part: Path, written: Sequence[ArchiveMember]) -> None:
    with staging_folder(Path(tempfile.gettempdir()), "comfydock-export-") as folder:
        found = read_bundle(part, folder).members
    if found != tuple(written):
        raise BundleError(
            f"`{part}` was not read back as it was written",
            hint="run the same command again; if this repeats, check the disk",
            subject=str(part),
        )
