"""What the packages of a virtual environment require of each other, as their metadata says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from comfydock_core.domain.requirements import read_requirement

_SITE_PACKAGES = ("lib/python*/site-packages", "Lib/site-packages")
_EXTRA = re.compile(r"\bextra\b")


def still_required(venv: Path, leaving: Collection[str]) -> frozenset[str]:
    """Return those of ``leaving`` (normalised names) that what stays requires, or they themselves.

    What only an extra asks for does not count. What another system or Python would ask for does:
    one package too many breaks nothing.
    """
    requirements = dict(_requirements(venv))
    waiting = [name for name in requirements if name not in leaving]
    kept: set[str] = set()
    while waiting:
        found = (requirements.get(waiting.pop(), frozenset()) & frozenset(leaving)) - kept
        kept |= found
        waiting += found
    return frozenset(kept)


def _requirements(venv: Path) -> Iterator[tuple[str, frozenset[str]]]:
    places = [str(place) for pattern in _SITE_PACKAGES for place in venv.glob(pattern)]
    for package in distributions(path=places):
        name = package.metadata["Name"]
        if name:
            yield canonicalize_name(name), frozenset(_asked(package))


def _asked(package: Distribution) -> Iterator[str]:
    for line in package.requires or ():
        requirement = read_requirement(line)
        if requirement and not _EXTRA.search(str(requirement.marker or "")):
            yield canonicalize_name(requirement.name)
