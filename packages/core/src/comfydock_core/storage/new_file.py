"""A file that appears whole under its name, or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOTSUP, EOPNOTSUPP, EPERM
from pathlib import Path

from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import sync_folder

_NO_HARD_LINKS = (EPERM, ENOTSUP, EOPNOTSUPP)


@contextmanager
def new_file(target: Path, *, replace: bool) -> Iterator[Path]:
    """Give the block a path beside ``target`` to create and fill; then make it ``target``.

    Unless ``replace`` is set, a ``target`` that exists, also one that appears meanwhile, is a
    StorageError and stays as it is; a device or a pipe always does. When the block fails, nothing
    is left. OSErrors pass.
    """
    if not replace and os.path.lexists(target):
        raise _in_the_way(target)
    if _is_special(target):
        raise StorageError(
            f"`{target}` is no regular file, and is never replaced by one",
            hint="choose the name of a file",
            subject=str(target),
        )
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
        _sync_file(part)
        _put_in_place(part, target, replace=replace)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    sync_folder(target.parent)


def _is_special(target: Path) -> bool:
    """Tell devices, pipes and sockets, which a rename would take away from everybody."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))


def _put_in_place(part: Path, target: Path, *, replace: bool) -> None:
    if replace:
        part.replace(target)
        return
    try:
        _rename_to_new(part, target)
    except FileExistsError as error:
        raise _in_the_way(target) from error


def _rename_to_new(part: Path, target: Path) -> None:
    """Rename without ever replacing: rename does that on Windows, a hard link elsewhere."""
    if os.name == "nt":
        part.rename(target)
        return
    try:
        target.hardlink_to(part)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # A file system without hard links: claim the name first, then put the file there.
        target.touch(exist_ok=False)
        part.replace(target)


def _in_the_way(target: Path) -> StorageError:
    return StorageError(
        f"`{target}` exists already", hint="choose another name or remove it", subject=str(target)
    )


def _sync_file(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())
