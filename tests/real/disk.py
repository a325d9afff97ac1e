"""What folders take on disk, hard links counted once, as du counts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

BYTES_IN_A_BLOCK = 512

File = tuple[int, int]


def occupied(folders: Iterable[Path]) -> dict[File, int]:
    """The bytes of the blocks of everything below ``folders``, by device and inode."""
    found: dict[File, int] = {}
    waiting = [folder for folder in folders if folder.is_dir()]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                found[status.st_dev, status.st_ino] = status.st_blocks * BYTES_IN_A_BLOCK
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
    return found


def added(before: Mapping[File, int], after: Mapping[File, int]) -> int:
    """The bytes by which ``after`` is larger; a file that both have counts by its growth."""
    return sum(size - before.get(file, 0) for file, size in after.items())
