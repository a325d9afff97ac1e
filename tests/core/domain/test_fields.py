from __future__ import annotations

import re
from typing import Any

import pytest
from comfydock_core.domain.fields import Fields
from comfydock_core.errors import ManifestError

WORD = re.compile(r"[a-z]+")


def fields(**values: Any) -> Fields:
    return Fields(values, "tool.ours", "x.toml")


@pytest.mark.parametrize(
    ("value", "default", "expected"),
    [("abc", None, "abc"), ("abc", "z", "abc"), (..., "z", "z"), (..., "", ""), ("Z", "Z", "Z")],
)
def test_texts(value: Any, default: str | None, expected: str) -> None:
    table = {} if value is ... else {"k": value}
    assert Fields(table, "").text("k", default, form=WORD) == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (..., "is missing"),
        (None, "is missing"),
        (3, "must be a text"),
        (["a"], "must be a text"),
        ({}, "must be a text"),
        ("ABC", "has a value that is not allowed: 'ABC'"),
        ("abc\n", r"has a value that is not allowed: 'abc\n'"),
        ("\x1b[2J", r"has a value that is not allowed: '\x1b[2J'"),
        ("9" * 5000, "has a value that is not allowed: '" + "9" * 80 + "'"),
    ],
)
def test_texts_that_are_refused(value: Any, problem: str) -> None:
    table = fields() if value is ... else fields(k=value)
    with pytest.raises(ManifestError) as caught:
        table.text("k", form=WORD)
    assert caught.value.sentence == f"`tool.ours.k` in `x.toml` {problem}"
    assert caught.value.subject == "tool.ours.k"


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (2**63 - 1, 2**63 - 1)])
def test_numbers(value: int, expected: int) -> None:
    assert fields(k=value).integer("k") == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (True, "must be a whole number"),
        (1.0, "must be a whole number"),
        ("1", "must be a whole number"),
        (-1, "is out of range"),
        (2**63, "is out of range"),
    ],
)
def test_numbers_that_are_refused(value: Any, problem: str) -> None:
    with pytest.raises(ManifestError, match=problem):
        fields(k=value).integer("k")


def test_lists_of_texts() -> None:
    assert fields(k=["a", "b"]).strings("k", form=WORD) == ("a", "b")
    assert fields().strings("k") == ()


@pytest.mark.parametrize("value", ["abc", [1], ["a", None], {"a": "b"}, ["A"]])
def test_lists_that_are_refused(value: Any) -> None:
    with pytest.raises(ManifestError, match=r"^`tool\.ours\.k` in `x\.toml`"):
        fields(k=value).strings("k", form=WORD)


def test_the_path_grows_on_the_way_down() -> None:
    inner = list(fields(list=[{}, {"table": {"deep": 1}}]).tables("list"))[1].table("table")
    with pytest.raises(ManifestError) as caught:
        inner.text("deep")
    assert caught.value.subject == "tool.ours.list[1].table.deep"


@pytest.mark.parametrize("value", [3, "abc", ["a"], None])
def test_what_is_no_table_is_named(value: Any) -> None:
    with pytest.raises(ManifestError, match=r"`tool\.ours\.k` in `x\.toml` must be a table"):
        fields(k=value).table("k")
    with pytest.raises(ManifestError, match=r"must be a (list of tables|table)$"):
        list(fields(k=value).tables("k"))


def test_keys_that_are_no_texts() -> None:
    with pytest.raises(ManifestError, match="must have a text as its key"):
        list(Fields({3: "x"}, "").items())
