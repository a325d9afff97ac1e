"""Node catalogues of folders, kept until a file of theirs changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from comfydock_core.domain.model_loaders import Loaders, LoaderWidget
from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import write_durably
from comfydock_core.storage.node_classes import NodeCatalogue, core_files, scan_files
from comfydock_core.storage.python_source import SkippedFile, python_files

_FORMAT = 2
"""Raise it when the same files are read as something else than before."""


class NodeScanCache:
    """Reads node packs, each once: one JSON file per folder below ``folder``.

    Files count as unchanged by path, size and time. A cache that cannot be written or read costs
    time and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pack(self, folder: Path) -> NodeCatalogue:
        """Return what a node pack defines; an absent folder defines nothing."""
        return self._catalogue(folder, list(python_files(folder)))

    def core(self, comfyui: Path) -> NodeCatalogue:
        """Return what a ComfyUI checkout itself defines."""
        return self._catalogue(comfyui, core_files(comfyui))

    def _catalogue(self, folder: Path, files: list[Path]) -> NodeCatalogue:
        stamp = _stamp(files)
        key = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:32]
        path = self._folder / f"{key}.json"
        with suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
            return _read(path.read_bytes(), stamp)
        catalogue = scan_files(files)
        with suppress(StorageError):
            write_durably(path, _written(catalogue, stamp))
        return catalogue


def _stamp(files: Iterable[Path]) -> str:
    digest = hashlib.sha256(b"%d" % _FORMAT)
    for path in files:
        with suppress(OSError):
            status = path.stat()
            entry = (os.fspath(path), status.st_size, status.st_mtime_ns)
            digest.update(repr(entry).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _written(catalogue: NodeCatalogue, stamp: str) -> bytes:
    document = {
        "stamp": stamp,
        "classes": _rows(catalogue.classes),
        "inputs": _rows(catalogue.inputs),
        "skipped": [[os.fspath(each.path), each.reason] for each in catalogue.skipped],
    }
    return json.dumps(document).encode()


def _rows(loaders: Loaders) -> dict[str, list[list[object]]]:
    return {
        name: [[each.name, each.index, each.folder, each.fixed] for each in widgets]
        for name, widgets in loaders.items()
    }


def _widgets(rows: Mapping[str, list[list[Any]]]) -> Loaders:
    return {
        name: tuple(
            LoaderWidget(name=own, index=index, folder=folder, fixed=tuple(fixed))
            for own, index, folder, fixed in widgets
        )
        for name, widgets in rows.items()
    }


def _read(data: bytes, stamp: str) -> NodeCatalogue:
    """Return a kept catalogue; LookupError when it is of other files."""
    document = json.loads(data)
    if document["stamp"] != stamp:
        raise LookupError
    return NodeCatalogue(
        classes=_widgets(document["classes"]),
        inputs=_widgets(document["inputs"]),
        skipped=tuple(
            SkippedFile(path=Path(path), reason=reason) for path, reason in document["skipped"]
        ),
    )
