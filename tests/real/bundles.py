"""Two bundles side by side: what a reader other than ours finds different."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any


def differing_members(one: Path, other: Path) -> list[str]:
    """Members that differ in bytes, mode, time or owner, or are in one bundle only.

    manifest.json's keys are compared apart: ``manifest.json:timestamp`` is a difference of one.
    """
    first, second = _members(one), _members(other)
    names = sorted(first.keys() | second.keys())
    differing = [name for name in names if first.get(name) != second.get(name)]
    return [*_manifest_keys(one, other), *(name for name in differing if name != "manifest.json")]


def members_with(bundle: Path, text: str) -> list[str]:
    """The members that ``text`` occurs in."""
    with tarfile.open(bundle) as archive:
        return [member.name for member in archive if text.encode() in _content(archive, member)]


def timestamp(bundle: Path) -> str:
    """When the bundle says it was written."""
    return str(_manifest(bundle)["timestamp"])


def _members(bundle: Path) -> dict[str, tuple[object, ...]]:
    with tarfile.open(bundle) as archive:
        return {
            member.name: (
                *(member.mode, member.mtime, member.uid, member.gid, member.uname, member.type),
                _content(archive, member),
            )
            for member in archive
        }


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    reader = archive.extractfile(member)
    return reader.read() if reader else b""


def _manifest(bundle: Path) -> dict[str, Any]:
    with tarfile.open(bundle) as archive:
        parsed: dict[str, Any] = json.loads(_content(archive, archive.getmember("manifest.json")))
    return parsed


def _manifest_keys(one: Path, other: Path) -> list[str]:
    first, second = _manifest(one), _manifest(other)
    keys = sorted(first.keys() | second.keys())
    return [f"manifest.json:{key}" for key in keys if first.get(key) != second.get(key)]
