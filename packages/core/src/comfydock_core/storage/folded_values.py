"""What is known of a value in a node pack's source without running it.

Texts, numbers, lists, tuples and dicts stand for themselves; the rest is one of the types below.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from comfydock_core.domain.model_loaders import INPUT_FOLDER


class Unknown(Enum):
    """The type of UNKNOWN."""

    VALUE = "unknown"


UNKNOWN = Unknown.VALUE


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedFile:
    """Any one of the files that ``folder_paths.get_filename_list(folder)`` lists."""

    folder: str


INPUT_FILE = ListedFile(folder=INPUT_FOLDER)
"""Any one of the files in ComfyUI's input folder, or a path that leads there."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SourceModule:
    """One file; ``statements`` are its top-level statements by the names that they touch."""

    path: Path
    statements: Mapping[str, Sequence[ast.stmt]]
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SourceClass:
    """A class and the file that defines it."""

    module: SourceModule
    node: ast.ClassDef


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SourceFunction:
    """A function; ``owner`` is the class that it is a method of, as far as it is bound to one."""

    module: SourceModule
    node: ast.FunctionDef | ast.AsyncFunctionDef
    owner: SourceClass | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaInput:
    """``io.Combo.Input("name", options=…)``: kind ``Combo``, its arguments by name."""

    kind: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeSchema:
    """``io.Schema(node_id=…, inputs=[…])``."""

    node_id: object
    inputs: object


class Effort:
    """How much may still be done for one answer: source of strangers can ask for any amount."""

    def __init__(self) -> None:
        self.steps = 20_000
        self.depth = 40

    def spend(self) -> bool:
        """Tell whether one more step may be taken."""
        self.steps -= 1
        return self.steps > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Where an expression is read: its local names, its file, and what runs a function's body."""

    module: SourceModule
    names: dict[str, object]
    effort: Effort
    look_up: Callable[[SourceModule, str, Effort], object]
    run: Callable[[Sequence[ast.stmt], Scope], object]
    owner: SourceClass | None = None


MOST_ITEMS = 2_000
_LONGEST_TEXT = 10_000


def bounded(value: str | list[object]) -> object:
    """Return a value that may still grow, UNKNOWN when it is too long to be a name or a choice."""
    most = _LONGEST_TEXT if isinstance(value, str) else MOST_ITEMS
    return value if len(value) <= most else UNKNOWN


def is_choice(value: object) -> bool:
    """Tell whether a value is a list of choices."""
    return isinstance(value, list | tuple)


def listed_folder(choices: object) -> str:
    """Return the model folder whose files are among ``choices``, empty when none is."""
    if not isinstance(choices, list | tuple):
        return ""
    return next((each.folder for each in choices if isinstance(each, ListedFile)), "")


def better(one: object, other: object) -> object:
    """Choose what to believe when either value is possible: files first, then what is known."""
    if listed_folder(one):
        return one
    if listed_folder(other):
        return other
    return other if one in (UNKNOWN, None) or one == [] else one
