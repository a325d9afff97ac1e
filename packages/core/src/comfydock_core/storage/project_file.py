"""``.cec/pyproject.toml`` on disk: read into a Manifest, written back with foreign keys kept."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.manifest_parsing import parse_manifest_toml
from comfydock_core.domain.manifest_writing import project_tables
from comfydock_core.domain.toml_text import toml_text
from comfydock_core.errors import ManifestError, NotFoundError, StorageError
from comfydock_core.storage.durable_files import storage_errors, write_durably

_OWNED = ("nodes", "workflows", "models", "torch")


def read_project(path: Path) -> Manifest:
    """Read the manifest; ManifestError names the key that is wrong."""
    try:
        with storage_errors(path):
            data = path.read_bytes()
    except StorageError as error:
        if path.exists():
            raise
        raise NotFoundError(f"`{path}` is missing", subject=str(path)) from error
    return parse_manifest_toml(data, path.name)


def write_project(path: Path, manifest: Manifest) -> None:
    """Write ``manifest``: our keys as it says, every other key of the file as it was.

    ManifestError, and nothing is written, where ``read_project`` would not take it back: a model's
    folder or a workflow can have a name here that no other system may have.
    """
    present = _present(path)
    data = _encoded(project_text(manifest))
    if present not in (None, data) and not _is_ours(present, path.name):
        data = _encoded(project_text(manifest, _document(present, path)))
    if data != present:
        parse_manifest_toml(data, path.name)
        write_durably(path, data)


def _encoded(text: str) -> bytes:
    # A workflow can hold half of a surrogate pair, which no file can.
    return text.encode(errors="replace")


def _present(path: Path) -> bytes | None:
    with storage_errors(path):
        return path.read_bytes() if path.exists() else None


def _is_ours(data: bytes, name: str) -> bool:
    """Whether a file holds what we write and nothing else, so that nothing in it has to be kept."""
    try:
        return _encoded(project_text(parse_manifest_toml(data, name))) == data
    except ManifestError:
        return False


def project_text(
    manifest: Manifest,
    document: tomlkit.TOMLDocument | None = None,
    constraints: Sequence[str] = (),
) -> str:
    """Return pyproject.toml for ``manifest``, generated anew or laid over ``document``."""
    tables = project_tables(manifest, constraints)
    groups, ours = tables.pop("dependency-groups"), tables["tool"]["comfydock"]
    owned = {key: ours.pop(key, None) for key in _OWNED}
    if document is None:
        ours.update((key, value) for key, value in owned.items() if value is not None)
        return toml_text({**tables, "dependency-groups": groups})
    _lay(document, tables)
    table: Any = document["tool"]
    for key, value in owned.items():
        _replace(table["comfydock"], key, value)
    _replace(document, "dependency-groups", groups)
    return tomlkit.dumps(document)


def _replace(table: MutableMapping[str, Any], key: str, value: dict[str, Any] | None) -> None:
    """Make ``table[key]`` be ``value`` and nothing else; what is equal keeps its form."""
    present = table.get(key)
    if value is None:
        table.pop(key, None)
    elif present is None or present.unwrap() != value:
        table[key] = _fresh(value)


def _document(data: bytes, path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(data.decode("utf-8"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ManifestError(f"`{path}` is not valid TOML", cause=str(error)) from error


def _lay(target: MutableMapping[str, Any], source: dict[str, Any]) -> None:
    """Lay plain tables over a document; keys that ``source`` does not name stay."""
    for key, value in source.items():
        if isinstance(value, dict):
            if not isinstance(target.get(key), MutableMapping):
                target[key] = tomlkit.table()
            _lay(target[key], value)
        elif target.get(key) != value:
            target[key] = _fresh(value)


def _fresh(value: Any) -> Any:
    """Turn plain values into TOML items in a form that reads and diffs well."""
    if isinstance(value, dict):
        table = tomlkit.table()
        for key, item in value.items():
            table[key] = _fresh(item)
        return table
    if isinstance(value, list) and value and isinstance(value[0], dict) and "node_id" in value[0]:
        return _inline_tables(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        array = tomlkit.aot()
        for item in value:
            array.append(_fresh(item))
        return array
    if isinstance(value, list):
        strings = tomlkit.array()
        strings.extend(value)
        return strings.multiline(len(value) > 1)
    return value


def _inline_tables(value: list[dict[str, Any]]) -> tomlkit.items.Array:
    """Write one reference a line: ``{node_id = "1", …}``."""
    array = tomlkit.array()
    for item in value:
        table = tomlkit.inline_table()
        table.update(item)
        array.append(table)
    return array.multiline(len(value) > 1)
