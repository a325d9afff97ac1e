"""The header of a .safetensors file against its size: is it one, and is it whole?

Format: 8 bytes little-endian length N, N bytes of JSON
``{tensor: {"dtype": "F16", "shape": [...], "data_offsets": [start, end]}}`` (and
``__metadata__``), then the data, whose end is the largest ``end``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from comfydock_core.domain.tensor_facts import TensorFacts, facts_of_tensors

_LENGTH_BYTES = 8
_HEADER_LIMIT = 100 * 1024 * 1024
# 100 MB of empty lists would take gigabytes of memory; a checkpoint of SDXL has 2,500 tensors.
_MOST_TABLES = 500_000
_MOST_VALUES = 3_000_000
_METADATA = "__metadata__"
_TOLD = ("modelspec.architecture", "ss_base_model_version")
_UNREADABLE = (
    *(ValueError, RecursionError, TypeError),
    *(AttributeError, LookupError, ArithmeticError),
)


def header_problem(path: Path) -> str:
    """Say in words why ``path`` is no whole safetensors file; empty when it is one."""
    size, text = _read(path)
    if not text:
        return "it does not begin with a safetensors header"
    try:
        ends = [
            entry["data_offsets"][1] for name, entry in _parsed(text).items() if name != _METADATA
        ]
        expected = _LENGTH_BYTES + len(text) + max(ends, default=0)
    except _UNREADABLE:
        return "its safetensors header cannot be read"
    return "" if expected == size else f"its header speaks of {expected} bytes, it has {size}"


def _read(path: Path) -> tuple[int, bytes]:
    """Return a file's size and the bytes of its header; no bytes where it begins with none."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if not 2 <= length <= min(size - _LENGTH_BYTES, _HEADER_LIMIT):
            return size, b""
        return size, file.read(length)


def _parsed(text: bytes) -> dict[str, Any]:
    tables, values = text.count(b"{") + text.count(b"["), text.count(b",")
    if tables > _MOST_TABLES or values > _MOST_VALUES:
        raise ValueError("more lists, objects or values than any header")
    header: dict[str, Any] = json.loads(text)
    return header


def safetensors_facts(path: Path) -> TensorFacts | None:
    """Guess from its header what a model is; None for what has none that can be read."""
    try:
        _, text = _read(path)
        header = _parsed(text) if text else {}
        told = header.pop(_METADATA, {})
        tensors = {name: _tensor(entry) for name, entry in header.items()}
        said = [str(told.get(key, "")) for key in _TOLD]
    except (OSError, *_UNREADABLE):
        return None
    return facts_of_tensors(tensors, said) if tensors else None


def _tensor(entry: dict[str, Any]) -> tuple[str, int]:
    start, end = entry["data_offsets"]
    return str(entry["dtype"]), int(end - start)
