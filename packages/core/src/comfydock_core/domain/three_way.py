"""Three versions of the same things -> whose counts: what changed on one side only is followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Choice = Literal["same", "take", "keep", "ask"]


def choose(
    base: Mapping[str, str] | None, mine: Mapping[str, str], theirs: Mapping[str, str]
) -> dict[str, Choice]:
    """Decide for every name that ``mine`` or ``theirs`` has; the values say what it is there.

    ``base`` is what both come from, None where that is not known: then nothing counts as deleted.
    ``take`` of a name that they have not means to delete it. ``ask`` is only for names that both
    have.
    """
    return {
        name: _choice(
            None if base is None else base.get(name, ""), mine.get(name, ""), theirs.get(name, "")
        )
        for name in sorted(mine.keys() | theirs.keys())
    }


def _choice(base: str | None, mine: str, theirs: str) -> Choice:
    if mine == theirs:
        return "same"
    if base is None:
        return "ask" if mine and theirs else "take" if theirs else "keep"
    if mine == base:
        return "take"
    if theirs == base or not (mine and theirs):
        return "keep"
    return "ask"
