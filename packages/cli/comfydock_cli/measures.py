"""Sizes and times as people read them."""

from __future__ import annotations

from comfydock_core.domain.byte_sizes import size_text

__all__ = ["about_text", "counted", "duration_text", "size_text"]


def duration_text(seconds: float) -> str:
    """Return a time as ``42 s``, ``3 min 20 s`` or ``1 h 5 min``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def about_text(seconds: float) -> str:
    """Return an estimate as coarse as it is: ``about 40 s``, ``about 15 min``, ``about 2.5 h``."""
    if seconds < 60:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def counted(number: int, noun: str) -> str:
    """Return ``1 node``, ``2 nodes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
