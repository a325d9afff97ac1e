from __future__ import annotations

from itertools import product

import pytest
from comfydock_core.domain.criticality import CRITICALITIES, MEANING, promote_criticality

ORDER = ("optional", "flexible", "required")


@pytest.mark.parametrize(("one", "other"), list(product(ORDER, ORDER)))
def test_the_more_conservative_wins(one: str, other: str) -> None:
    assert promote_criticality(one, other) == ORDER[max(ORDER.index(one), ORDER.index(other))]


@pytest.mark.parametrize("word", CRITICALITIES)
def test_an_unknown_word_never_weakens(word: str) -> None:
    assert promote_criticality("whatever", word) == word or word == "optional"
    assert promote_criticality(word, "whatever") == word


def test_every_criticality_has_a_meaning() -> None:
    assert set(MEANING) == set(CRITICALITIES) == set(ORDER)
