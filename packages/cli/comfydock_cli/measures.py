"""Sizes and times as people read them."""

from __future__ import annotations

_UNITS = ("KB", "MB", "GB", "TB")


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
