"""One file in two places of the model library without a second copy of its bytes."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from comfydock_core.storage.durable_files import storage_errors, sync_folder


def link_model(source: Path, target: Path) -> None:
    """Make ``source`` appear at ``target``, which is left alone if something is there.

    A symbolic link where the system has them, else a hard link, else a copy.
    """
    if target.exists() or target.is_symlink():
        return
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for link in (os.symlink, os.link):
            with suppress(OSError, NotImplementedError):
                link(source, target)
                break
        else:
            aside = target.with_name(f".{target.name}.copy")
            shutil.copyfile(source, aside)
            aside.replace(target)
        sync_folder(target.parent)
