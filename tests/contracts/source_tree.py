"""The project's own source files, parsed, for the contracts that are about source."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("packages/core/src", "packages/cli")
# A ComfyUI in miniature, in ComfyUI's own style.
_NOT_OURS = "packages/cli/comfydock_cli/demo/small_comfyui/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One file: its place below the repository, its text and its tree."""

    place: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """The dotted name of a file in one of the packages."""
        root = next(root for root in PACKAGES if self.place.startswith(f"{root}/"))
        name = self.place.removeprefix(f"{root}/").removesuffix(".py").replace("/", ".")
        return name.removesuffix(".__init__")


def source(place: str, text: str) -> Source:
    """Parse ``text`` as the file at ``place``."""
    return Source(place=place, text=text, tree=ast.parse(text))


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Read every Python file below ``folders`` of the repository that is ours."""
    return tuple(
        source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(_NOT_OURS)
    )


def imported_modules(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of each import, also inside functions and for types only.

    ``from a import b`` yields ``a.b``, for ``b`` may be a module.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def expect_none(problems: Iterable[str]) -> None:
    """Fail with every one of ``problems`` on a line."""
    found = list(problems)
    assert not found, "\n".join(["", *found])


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = source.place.endswith("__init__.py")
    parts = source.module.split(".")
    parents = parts[: len(parts) - node.level + is_package]
    return ".".join([*parents, *filter(None, [node.module])])
