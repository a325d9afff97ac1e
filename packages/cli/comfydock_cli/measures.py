"""Sizes and times as people read them."""

from __future__ import annotations

import re

_UNITS = ("KB", "MB", "GB", "TB")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)\s*([KMGT]?)I?B?")


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


def duration_text(seconds: float) -> str:
    """Return a time as ``42 s``, ``3 min 20 s`` or ``1 h 5 min``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(number: int, noun: str) -> str:
    """Return ``1 node``, ``2 nodes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
