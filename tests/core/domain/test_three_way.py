"""Base x mine x theirs -> whose counts: every combination."""

from __future__ import annotations

import pytest
from comfydock_core.domain.three_way import Choice, choose


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "expected"),
    [
        ("a", "a", "a", "same"),
        ("a", "a", "b", "take"),
        ("a", "a", "", "take"),
        ("a", "b", "a", "keep"),
        ("a", "", "a", "keep"),
        ("a", "b", "b", "same"),
        ("a", "b", "c", "ask"),
        ("a", "b", "", "keep"),
        ("a", "", "b", "keep"),
        ("", "", "b", "take"),
        ("", "b", "", "keep"),
        ("", "b", "b", "same"),
        ("", "b", "c", "ask"),
        (None, "a", "a", "same"),
        (None, "a", "b", "ask"),
        (None, "", "b", "take"),
        (None, "b", "", "keep"),
    ],
)
def test_what_changed_on_one_side_is_followed(
    base: str | None, mine: str, theirs: str, expected: Choice
) -> None:
    sides = [{"x": text} if text else {} for text in (base, mine, theirs)]
    found = choose(None if base is None else sides[0], sides[1], sides[2])
    assert found == {"x": expected}


def test_what_nobody_has_any_more_is_no_question() -> None:
    assert choose({"x": "a"}, {}, {}) == {}
