"""How much a workflow depends on a model, and what that means over several workflows."""

from __future__ import annotations

from typing import Literal, cast

Criticality = Literal["required", "flexible", "optional"]

CRITICALITIES: tuple[Criticality, ...] = ("required", "flexible", "optional")
MEANING: dict[Criticality, str] = {
    "required": "workflow will not function without this",
    "flexible": "can substitute with similar model",
    "optional": "workflow works without this (optional feature)",
}
_PRIORITY = {"optional": 0, "flexible": 1, "required": 2}


def promote_criticality(current: str, new: str) -> Criticality:
    """Return the more conservative of two criticalities; an unknown word counts as optional."""
    return cast(Criticality, max(current, new, key=lambda word: _PRIORITY.get(word, 0)))
