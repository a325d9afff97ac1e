"""A lock without the packages that only left-out dependency groups asked for.

Format: uv's lock version 1. The text stays as uv wrote it, block by block, so that it is what uv
itself writes for the smaller project.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from comfydock_core.domain.fields import Fields
from comfydock_core.domain.lock import LOCK_FILE, MAX_LOCK_VALUES
from comfydock_core.domain.toml_document import read_toml

_BLOCK = re.compile(r"(?m)^(?=\[\[package\]\]$)")
_NAME = re.compile(r'(?m)^name = "([^"]+)"$')
_ENTRY = re.compile(r'(?m)^"?([A-Za-z0-9._-]+)"? = \[.*(?:\n    .*)*(?:\n\])?\n')
_TABLES = re.compile(
    r"(?m)^\[package\.(?:dev-dependencies|metadata\.requires-dev|optional-dependencies)\]\n"
    r"(?:(?!\[).*\n)*"
)
_Need = tuple[str, str]
"""A package and one of its extras, or no extra."""


def without_other_groups(lock: str, groups: Collection[str]) -> str:
    """Return ``lock`` for a project that has only these dependency groups.

    What ComfyUI itself asks for stays. ManifestError for what is no lock.
    """
    root = Fields(read_toml(lock.encode(), LOCK_FILE, MAX_LOCK_VALUES), "", LOCK_FILE)
    project = ""
    packages: dict[str, list[Fields]] = defaultdict(list)
    for package in root.tables("package"):
        name = package.text("name")
        packages[name].append(package)
        if package.table("source").has("virtual"):
            project = name
    kept: dict[str, set[str]] = defaultdict(set)
    for name, extra in _needed(packages, project, groups):
        kept[name].add(extra)
    kept[project] |= set(groups)
    head, *blocks = _BLOCK.split(lock)
    texts = (_trimmed(block, kept[_name_of(block)]) for block in blocks if _name_of(block) in kept)
    return (head + "".join(texts)).rstrip("\n") + "\n"


def _needed(
    packages: Mapping[str, list[Fields]], project: str, groups: Collection[str]
) -> frozenset[_Need]:
    """Return all packages that the project and these groups lead to, with their extras."""
    waiting: list[_Need] = [(project, "")]
    for package in packages.get(project, ()):
        tables = package.table("dev-dependencies")
        waiting += [need for group in groups for need in _asked(tables, group)]
    seen = set(waiting)
    for name, extra in waiting:
        for package in packages.get(name, ()):
            asked = (
                _asked(package.table("optional-dependencies"), extra)
                if extra
                else _asked(package, "dependencies")
            )
            new = [need for need in asked if need not in seen]
            waiting += new
            seen.update(new)
    return frozenset(seen)


def _asked(table: Fields, key: str) -> Iterator[_Need]:
    for entry in table.tables(key):
        name = entry.text("name")
        yield name, ""
        for extra in entry.strings("extra"):
            yield name, extra


def _name_of(block: str) -> str:
    found = _NAME.search(block)
    return found[1] if found else ""


def _trimmed(block: str, kept: Collection[str]) -> str:
    """Drop what a block says of other groups and extras."""
    return _TABLES.sub(lambda table: _trimmed_table(table[0], kept), block)


def _trimmed_table(table: str, kept: Collection[str]) -> str:
    left = _ENTRY.sub(lambda entry: entry[0] if entry[1] in kept else "", table)
    return left if "=" in left else ""
