"""Amounts of bytes as people write them: a MB has 1024 KB, as everywhere on the screens."""

from __future__ import annotations

import re

_UNITS = ("KB", "MB", "GB", "TB")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?([KMGT]?)I?B?")


def size_text(size: int) -> str:
    """Return ``size`` bytes with one decimal: ``4.2 GB``, in steps of 1024; below that ``17 B``."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in _UNITS:
        amount /= 1024
        # 1023.95 would be drawn as 1024.0 of the smaller unit.
        if amount < 1023.95:
            return f"{amount:.1f} {unit}"
    return f"{amount:.1f} {_UNITS[-1]}"


def parsed_size(text: str) -> int | None:
    """Return the bytes of ``500``, ``500KB``, ``5 MB`` or ``1.5G``; None for anything else."""
    match = _SIZE.fullmatch(text.strip().upper())
    if not match:
        return None
    steps = ("", "K", "M", "G", "T").index(match[2])
    return int(float(match[1]) * 1024**steps)
