"""The header of a .safetensors file against its size: is it one, and is it whole?

Format: 8 bytes little-endian length N, N bytes of JSON ``{tensor: {"data_offsets": [start, end]}}``
(and ``__metadata__``), then the data, whose end is the largest ``end``.
"""

from __future__ import annotations

import json
from pathlib import Path

_LENGTH_BYTES = 8
_HEADER_LIMIT = 100 * 1024 * 1024


def header_problem(path: Path) -> str:
    """Say in words why ``path`` is no whole safetensors file; empty when it is one."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if not 2 <= length <= min(size - _LENGTH_BYTES, _HEADER_LIMIT):
            return "it does not begin with a safetensors header"
        text = file.read(length)
    try:
        header = json.loads(text)
        ends = [
            entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"
        ]
        expected = _LENGTH_BYTES + length + max(ends, default=0)
    except (ValueError, RecursionError, TypeError, AttributeError, LookupError):
        return "its safetensors header cannot be read"
    return "" if expected == size else f"its header speaks of {expected} bytes, it has {size}"
