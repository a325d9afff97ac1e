"""Which node classes a folder of code defines, and which of their inputs name files.

Read from the syntax: nothing is imported or run. ComfyUI finds classes in
``NODE_CLASS_MAPPINGS`` or, since 0.3.65, by ``comfy_entrypoint`` and the ``node_id`` of each
``io.Schema``.
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from comfydock_core.domain.model_loaders import INPUT_FOLDER, Loaders, LoaderWidget
from comfydock_core.storage.constant_folding import call_function, class_attribute
from comfydock_core.storage.folded_values import (
    NodeSchema,
    SourceClass,
    SourceFunction,
    SourceModule,
)
from comfydock_core.storage.frontend_classes import frontend_classes
from comfydock_core.storage.loader_inputs import loader_widgets
from comfydock_core.storage.node_catalogue import NodeCatalogue, core_files
from comfydock_core.storage.node_names import MAPPINGS, mapped_names
from comfydock_core.storage.pack_reading import PackReading
from comfydock_core.storage.python_source import (
    PackSource,
    source_files,
)

_LISTINGS = (b"get_filename_list", b"get_input_", b"_upload", b"UploadType")
_SCHEMA = "define_schema"


def scan_node_classes(folder: Path) -> NodeCatalogue:
    """Read a node pack: all code below ``folder``; an absent folder has no classes."""
    return scan_files(source_files(folder, ".py", ".js"))


def core_node_classes(comfyui: Path) -> NodeCatalogue:
    """Read the classes that come with ComfyUI itself, from its checkout."""
    return scan_files(core_files(comfyui))


def scan_files(files: Iterable[Path]) -> NodeCatalogue:
    """Read the node classes of the given files of Python and JavaScript, which belong together."""
    scripts: list[Path] = []
    python: list[Path] = []
    for path in files:
        (scripts if path.suffix == ".js" else python).append(path)
    with _uncollected():
        catalogue = _scanned(python)
    registered = frontend_classes(scripts)
    frontend = tuple(name for name in registered if name not in catalogue.classes)
    return replace(catalogue, frontend=frontend)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the collector off: it would walk the syntax of all files again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _scanned(files: Iterable[Path]) -> NodeCatalogue:
    source = PackSource(files)
    reading = PackReading(source)
    found: dict[str, tuple[LoaderWidget, ...]] = dict.fromkeys(sorted(mapped_names(source)), ())
    lists = any(mark in text for text in source.texts.values() for mark in _LISTINGS)
    for path, text in source.texts.items():
        try:
            for name, owner in _defined(reading, path, text):
                found[name] = _widgets(reading, owner) if lists else found.get(name, ())
        except RecursionError as error:
            source.skip(path, error)
    return NodeCatalogue(
        classes=_naming(found, models=True),
        skipped=tuple(source.skipped),
        inputs={name: each for name, each in _naming(found, models=False).items() if each},
    )


def _naming(found: Loaders, *, models: bool) -> dict[str, tuple[LoaderWidget, ...]]:
    """Return every class with its widgets of one kind: models, or else inputs."""
    return {
        name: tuple(widget for widget in widgets if (widget.folder != INPUT_FOLDER) == models)
        for name, widgets in found.items()
    }


def _defined(reading: PackReading, path: Path, text: bytes) -> Iterator[tuple[str, SourceClass]]:
    """Yield the classes of one file by the name that ComfyUI knows them under."""
    mappings, schema = MAPPINGS.encode() in text, _SCHEMA.encode() in text
    module = reading.module(path) if mappings or schema else None
    for name in module.statements if module else ():
        if module and MAPPINGS in name:
            yield from _mapped(reading, module, name)
    if module and schema:
        yield from _with_schema(reading, module)


def _mapped(
    reading: PackReading, module: SourceModule, name: str
) -> Iterator[tuple[str, SourceClass]]:
    scope = reading.scope(module)
    value = reading.look_up(module, name, scope.effort)
    for key, owner in value.items() if isinstance(value, dict) else ():
        if isinstance(key, str) and isinstance(owner, SourceClass):
            yield key, owner


def _with_schema(reading: PackReading, module: SourceModule) -> Iterator[tuple[str, SourceClass]]:
    for statements in module.statements.values():
        for node in statements:
            if isinstance(node, ast.ClassDef):
                owner = SourceClass(module=module, node=node)
                definition = _definition(reading, owner, _SCHEMA)
                if isinstance(definition, NodeSchema) and isinstance(definition.node_id, str):
                    yield definition.node_id, owner


def _widgets(reading: PackReading, owner: SourceClass) -> tuple[LoaderWidget, ...]:
    definition = _definition(reading, owner, _SCHEMA)
    if not isinstance(definition, NodeSchema):
        definition = _definition(reading, owner, "INPUT_TYPES")
    return loader_widgets(definition)


def _definition(reading: PackReading, owner: SourceClass, method: str) -> object:
    scope = reading.scope(owner.module)
    function = class_attribute(owner, method, scope)
    if isinstance(function, SourceFunction):
        return call_function(function, (), {}, scope)
    return function
