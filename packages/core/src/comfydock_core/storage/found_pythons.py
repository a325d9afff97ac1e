"""The interpreters that uv found, remembered while nothing is changed where it looks.

uv starts what it finds on its way, and a shim of pyenv is a shell script that takes 0.2 s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import write_durably

Stamp = tuple[str, int, int]
"""Path, size and time of change (ns) of a file or folder; size and time are -1 without one."""


class _Kept(msgspec.Struct, frozen=True):
    """``looked_in`` are the folders where uv looks, ``pythons`` what it found by version."""

    looked_in: tuple[Stamp, ...] = ()
    pythons: dict[str, Stamp] = {}


class FoundPythons:
    """Keeps in ``file`` what was found with the variables of ``environment``."""

    def __init__(self, file: Path, environment: Mapping[str, str]) -> None:
        self._file = file
        self._folders = (*_on_path(environment), _managed_by_uv(environment))

    def get(self, version: str) -> Path | None:
        """Return what was found for ``version``, if it is as it was and nothing can outdo it."""
        found = self._kept().pythons.get(version)
        return Path(found[0]) if found and found == _stamp(Path(found[0])) else None

    def keep(self, version: str, interpreter: Path) -> None:
        """Remember what was found for ``version``."""
        pythons = {**self._kept().pythons, version: _stamp(interpreter)}
        kept = _Kept(looked_in=self._looked_in(), pythons=pythons)
        # Without it uv is asked again, and nothing else.
        with suppress(StorageError):
            write_durably(self._file, msgspec.json.encode(kept))

    def _kept(self) -> _Kept:
        with suppress(OSError, msgspec.MsgspecError):
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
            if kept.looked_in == self._looked_in():
                return kept
        return _Kept()

    def _looked_in(self) -> tuple[Stamp, ...]:
        return tuple(map(_stamp, self._folders))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path), found.st_size, found.st_mtime_ns


def _on_path(environment: Mapping[str, str]) -> list[Path]:
    return [Path(place) for place in environment.get("PATH", "").split(os.pathsep) if place]


def _managed_by_uv(environment: Mapping[str, str]) -> Path:
    """Return where uv keeps the Pythons that it fetched (docs: reference/storage)."""
    home = environment.get("HOME") or environment.get("USERPROFILE") or str(Path.home())
    if os.name == "nt":
        return Path(environment.get("APPDATA") or Path(home, "AppData/Roaming"), "uv/data/python")
    return Path(environment.get("XDG_DATA_HOME") or Path(home, ".local/share"), "uv/python")
