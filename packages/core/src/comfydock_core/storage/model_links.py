"""One file in two places of the model library without a second copy of its bytes."""

from __future__ import annotations

import os
import shutil
from errno import EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP, EXDEV
from pathlib import Path

from blake3 import blake3

from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import storage_errors, sync_folder
from comfydock_core.storage.new_file import new_file

_PIECE = 64 * 1024 * 1024
_BUFFER = 1024 * 1024
_CANNOT_COPY_INSIDE = (EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP, EXDEV)


def link_model(source: Path, target: Path) -> None:
    """Make the file ``source`` appear at ``target``; a file that is there is left alone.

    A symbolic link where the system has them, else a hard link, else a verified copy. A link leads
    to the file itself: a cache's own links (``snapshots/…``) come and go. StorageError for a
    ``source`` that is no file, and for a link at ``target`` that leads nowhere.
    """
    file = Path(os.path.realpath(source)) if source.is_symlink() else source.absolute()
    if not file.is_file():
        raise StorageError(f"`{source}` is no file", subject=str(source))
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _is_taken(target) and not _linked(file, target):
            copy_model(file, target)
        sync_folder(target.parent)


def copy_model(source: Path, target: Path) -> None:
    """Copy a file, never over another; ``target`` appears when the copy was read back as equal.

    The system copies by itself where it can (sharing blocks, or on the server that has both). A
    ``target`` that appears meanwhile is left alone. OSErrors pass.
    """
    try:
        with new_file(target, replace=False) as part:
            with source.open("rb") as reading, part.open("xb") as writing:
                _copy_inside(reading.fileno(), writing.fileno())
                shutil.copyfileobj(reading, writing, _BUFFER)
            if _digest(part) != _digest(source):
                raise StorageError(
                    f"the copy of `{source}` is not what it is",
                    hint="does another program write it? comfydock model verify",
                    subject=str(source),
                )
    except StorageError:
        if not _is_taken(target):
            raise


def _is_taken(target: Path) -> bool:
    """Whether something is at ``target``; a link that leads nowhere stops the work."""
    # In this order: somebody else may be making the link just now.
    if not os.path.lexists(target):
        return False
    if not target.exists():
        raise StorageError(
            f"`{target}` is a link to `{target.readlink()}`, which is not there",
            hint="connect the disk that it is on, or remove the link",
            subject=str(target),
        )
    return True


def _linked(file: Path, target: Path) -> bool:
    """Whether ``target`` is there now, as a link or because somebody else was faster."""
    for link in (os.symlink, os.link):
        try:
            link(file, target)
        except FileExistsError:
            return _is_taken(target)
        except (OSError, NotImplementedError):
            continue
        return True
    return False


def _copy_inside(reading: int, writing: int) -> None:
    """Let the system copy between two descriptors as far as it can; both stand where it ended."""
    if not hasattr(os, "copy_file_range"):
        return
    try:
        while os.copy_file_range(reading, writing, _PIECE):
            pass
    except OSError as error:
        if error.errno not in _CANNOT_COPY_INSIDE:
            raise


def _digest(path: Path) -> bytes:
    return blake3(max_threads=blake3.AUTO).update_mmap(path).digest()
