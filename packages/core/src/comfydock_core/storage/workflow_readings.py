"""What workflow files ask for, read once: an unchanged file costs one stat."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from comfydock_core import __version__
from comfydock_core.domain.lenient_json import fast_decoder, plain_decoder
from comfydock_core.domain.model_loaders import Loaders
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_needs import WorkflowNeeds, needs_of
from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import write_durably

_MANY = 100
"""After this number of changed files the faster decoder is worth its import (speed.md)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    size: int
    mtime_ns: int
    needs: WorkflowNeeds


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """Readings by workflow name; ``basis`` is what they were read with."""

    basis: str = ""
    readings: Mapping[str, _Reading] = field(default_factory=dict)


class WorkflowReadings:
    """The readings of one environment's workflows, kept in ``file``.

    They hold as long as size and time of a workflow and the known ``loaders`` stay. A cache that
    cannot be read or written costs time and nothing else.
    """

    def __init__(self, file: Path, loaders: Loaders) -> None:
        self._file = file
        self._loaders = loaders
        self._basis = _basis(loaders)
        kept = _read(file)
        self._before = kept.readings if kept.basis == self._basis else {}
        self._now: dict[str, _Reading] = {}
        self.misses = 0

    def needs(self, name: str, path: Path) -> WorkflowNeeds:
        """Return what a workflow asks for; WorkflowError for a file that is none.

        ``misses`` counts the files that had to be read.
        """
        status = path.stat()
        state = (status.st_size, status.st_mtime_ns)
        reading = self._now.get(name) or self._before.get(name)
        if reading is None or (reading.size, reading.mtime_ns) != state:
            self.misses += 1
            decode = fast_decoder() if self.misses > _MANY else plain_decoder
            workflow = parse_workflow(path.read_bytes(), name, decode)
            needs = needs_of(workflow, self._loaders)
            reading = _Reading(size=state[0], mtime_ns=state[1], needs=needs)
        self._now[name] = reading
        return reading.needs

    def keep(self) -> None:
        """Write down what was read, if that is news."""
        if self._now == self._before:
            return
        with suppress(StorageError, msgspec.MsgspecError, UnicodeEncodeError):
            kept = _Kept(basis=self._basis, readings=self._now)
            write_durably(self._file, msgspec.json.encode(kept))


def _basis(loaders: Loaders) -> str:
    digest = hashlib.sha256(__version__.encode())
    for name in sorted(loaders):
        digest.update(repr((name, loaders[name])).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _read(file: Path) -> _Kept:
    with suppress(OSError, msgspec.MsgspecError, RecursionError):
        return msgspec.json.decode(file.read_bytes(), type=_Kept)
    return _Kept()
