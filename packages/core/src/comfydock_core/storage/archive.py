"""What an archive holds, as values: its members, the caps on them and a bundle's identity.

Reading is in ``tar_reader.py`` and ``zip_reader.py``, writing in ``tar_writer.py``; what a member
may be called is in ``member_rules.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from comfydock_core.domain.bundle import LOCK, MANIFEST, MODELS, PYPROJECT, PYTHON_VERSION
from comfydock_core.domain.bundle_parsing import MAX_MANIFEST
from comfydock_core.errors import BundleError

KIBIBYTE = 1 << 10
MEBIBYTE = 1 << 20
CHUNK = MEBIBYTE
ANY_SIZE = 2**63 - 1
PLAIN_MODE = 0o644
EXECUTABLE_MODE = 0o755
_OWNER_MAY_EXECUTE = 0o100


def _size_caps() -> Mapping[str, int]:
    return {
        PYPROJECT: 4 * MEBIBYTE,
        LOCK: 32 * MEBIBYTE,
        MANIFEST: MAX_MANIFEST,
        PYTHON_VERSION: KIBIBYTE,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveLimits:
    """Caps on an archive: number of records and of folders, bytes of one member and of all.

    ``size_caps`` replaces ``member_size`` for single paths. Members below ``large_folder`` (which
    ends with a slash; empty for none) may have any size and do not count in ``total_size``, but
    have no more than ``large_total`` bytes together.
    """

    members: int = 20_000
    member_size: int = 64 * MEBIBYTE
    total_size: int = 256 * MEBIBYTE
    size_caps: Mapping[str, int] = field(default_factory=_size_caps)
    large_folder: str = ""
    large_total: int = ANY_SIZE

    def cap_of(self, path: str) -> int:
        """Return how many bytes the member ``path`` may have."""
        return self.size_caps.get(path, self.member_size)

    def is_large(self, path: str) -> bool:
        """Whether ``path`` lies in the folder for members of any size."""
        return bool(self.large_folder) and path.startswith(self.large_folder)


DEFAULT_LIMITS = ArchiveLimits()
BUNDLE_LIMITS = ArchiveLimits(large_folder=f"{MODELS}/")
"""For bundles; a node's archive has no folder of models."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveMember:
    """One file of an archive; ``mode`` is 0o644 or 0o755, ``sha256`` is hex."""

    path: str
    size: int
    mode: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberSource:
    """A file to be archived as ``path``: the bytes themselves, or the regular file that has them.

    Of ``mode`` only the owner's right to execute is kept; None stands for the file's own. What is
    ``stored`` is not compressed. ``sha256`` (hex) is that of the content where it is known
    beforehand; another content is refused then.
    """

    path: str
    content: bytes | Path
    mode: int | None = PLAIN_MODE
    stored: bool = False
    sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A member at ``path`` that is made of all the others, which come sorted by path."""

    path: str
    make: Callable[[Sequence[ArchiveMember]], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leniency:
    """What the reader passes over in an archive of another tool, where it is strict otherwise.

    ``skips`` says of a path that breaks a rule for names or places whether its member is left out:
    read to its end and counted like any other, never written. ``pax_times`` lets extended headers
    give times.
    """

    skips: Callable[[str], bool] = lambda path: False
    pax_times: bool = False


STRICT = Leniency()


@dataclass(frozen=True, kw_only=True, slots=True)
class LenientReading:
    """What a lenient reading found.

    ``members`` are sorted by path; ``skipped`` are the paths of the files that were left out;
    ``refusal`` is what the strict reader would have said, None where it would have said nothing.
    """

    members: tuple[ArchiveMember, ...]
    skipped: tuple[str, ...] = ()
    refusal: BundleError | None = None


def kept_mode(mode: int) -> int:
    """Return the one of the two modes of an archive that stands for ``mode``."""
    return EXECUTABLE_MODE if mode & _OWNER_MAY_EXECUTE else PLAIN_MODE


def contents_digest(members: Iterable[ArchiveMember]) -> str:
    """Return what identifies a bundle: sha256 (hex) of the sorted (path, mode, sha256) list.

    Each entry is ``path NUL octal mode NUL sha256 LF`` in UTF-8; paths hold no control characters.
    """
    entries = sorted((member.path, member.mode, member.sha256) for member in members)
    lines = "".join(f"{path}\0{mode:o}\0{sha256}\n" for path, mode, sha256 in entries)
    return hashlib.sha256(lines.encode()).hexdigest()
