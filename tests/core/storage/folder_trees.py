"""Folders for tests, written as the paths that lie in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from comfydock_core.domain.models import ModelRoot


def grow(root: Path, names: Iterable[str]) -> Path:
    """Make files, and folders where a name ends with a slash."""
    for name in names:
        place = root / name
        (place if name.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            place.write_bytes(b"weights")
    return root


def shown(roots: Iterable[ModelRoot], root: Path) -> list[tuple[str, str]]:
    """Return each root's path below ``root`` and its category."""
    return [(Path(each.path).relative_to(root).as_posix(), each.category) for each in roots]
