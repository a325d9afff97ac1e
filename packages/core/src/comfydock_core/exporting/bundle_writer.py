"""An environment's tracked files -> one reproducible bundle, read back before it is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from comfydock_core.domain.bundle import (
    DEV_NODES,
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
from comfydock_core.domain.bundle_parsing import manifest_bytes
from comfydock_core.errors import BundleError, StorageError
from comfydock_core.importing.bundle_reader import check_bundle
from comfydock_core.storage.archive import (
    BUNDLE_LIMITS,
    PLAIN_MODE,
    ArchiveMember,
    Listing,
    MemberSource,
)
from comfydock_core.storage.durable_files import staging_folder, storage_errors
from comfydock_core.storage.member_rules import refused_member
from comfydock_core.storage.new_file import new_file
from comfydock_core.storage.tar_writer import AdmittedMembers


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportBundle:
    """What goes into a bundle; every file is read from where it lies.

    ``workflows_dir`` gives every ``.json`` below it and need not exist; ``dev_nodes_dir`` holds
    one folder for each development node, and ``inputs_dir`` what ComfyUI's input folder is to
    hold, each with exactly the files that may travel. ``files`` are more members of any place, by
    their paths in the bundle (``dev_nodes/NAME/…``, ``workflows/….json``). ``models`` are by their
    paths below a models directory and are not compressed; ``model_digests`` are the sha256 (hex) of
    those where it is known, which saves reading them once more; ``file_digests`` are those of
    ``files``, by their paths in the bundle, and another content is refused. ``manifest`` is
    completed by its ``files``. ``mtime`` is that of every member, in seconds since 1970.
    """

    pyproject_path: Path
    uv_lock_path: Path
    python_version_path: Path
    workflows_dir: Path | None
    dev_nodes_dir: Path | None
    manifest: BundleManifest
    mtime: int
    inputs_dir: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    file_digests: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, Path] = field(default_factory=dict)
    model_digests: Mapping[str, str] = field(default_factory=dict)

    def to_tarball(self, output_path: Path, *, overwrite: bool = False) -> Path:
        """Write the bundle to ``output_path`` and return that.

        Equal files, manifest and mtime give equal bytes. The bundle takes its name only after the
        strict reader has read it back; a failure leaves nothing, and a file that exists stays
        unless ``overwrite`` is set.
        """
        _check_folder(output_path.parent)
        with storage_errors(output_path):
            members = self._admitted(output_path)
            with new_file(output_path, replace=overwrite) as part:
                written = members.write(part, mtime=self.mtime)
                _read_back(part, written)
        return output_path

    def _admitted(self, output_path: Path) -> AdmittedMembers:
        sources = (*self._fixed(), *self._found(), *self._named())
        for source in sources:
            if not place_of(source.path):
                raise refused_member(output_path.name, source.path, "has no place in a bundle")
        listing = Listing(path=MANIFEST, make=self._manifest_bytes)
        try:
            return AdmittedMembers(sources, output_path.name, BUNDLE_LIMITS, listing)
        except BundleError as error:
            if error.hint or not error.subject.startswith(f"{DEV_NODES}/"):
                raise
            hint = "rename or shorten it, or list it in the node's .gitignore"
            raise BundleError(error.sentence, hint=hint, subject=error.subject) from error

    def _fixed(self) -> Iterator[MemberSource]:
        yield MemberSource(path=PYPROJECT, content=self.pyproject_path)
        yield MemberSource(path=LOCK, content=self.uv_lock_path)
        yield MemberSource(path=PYTHON_VERSION, content=self.python_version_path)

    def _found(self) -> Iterator[MemberSource]:
        """Find what is given as folders."""
        if self.workflows_dir and self.workflows_dir.is_dir():
            for path, file in _files_below(self.workflows_dir, WORKFLOWS):
                if path.endswith(".json"):
                    yield MemberSource(path=path, content=file)
        if self.dev_nodes_dir is not None:
            for path, file in _files_below(self.dev_nodes_dir, DEV_NODES):
                yield MemberSource(path=path, content=file, mode=None)
        if self.inputs_dir is not None:
            for path, file in _files_below(self.inputs_dir, INPUTS):
                yield MemberSource(path=path, content=file)

    def _named(self) -> Iterator[MemberSource]:
        """Take what is given by its path."""
        for path, file in self.files.items():
            is_code = path.startswith(f"{DEV_NODES}/")
            mode = None if is_code else PLAIN_MODE
            known = self.file_digests.get(path, "")
            yield MemberSource(path=path, content=file, mode=mode, sha256=known)
        for path, file in self.models.items():
            # A library may hold models as links, and what they point to is what travels.
            yield MemberSource(
                path=f"{MODELS}/{path}",
                content=file.resolve(),
                stored=True,
                sha256=self.model_digests.get(path, ""),
            )

    def _manifest_bytes(self, members: Sequence[ArchiveMember]) -> bytes:
        files = {
            member.path: BundleFile(size=member.size, sha256=member.sha256) for member in members
        }
        return manifest_bytes(replace(self.manifest, files=files))


def _files_below(folder: Path, place: str) -> Iterator[tuple[str, Path]]:
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
                    yield member, Path(entry.path)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise StorageError(
            f"`{folder}` is not there, or is no folder",
            hint="make the folder first, or choose another one",
            subject=str(folder),
        )


def _read_back(part: Path, written: Sequence[ArchiveMember]) -> None:
    with staging_folder(Path(tempfile.gettempdir()), "comfydock-export-") as folder:
        found = check_bundle(part, folder).members
    if found != tuple(written):
        raise BundleError(
            f"`{part}` was not read back as it was written",
            hint="run the same command again; if this repeats, check the disk",
            subject=str(part),
        )
