"""requirements.txt and pyproject.toml dependencies -> PEP 508 strings, torch apart.

Form: https://pip.pypa.io/en/stable/reference/requirements-file-format/ (the lines that node packs
use: requirements, comments, continued lines, per-requirement options, which are dropped).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from comfydock_core.domain.manifest_writing import is_torch_stack

MAX_LINE = 1_000
"""Characters of one requirement: packaging needs 25 seconds for the specifiers in 1 MB."""

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"\s--(hash|config-settings|global-option).*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """What a node pack (or ComfyUI) asks of Python.

    ``packages`` go into the lock; ``torch`` are those on the torch stack, recorded and never
    installed from here; ``refused`` are lines that name an address or a path instead of a version,
    or that cannot be read; ``ignored`` are pip options (indexes, other files).
    """

    packages: tuple[str, ...] = ()
    torch: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def read_requirement(line: str) -> Requirement | None:
    """Read a PEP 508 string; None for what is none, or is longer than ``MAX_LINE``."""
    try:
        return Requirement(line) if len(line) <= MAX_LINE else None
    except (InvalidRequirement, RecursionError):
        return None


def parse_requirements(text: str) -> Requirements:
    """Sort the lines of a requirements.txt."""
    joined = text.replace("\\\r\n", " ").replace("\\\n", " ").removeprefix("\ufeff")
    lines = (_OPTION.sub("", _COMMENT.sub("", line)).strip() for line in joined.splitlines())
    return sort_requirements(line for line in lines if line)


def sort_requirements(lines: Iterable[str]) -> Requirements:
    """Sort requirement strings; each list keeps the order and drops repeats."""
    found: dict[str, dict[str, None]] = {"packages": {}, "torch": {}, "refused": {}, "ignored": {}}
    for line in lines:
        found[_kind(line)][_spelled(line)] = None
    return Requirements(**{kind: tuple(entries) for kind, entries in found.items()})


def _kind(line: str) -> str:
    if line.startswith("-"):
        return "refused" if line.startswith(("-e", "--editable")) else "ignored"
    requirement = read_requirement(line)
    if requirement is None:
        return "refused"
    if is_torch_stack(canonicalize_name(requirement.name)):
        return "torch"
    return "refused" if requirement.url else "packages"


def _spelled(line: str) -> str:
    """Spell a requirement in one way, so that TOML and lock say the same.

    An address is left out: only the torch stack is kept in spite of one, and as a record.
    """
    requirement = read_requirement(line)
    if requirement is None:
        return line
    if is_torch_stack(canonicalize_name(requirement.name)):
        requirement.url = None
    return str(requirement)


def package_name(requirement: str) -> str:
    """Return the normalised package name of a PEP 508 string."""
    return canonicalize_name(Requirement(requirement).name)


def wants_torch(requirements: Iterable[str]) -> bool:
    """Whether ComfyUI's own requirements name torch."""
    return "torch" in map(package_name, requirements)
