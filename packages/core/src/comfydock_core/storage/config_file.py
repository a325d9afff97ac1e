"""config.toml and the environment variables over it -> Settings.

``COMFYDOCK_MIRRORS`` is ``PUBLIC=MIRROR`` pairs separated by spaces; ``COMFYDOCK_ALLOWED_HOSTS``,
``COMFYDOCK_FIND_LINKS`` are lists separated by spaces; ``COMFYDOCK_REGISTRY``,
``COMFYDOCK_COMFYUI_REPOSITORY``, ``COMFYDOCK_PYTHON_INDEX``, ``COMFYDOCK_TORCH_WHEELS`` and
``COMFYDOCK_TORCH_BACKEND`` are single values. A variable wins over the file.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comfydock_core.domain.fields import Fields
from comfydock_core.domain.settings import (
    COMFYUI_REPOSITORY,
    REGISTRY,
    HostSettings,
    PythonSettings,
    Settings,
)
from comfydock_core.domain.toml_document import read_toml
from comfydock_core.errors import ManifestError
from comfydock_core.storage.durable_files import storage_errors, write_durably


def read_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read config.toml (a missing file is an empty one) and lay the environment over it."""
    with storage_errors(path):
        data = path.read_bytes() if path.exists() else b""
    # Notepad puts a mark of the encoding before the first letter.
    root = Fields(read_toml(data.removeprefix(codecs.BOM_UTF8), str(path)), "", str(path))
    folders = root.table("models").strings("directories")
    return Settings(
        models_directories=tuple(str(path.parent / Path(f).expanduser()) for f in folders),
        active_environment=root.text("active_environment", ""),
        hosts=_hosts(root.table("hosts"), environment),
        python=_python(root.table("python"), environment),
    )


def _hosts(fields: Fields, environment: Mapping[str, str]) -> HostSettings:
    mirrors = {key: fields.table("mirrors").text(key) for key, _ in fields.table("mirrors").items()}
    for pair in environment.get("COMFYDOCK_MIRRORS", "").split():
        public, separator, mirror = pair.partition("=")
        if not separator:
            raise ManifestError("`COMFYDOCK_MIRRORS` must hold `PUBLIC=MIRROR` pairs")
        mirrors[public] = mirror
    return HostSettings(
        registry=environment.get("COMFYDOCK_REGISTRY") or fields.text("registry", REGISTRY),
        comfyui_repository=environment.get("COMFYDOCK_COMFYUI_REPOSITORY")
        or fields.text("comfyui_repository", COMFYUI_REPOSITORY),
        mirrors=mirrors,
        allowed=frozenset(
            (*fields.strings("allowed"), *environment.get("COMFYDOCK_ALLOWED_HOSTS", "").split())
        ),
        ca_bundle=fields.text("ca_bundle", ""),
    )


def _python(fields: Fields, environment: Mapping[str, str]) -> PythonSettings:
    return PythonSettings(
        index=environment.get("COMFYDOCK_PYTHON_INDEX") or fields.text("index", ""),
        find_links=(
            *fields.strings("find_links"),
            *environment.get("COMFYDOCK_FIND_LINKS", "").split(),
        ),
        torch_wheels=environment.get("COMFYDOCK_TORCH_WHEELS") or fields.text("torch_wheels", ""),
        torch_backend=environment.get("COMFYDOCK_TORCH_BACKEND")
        or fields.text("torch_backend", "auto"),
    )


def change_settings(path: Path, changes: Mapping[str, Any]) -> None:
    """Set keys (``active_environment``, ``models.directories``) and keep all else as written."""
    import tomlkit

    text = path.read_text(encoding="utf-8") if path.exists() else ""
    document = tomlkit.parse(text)
    for key, value in changes.items():
        table: Any = document
        *tables, last = key.split(".")
        for name in tables:
            table = table.setdefault(name, tomlkit.table())
        table[last] = value
    write_durably(path, tomlkit.dumps(document).encode())
