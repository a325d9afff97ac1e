"""The unpacked bundle of an import or update: it must still be what was read and agreed to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from comfydock_core.domain.bundle import PYPROJECT
from comfydock_core.errors import BundleError
from comfydock_core.storage.durable_files import storage_errors


def folder_digest(folder: Path) -> str:
    """Return what changes with any file below ``folder``: sha256 (hex) over paths and contents.

    Anything but a plain file or folder counts as something else, and is never opened.
    """
    digest = hashlib.sha256()
    with storage_errors(folder):
        for path, content in sorted(_entries(folder)):
            digest.update(f"{path}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def check_unpacked(folder: Path, digest: str, hint: str) -> None:
    """Raise BundleError, with ``hint``, unless ``folder`` holds what ``digest`` says."""
    if not (folder / PYPROJECT).exists():
        raise BundleError(
            f"`{folder}` is gone, so this cannot go on", hint=hint, subject=str(folder)
        )
    if folder_digest(folder) != digest:
        raise BundleError(
            f"`{folder}` is not what it was when the plan was made",
            hint=hint,
            subject=str(folder),
        )


def _entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file's path below ``folder`` and its sha256; no digest for what is no file."""
    for above, folders, names in os.walk(folder, onerror=_raise):
        links = (path for name in folders if (path := Path(above, name)).is_symlink())
        for path in (*(Path(above, name) for name in names), *links):
            plain = path.is_file() and not path.is_symlink()
            yield path.relative_to(folder).as_posix(), _sha256(path) if plain else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _raise(error: OSError) -> None:
    raise error
