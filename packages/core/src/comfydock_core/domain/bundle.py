"""manifest.json and the places of a bundle: what it must hold and what it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
PYPROJECT = "pyproject.toml"
LOCK = "uv.lock"
PYTHON_VERSION = ".python-version"
WORKFLOWS = "workflows"
DEV_NODES = "dev_nodes"


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleFile:
    """Size in bytes and sha256 (hex) of one member."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleManifest:
    """manifest.json. ``files`` covers every member but manifest.json itself.

    A bundle of an older exporter has no ``files``; then it is empty and the reader warns.
    """

    timestamp: str
    comfydock_version: str
    environment_name: str
    workflows: tuple[str, ...]
    python_version: str
    comfyui_version: str
    platform: str
    total_models: int
    total_nodes: int
    format_version: int = FORMAT_VERSION
    exported_commit: str = ""
    hash_scheme: str = ""
    files: Mapping[str, BundleFile] = field(default_factory=dict)


def place_of(path: str) -> str:
    """Name the place of the format that ``path`` lies in, or return ``""`` for nowhere.

    Places: the four files by their names, ``workflows`` (any ``.json`` below it) and
    ``dev_nodes`` (anything below a node's folder). A path that ends with a slash is a folder, and
    has a place where its files can have one.
    """
    if path in (MANIFEST, PYPROJECT, LOCK, PYTHON_VERSION):
        return path
    first, _, rest = path.partition("/")
    if first == WORKFLOWS and path.endswith((".json", "/")):
        return WORKFLOWS
    if first == DEV_NODES and ("/" in rest or path.endswith("/")):
        return DEV_NODES
    return ""
