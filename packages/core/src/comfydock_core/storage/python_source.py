"""The Python files of a node pack, as text and as syntax: nothing is imported or run."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE = 4 * 1024 * 1024

_FOREIGN_FOLDERS = frozenset({"__pycache__", "node_modules", "venv", "site-packages"})


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedFile:
    """A Python file that was not read, and why."""

    path: Path
    reason: str


def python_files(folder: Path) -> Iterator[Path]:
    """Yield every ``.py`` below ``folder`` in order, links and foreign code left out."""
    return source_files(folder, ".py")


def source_files(folder: Path, *endings: str) -> Iterator[Path]:
    """Yield every file with one of these endings in the same way."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name not in _FOREIGN_FOLDERS and not name.startswith(".")
        )
        for name in sorted(files):
            path = Path(parent, name)
            if name.endswith(endings) and not path.is_symlink():
                yield path


class PackSource:
    """The source of one pack by file; what cannot be read is listed in ``skipped``, once."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.skipped: list[SkippedFile] = []
        self._trees: dict[Path, ast.Module | None] = {}
        self.texts = {path: text for path in files if (text := self._text(path))}

    def tree(self, path: Path) -> ast.Module | None:
        """Return the syntax of a file, None when it is no Python that can be read."""
        if path not in self._trees:
            self._trees[path] = self._parsed(path)
        return self._trees[path]

    def skip(self, path: Path, error: Exception) -> None:
        """Note that a file is of no use because of its content."""
        reason = f"it is no Python that can be read: {error or type(error).__name__}"
        self.skipped.append(SkippedFile(path=path, reason=reason))

    def _text(self, path: Path) -> bytes:
        try:
            if path.stat().st_size <= LARGEST_FILE:
                return path.read_bytes() if path.is_file() else b""
            reason = "it is larger than 4 MiB"
        except FileNotFoundError:
            return b""
        except OSError as error:
            reason = error.strerror or "it cannot be read"
        self.skipped.append(SkippedFile(path=path, reason=reason))
        return b""

    def _parsed(self, path: Path) -> ast.Module | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.texts[path])
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.skip(path, error)
            return None
