"""Model files for tests: any size in no time, and twins that only a full read tells apart."""

from __future__ import annotations

import os
from pathlib import Path

from comfydock_core.domain.models import ModelRoot
from comfydock_core.events import Event

KIB = 1024
MIB = 1024 * KIB


class Recorder:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


def roots(*folders: Path) -> tuple[ModelRoot, ...]:
    """Return folders of the library whose own sub-folders are the categories."""
    return tuple(ModelRoot(path=str(folder)) for folder in folders)


def write_model(path: Path, content: bytes = b"weights") -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_sparse(path: Path, size: int, middle: bytes = b"") -> Path:
    """Write ``size`` bytes of zero with ``middle`` between the samples of the short hash.

    Of what lies between its head (256 KiB) and its tail (64 KiB), the middle is where the eighth
    and the ninth sample are equally far.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.truncate(size)
        file.seek(max(0, (256 * KIB + size - 64 * KIB - len(middle)) // 2))
        file.write(middle)
    return path


def write_twins(folder: Path, size: int = 4 * MIB, differing: int = 4096) -> tuple[Path, Path]:
    """Write two files of one short hash: ``differing`` bytes in the middle are not the same."""
    first = write_sparse(folder / "first.safetensors", size, b"\x01" * differing)
    return first, write_sparse(folder / "second.safetensors", size, b"\x02" * differing)


def touch(path: Path, seconds: int) -> None:
    """Move a file's time forward, as a program does that writes the same bytes again."""
    status = path.stat()
    later = status.st_mtime_ns + seconds * 10**9
    os.utime(path, ns=(later, later))
