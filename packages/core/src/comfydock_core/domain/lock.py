"""uv.lock as a statement of names, versions and digests; its addresses are never followed.

Format: uv's lock version 1 (https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from packaging.markers import InvalidMarker, Marker
from packaging.version import InvalidVersion, Version

from comfydock_core.domain.fields import Fields
from comfydock_core.domain.toml_document import read_toml

LOCK_FILE = "uv.lock"
MAX_PACKAGES = 5_000
MAX_MARKERS = 64
MAX_LOCK_VALUES = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,200}[A-Za-z0-9])?")
# packaging takes white space around a version, which would end the line that a pin stands on.
_VERSION = re.compile(r"[!-~]{1,200}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedPackage:
    """One package of a lock.

    ``source`` is ``registry``, or ``git``, ``url``, ``path``, ``directory``, ``editable`` with
    ``address`` saying which. ``hashes`` are the ``sha256:…`` of its files; ``markers`` limit it to
    some platforms where the lock holds several versions. ``wheels`` counts its built files;
    ``size`` is that of its largest file in bytes, 0 where the lock does not say it.
    """

    name: str
    version: str
    source: str
    address: str = ""
    hashes: frozenset[str] = frozenset()
    markers: tuple[str, ...] = ()
    wheels: int = 0
    size: int = 0

    @property
    def pin(self) -> str:
        """The requirement that allows exactly this version, where its markers hold."""
        marker = " or ".join(f"({marker})" for marker in self.markers)
        return f"{self.name}=={self.version}" + (f" ; {marker}" if marker else "")


# The steps of an import ask one after the other, and about the same two locks.
@lru_cache(maxsize=2)
def parse_lock(data: bytes, document: str = LOCK_FILE) -> tuple[LockedPackage, ...]:
    """Read every package but the project itself; ManifestError names what is wrong."""
    root = Fields(read_toml(data, document, MAX_LOCK_VALUES), "", document)
    if root.integer("version", 0) != 1:
        raise root.wrong("version", "is not 1: another uv wrote this lock")
    entries = tuple(root.tables("package"))
    if len(entries) > MAX_PACKAGES:
        raise root.wrong("package", f"has more than {MAX_PACKAGES:,} entries")
    packages = (_package(fields) for fields in entries)
    return tuple(package for package in packages if package.source != "virtual")


def _package(fields: Fields) -> LockedPackage:
    source = fields.table("source")
    kind = next((key for key, _ in source.items()), "")
    wheels = tuple(fields.tables("wheels"))
    files = (*wheels, *((fields.table("sdist"),) if fields.has("sdist") else ()))
    version = fields.text("version", "0", form=_VERSION)
    try:
        Version(version)
    except InvalidVersion as error:
        raise fields.wrong("version", "is no version") from error
    return LockedPackage(
        name=fields.text("name", form=_NAME),
        version=version,
        source=kind,
        address="" if kind in ("registry", "virtual") else source.text(kind, ""),
        hashes=frozenset(file.text("hash", form=_HASH) for file in files if file.has("hash")),
        markers=_markers(fields, "resolution-markers"),
        wheels=len(wheels),
        size=max((file.integer("size", 0) for file in files), default=0),
    )


def _markers(fields: Fields, key: str) -> tuple[str, ...]:
    """Read environment markers and spell them anew: they become part of what uv reads."""
    texts = fields.strings(key)
    if len(texts) > MAX_MARKERS:
        raise fields.wrong(key, f"has more than {MAX_MARKERS} entries")
    try:
        return tuple(str(Marker(text)) for text in texts)
    except (InvalidMarker, RecursionError) as error:
        raise fields.wrong(key, "has an entry that is no environment marker") from error


def foreign_packages(packages: Iterable[LockedPackage]) -> tuple[LockedPackage, ...]:
    """Return the packages that do not come from an index: git, url, path and editable entries."""
    return tuple(package for package in packages if package.source != "registry")


def unlisted_files(
    ours: Iterable[LockedPackage], theirs: Iterable[LockedPackage]
) -> tuple[LockedPackage, ...]:
    """Return packages of our lock of which no file has a digest that their lock lists.

    ``theirs`` is what the bundle's author installed; a package without one common file is not the
    same package, whatever its version says.
    """
    listed: dict[str, set[str]] = {}
    for package in theirs:
        listed.setdefault(package.name, set()).update(package.hashes)
    return tuple(p for p in ours if p.hashes and not p.hashes & listed.get(p.name, set()))


def without_files(lock: str, refused: frozenset[str]) -> str:
    """Drop the file lines whose digest is in ``refused`` from a lock that uv wrote.

    uv writes one file a line: ``{ url = …, hash = "sha256:…", … },``.
    """
    kept = (
        line for line in lock.splitlines(keepends=True) if not refused & set(_HASH.findall(line))
    )
    return "".join(kept)


def without_places(lock: str) -> str:
    """Drop from a lock that uv wrote the folders of the machine that wrote it.

    Packages out of ``find-links`` folders are written with absolute paths; names, versions and
    digests are what a lock says to others.
    """
    lock = re.sub(r'registry = "(?!https?://)[^"]*"', 'registry = "local"', lock)
    return re.sub(r'path = "[^"]*?([^"/\\]+)"', r'path = "\1"', lock)


def without_cutoff(lock: str) -> str:
    """Drop the ``exclude-newer`` option from a lock that uv wrote.

    It served the first resolution; were it kept, every later one would either be held to it or
    throw all locked versions away.
    """
    return re.sub(r"(?m)^exclude-newer(-span)? = .*\n|^\[options\]\n(?=\n|exclude-newer)", "", lock)


def without_constraints(lock: str) -> str:
    """Drop the ``constraints`` that a lock that uv wrote was resolved under.

    They served that resolution; its versions are in the lock itself.
    """
    return re.sub(r"(?m)^constraints = \[(?:.*\]|\n(?: .*\n)*\])\n", "", lock)
