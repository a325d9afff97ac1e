"""Node catalogues of folders, kept until a file of theirs changes, and shared by equal folders."""

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
from comfydock_core.storage.node_catalogue import NodeCatalogue, core_files
from comfydock_core.storage.python_source import LARGEST_FILE, SkippedFile, source_files

_FORMAT = 3
"""Raise it when the same files are read as something else than before."""
_UNUSABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


class NodeScanCache:
    """Reads node packs, each once: below ``folder`` is one JSON file per pack, and one per content.

    Files count as unchanged by path, size and time. Those of a new folder are held by their bytes
    against what was read before: every environment has a ComfyUI of its own, most the same one.
    A cache that cannot be written or read costs time and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pack(self, folder: Path) -> NodeCatalogue:
        """Return what a node pack defines; an absent folder defines nothing."""
        return self._catalogue(folder, list(source_files(folder, ".py", ".js")))

    def core(self, comfyui: Path) -> NodeCatalogue:
        """Return what a ComfyUI checkout itself defines."""
        return self._catalogue(comfyui, core_files(comfyui))

    def _catalogue(self, folder: Path, files: list[Path]) -> NodeCatalogue:
        stamp = _stamp(files)
        place = self._place(b"folder", os.fsencode(folder.absolute()))
        with suppress(*_UNUSABLE):
            kept = json.loads(place.read_bytes())
            if kept["stamp"] == stamp:
                return _read(self._folder / kept["catalogue"], folder)
        content = _content(folder, files)
        shared = self._place(b"content", content)
        catalogue = None
        with suppress(*_UNUSABLE):
            catalogue = _read(shared, folder)
        if catalogue is None:
            # Most packs were read before, and a command need not load what reads them.
            from comfydock_core.storage.node_classes import scan_files

            catalogue = scan_files(files)
            # What changed while it was read is nobody's catalogue.
            if _content(folder, files) != content:
                return catalogue
            _keep(shared, _written(catalogue, folder))
        _keep(place, {"stamp": stamp, "catalogue": shared.name})
        return catalogue

    def _place(self, kind: bytes, key: bytes) -> Path:
        return self._folder / f"{hashlib.sha256(kind + key).hexdigest()[:32]}.json"


def _keep(path: Path, document: object) -> None:
    with suppress(StorageError):
        write_durably(path, json.dumps(document).encode())


def _stamp(files: Iterable[Path]) -> str:
    digest = hashlib.sha256(b"%d" % _FORMAT)
    for path in files:
        with suppress(OSError):
            status = path.stat()
            entry = (os.fspath(path), status.st_size, status.st_mtime_ns)
            digest.update(repr(entry).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _content(folder: Path, files: Iterable[Path]) -> bytes:
    """Return a digest of all that a scan goes by, wherever the folder lies."""
    digest = hashlib.sha256(b"%d" % _FORMAT)
    for path in files:
        digest.update(
            repr((os.path.relpath(path, folder), _state(path))).encode("utf-8", "replace")
        )
    return digest.digest()


def _state(path: Path) -> object:
    """Return the digest of a file's bytes, or why it has none: a scan passes it over as well."""
    try:
        readable = path.is_file() and path.stat().st_size <= LARGEST_FILE
        return hashlib.sha256(path.read_bytes()).digest() if readable else path.stat().st_size
    except OSError as error:
        return error.strerror


def _written(catalogue: NodeCatalogue, folder: Path) -> dict[str, object]:
    return {
        "classes": _rows(catalogue.classes),
        "inputs": _rows(catalogue.inputs),
        "frontend": list(catalogue.frontend),
        "skipped": [
            [os.path.relpath(each.path, folder), each.reason] for each in catalogue.skipped
        ],
    }


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


def _read(path: Path, folder: Path) -> NodeCatalogue:
    """Return a kept catalogue as that of ``folder``."""
    document = json.loads(path.read_bytes())
    return NodeCatalogue(
        classes=_widgets(document["classes"]),
        inputs=_widgets(document["inputs"]),
        frontend=tuple(document["frontend"]),
        skipped=tuple(
            SkippedFile(path=folder / path, reason=reason) for path, reason in document["skipped"]
        ),
    )
