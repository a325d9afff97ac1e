"""A leniently read bundle of ComfyDock 1.x or ComfyGit -> the same folder in our own form."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfydock_core.domain.bundle import (
    DEV_NODES,
    INPUTS,
    MANIFEST,
    MODELS,
    PYPROJECT,
    PYTHON_VERSION,
    BundleManifest,
)
from comfydock_core.domain.denied_files import denied_reason
from comfydock_core.domain.names import PYTHON_VERSION as PYTHON_VERSION_FORM
from comfydock_core.domain.settings import HostSettings
from comfydock_core.domain.toml_document import read_toml
from comfydock_core.errors import ManifestError
from comfydock_core.importing.foreign_bundle import (
    convert,
    foreign_tool,
    is_left_out,
    is_their_own,
)
from comfydock_core.storage.archive import ArchiveMember, Leniency, LenientReading
from comfydock_core.storage.development_source import development_files
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.git import Git, GitTooSlowError
from comfydock_core.storage.member_rules import refused_member, shown
from comfydock_core.storage.project_file import project_text

FOREIGN = Leniency(skips=is_left_out, pax_times=True)
_NOT_THEIRS = (f"{INPUTS}/", f"{MODELS}/")
_SHOWN_PATHS = 3
_PATIENCE = 8
"""The seconds that git has for the patterns of strangers, which may be made to take for ever."""
_PATTERNS = ".gitignore"


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignContents:
    """What a bundle of another tool holds of ours; ``dropped`` says what is not taken over."""

    manifest: BundleManifest
    members: tuple[ArchiveMember, ...]
    python_version: str
    dropped: tuple[str, ...]


def take_over(archive: Path, root: Path, reading: LenientReading) -> ForeignContents | None:
    """Turn the folder ``root``, where ``archive`` was unpacked, into a bundle of ours.

    None, and nothing is changed, where no other tool's pyproject.toml is there. Afterwards its
    pyproject.toml is generated anew, and what a development node keeps from git is gone. uv.lock is
    missing where that tool has none. BundleError and ManifestError say what is wrong.
    """
    paths = frozenset(member.path for member in reading.members)
    document = {} if MANIFEST in paths or PYPROJECT not in paths else _document(root)
    if not foreign_tool(document):
        return None
    for path in sorted(paths):
        if path.startswith(_NOT_THEIRS):
            raise refused_member(archive.name, path, "has no place in a bundle of another tool")
    secret = frozenset(path for path in paths if _holds_credentials(path))
    unwanted = _ignored(archive, root, paths) - secret
    gone = secret | unwanted
    converted = convert(document, paths - gone, _python_version(archive, root, paths))
    for path in sorted(gone):
        _remove(root, path)
    with storage_errors(root):
        (root / PYPROJECT).write_text(project_text(converted.manifest), encoding="utf-8")
    theirs = frozenset(filter(is_their_own, reading.skipped))
    skipped = (
        *_counted(frozenset(reading.skipped) - theirs, "no part of a bundle"),
        *_counted(theirs, "of use to that tool alone"),
        *_counted(secret, "with credentials"),
        *_counted(unwanted, "ignored by git there"),
    )
    return ForeignContents(
        manifest=converted.bundle,
        members=tuple(member for member in reading.members if member.path not in gone),
        python_version=converted.manifest.python_version,
        dropped=(*skipped, *converted.dropped),
    )


def _document(root: Path) -> Mapping[str, Any]:
    with suppress(ManifestError), storage_errors(root):
        return read_toml((root / PYPROJECT).read_bytes(), PYPROJECT)
    return {}


def _python_version(archive: Path, root: Path, paths: frozenset[str]) -> str:
    """Return what `.python-version` says; uv would run a path that stands there."""
    if PYTHON_VERSION not in paths:
        return ""
    with storage_errors(root):
        version = (root / PYTHON_VERSION).read_bytes().decode("ascii", "replace").strip()
    if not PYTHON_VERSION_FORM.fullmatch(version):
        raise refused_member(archive.name, PYTHON_VERSION, "must be a version like 3.11 or 3.11.7")
    return version


def _holds_credentials(path: str) -> bool:
    place, _, inside = path.partition("/")
    return place == DEV_NODES and bool(denied_reason(inside.partition("/")[2]))


def _ignored(archive: Path, root: Path, paths: frozenset[str]) -> frozenset[str]:
    """Return the files that git would not track; it reads their ``.gitignore`` and runs nothing."""
    sources = frozenset(path for path in paths if path.startswith(f"{DEV_NODES}/"))
    if not sources:
        return sources
    git = Git(HostSettings(), os.environ, _PATIENCE)
    try:
        with tempfile.TemporaryDirectory(dir=root.parent) as empty:
            kept = development_files(git, root / DEV_NODES, Path(empty))
    except GitTooSlowError as error:
        patterns = sorted(path for path in sources if path.endswith(f"/{_PATTERNS}"))
        largest = max(patterns, key=lambda path: (root / path).stat().st_size, default=DEV_NODES)
        rule = f"has patterns for which git needs more than {_PATIENCE} seconds"
        raise refused_member(archive.name, largest, rule) from error
    return sources - {f"{DEV_NODES}/{path}" for path in kept}


def _remove(root: Path, path: str) -> None:
    """Delete a file and the folders that are empty then."""
    with storage_errors(root):
        (root / path).unlink()
    with suppress(OSError):
        for folder in Path(path).parents:
            (root / folder).rmdir()


def _counted(paths: frozenset[str], why: str) -> Iterator[str]:
    """Say in one sentence what was left out for one reason."""
    if paths:
        names = sorted({_topmost(path) for path in paths})
        more = f" and {len(names) - _SHOWN_PATHS} more" if len(names) > _SHOWN_PATHS else ""
        files = f"{len(paths)} file{'' if len(paths) == 1 else 's'}"
        places = ", ".join(map(shown, names[:_SHOWN_PATHS]))
        yield f"{places}{more} ({files}): {why}"


def _topmost(path: str) -> str:
    """Return the folder that is left out as a whole, else the file itself."""
    parts = path.split("/")
    for place, part in enumerate(parts[:-1]):
        if part in (".git", ".venv", "__pycache__"):
            return "/".join(parts[: place + 1]) + "/"
    return path
