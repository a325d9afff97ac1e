"""Where a model can be had, as its host describes it."""

from __future__ import annotations

from dataclasses import dataclass

from comfydock_core.domain.models import UrlType
from comfydock_core.domain.path_rules import broken_rule


@dataclass(frozen=True, kw_only=True, slots=True)
class ExaminedSource:
    """An address that was asked about itself.

    ``url`` is the one to keep: of one commit or one file id where the host has such.
    ``original`` is what was given, as a download too (a page that was given is never kept); both
    are the same where there is nothing to pin. ``size`` (bytes) and ``sha256`` (hex) are what the
    host states, ``filename`` has no folder; empty means that it does not say. ``problem`` completes
    "this source …" where it can be used, but not be relied on; empty is good.
    """

    url: str
    original: str
    kind: UrlType
    size: int | None = None
    sha256: str = ""
    filename: str = ""
    problem: str = ""


def difference(stated: ExaminedSource, size: int, sha256: str) -> str:
    """Say how what a host states differs from a file that is known; ``""`` where it does not.

    What either side does not say (a size of 0, an empty digest) is no difference.
    """
    if stated.size is not None and size and stated.size != size:
        return f"another file lies there: {stated.size:,} bytes instead of {size:,}"
    if stated.sha256 and sha256 and stated.sha256.lower() != sha256.lower():
        return f"another file lies there: its sha256 is {stated.sha256} instead of {sha256}"
    return ""


def safe_filename(name: object) -> str:
    """Return a stranger's file name without its folders, or nothing if it breaks a path rule."""
    last = name.replace("\\", "/").rpartition("/")[2] if isinstance(name, str) else ""
    return "" if broken_rule(last) else last
