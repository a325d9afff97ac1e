"""Which of the files that workflows load go into a bundle (pure)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from comfydock_core.domain.bundle import INPUTS, place_of
from comfydock_core.domain.byte_sizes import parsed_size
from comfydock_core.domain.path_rules import broken_rule, folded, is_made_anew
from comfydock_core.domain.workflow_inputs import InputReference
from comfydock_core.errors import UsageError

DEFAULT_BUDGET = 25 * 1024**2
LARGEST_INPUT = 64 * 1024**2
"""Bytes; the strict reader refuses a larger member."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InputChoice:
    """The files that travel, and the others as (name, why not); both by name.

    Names are POSIX paths below ComfyUI's input folder; of a file that lies elsewhere only the last
    part.
    """

    taken: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def input_budget(text: str) -> int:
    """Return the bytes that ``none``, ``all`` or a size such as ``25MB`` allow."""
    if text in ("none", "all"):
        return 0 if text == "none" else sys.maxsize
    size = parsed_size(text)
    if size is None:
        raise UsageError(
            f"`{ascii(text)[1:-1]}` is no amount of input files",
            hint="say `none`, `all`, or a size such as `25MB`",
            subject=text,
        )
    return size


def choose_inputs(
    references: Iterable[InputReference], files: Mapping[str, int], budget: int
) -> InputChoice:
    """Choose what goes into a bundle, at most ``budget`` bytes.

    ``files`` are the sizes of the files that may be taken, by their POSIX path below the input
    folder; a reference to a folder means all files below it. A workflow with one input missing does
    not run, so workflows are served whole, those first that need the fewest bytes; what is left of
    the budget goes to single files, the smallest first.
    """
    wanted: dict[str, set[str]] = {}
    refused: dict[str, str] = {}
    for reference in references:
        found = _files_of(reference, files)
        needed = wanted.setdefault(reference.workflow if reference.active else "", set())
        needed |= found
        if not found:
            refused[reference.name] = _absence(reference)
    choosing = _Choosing(files, budget)
    allowed = {name for names in wanted.values() for name in names} - choosing.refuse(wanted)
    wanted.pop("", None)
    for names in sorted((sorted(n & allowed) for n in wanted.values()), key=choosing.order):
        choosing.take(names)
    for name in sorted(allowed, key=lambda name: choosing.order([name])):
        choosing.take([name])
    for name in allowed - choosing.taken:
        choosing.refused[name] = "does not fit into the size allowed for input files"
    refused |= choosing.refused
    taken = choosing.taken
    left_out = ((name, why) for name, why in sorted(refused.items()) if name not in taken)
    return InputChoice(taken=tuple(sorted(taken)), left_out=tuple(left_out))


def _files_of(reference: InputReference, files: Mapping[str, int]) -> set[str]:
    if reference.place != "input":
        return set()
    if reference.name in files:
        return {reference.name}
    return {name for name in files if name.startswith(f"{reference.name}/")}


def _absence(reference: InputReference) -> str:
    if reference.place == "elsewhere":
        return "lies outside ComfyUI's input folder"
    if reference.place != "input":
        return f"lies in ComfyUI's {reference.place} folder"
    return "is not in ComfyUI's input folder, or is a link that leads out of it"


class _Choosing:
    """What was decided so far."""

    def __init__(self, files: Mapping[str, int], budget: int) -> None:
        self.files = files
        self.budget = budget
        self.taken: set[str] = set()
        self.refused: dict[str, str] = {}
        self._spellings: dict[str, str] = {}

    def refuse(self, wanted: Mapping[str, set[str]]) -> set[str]:
        """Refuse the names that a bundle cannot hold, and return them."""
        for name in sorted({name for names in wanted.values() for name in names}):
            problem = _name_problem(name) or self._clash(name)
            if self.files[name] > LARGEST_INPUT:
                problem = "is larger than 64 MiB, the most that a file in a bundle may have"
            if problem:
                self.refused[name] = problem
        return set(self.refused)

    def _clash(self, name: str) -> str:
        parts = name.split("/")
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            known = self._spellings.setdefault(folded(path), path)
            if known != path:
                return f"has the same name as `{known}` on some systems"
        return ""

    def order(self, names: list[str]) -> tuple[int, list[str]]:
        """Return the key by which the cheapest come first, equals by name."""
        return sum(self.files[name] for name in names), names

    def take(self, names: Iterable[str]) -> None:
        """Take all of these files, or none where they do not fit."""
        new = set(names) - self.taken
        size = sum(self.files[name] for name in new)
        if self.budget > 0 and size <= self.budget:
            self.budget -= size
            self.taken |= new


def _name_problem(name: str) -> str:
    if problem := broken_rule(name):
        return problem
    if is_made_anew(name):
        return "is bytecode or lies in a virtual environment"
    if not place_of(f"{INPUTS}/{name}"):
        extension = name.rpartition("/")[2].rpartition(".")
        return f"ends with `{extension[1]}{extension[2]}`, which no input file of a bundle does"
    return ""
