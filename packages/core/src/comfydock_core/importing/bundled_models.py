"""Model files that a bundle holds -> the library, without any network."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from comfydock_core.domain.bundle import MODELS
from comfydock_core.errors import BundleError, StorageError
from comfydock_core.importing.bundle_reader import unpack_models
from comfydock_core.storage.download_checks import DownloadRequest, require_space
from comfydock_core.storage.durable_files import staging_folder, storage_errors
from comfydock_core.storage.new_file import new_file
from comfydock_core.storage.safetensors_header import header_problem
from comfydock_core.workspace.workspace import Workspace

_STAGING = ".comfydock-staging"


@contextmanager
def unpacked_models(
    workspace: Workspace, archive: Path, digest: str, wanted: Collection[str], size: int
) -> Iterator[Path]:
    """Give a folder in which the ``wanted`` models of a bundle lie, by their paths in it.

    Their bytes are those of the bundle whose identity is ``digest``; ``size`` is how many they
    have together. BundleError where ``archive`` is gone or another file by now, DiskFullError where
    the library's disk cannot take them.
    """
    if not archive.is_file():
        raise BundleError(
            f"`{archive}` is gone, and the models to be unpacked are in it",
            hint="put it back, or run `comfydock import BUNDLE` with the place where it is now",
            subject=str(archive),
        )
    library = workspace.download_directory
    with storage_errors(library):
        library.mkdir(parents=True, exist_ok=True)
    place = _staging_place(workspace.staging_path, library)
    request = DownloadRequest(
        urls=(), target=library / MODELS, name=f"the models in {archive.name}"
    )
    require_space(request, size)
    try:
        with staging_folder(place, "models-") as staging:
            unpack_models(archive, staging, wanted, digest)
            yield staging / MODELS
    finally:
        if place.name == _STAGING:
            with suppress(OSError):
                place.rmdir()


def _staging_place(usual: Path, library: Path) -> Path:
    """Return a folder on the library's disk, outside of the library where that can be."""
    with storage_errors(usual):
        usual.mkdir(parents=True, exist_ok=True)
        return usual if usual.stat().st_dev == library.stat().st_dev else library / _STAGING


def place_model(unpacked: Path, target: Path) -> None:
    """Move a model to ``target``; a file that is there is never replaced.

    The same file there already is a success, another one a StorageError.
    """
    with storage_errors(target):
        if os.path.lexists(target):
            _require_same(unpacked, target)
            return
        problem = header_problem(unpacked) if target.suffix.lower() == ".safetensors" else ""
        if problem:
            raise BundleError(
                f"`{target.name}` in the bundle is no whole model file",
                cause=problem,
                hint="ask the sender for it",
                subject=target.name,
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with new_file(target, replace=False) as part:
            shutil.move(unpacked, part)


def _require_same(unpacked: Path, target: Path) -> None:
    if not (target.is_file() and filecmp.cmp(unpacked, target, shallow=False)):
        raise StorageError(
            f"`{target}` is there already and is another file",
            hint="rename it or move it away, then try again",
            subject=str(target),
        )
