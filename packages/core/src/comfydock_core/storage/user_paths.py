"""Paths as people type them."""

from __future__ import annotations

import os
from pathlib import Path


def user_path(text: str | Path) -> Path:
    """Return the path with ``~`` put in; that of a user who is not known stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path's can raise
