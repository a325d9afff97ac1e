from __future__ import annotations

import math

import pytest
from comfydock_core.domain.lenient_json import as_list, as_object, as_text, read_json
from comfydock_core.errors import WorkflowError


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b"18446744073709551616", 2**64),
        ('"größe"'.encode(), "größe"),
    ],
)
def test_reads_what_workflows_hold(data: bytes, value: object) -> None:
    assert read_json(data, "w.json") == value


def test_reads_nan_as_python_writes_it() -> None:
    value = read_json(b'{"is_changed": [NaN]}', "w.json")
    assert isinstance(value, dict)
    assert math.isnan(value["is_changed"][0])


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": 1', "line 1, column 8"),
        (b'"\xff"', "not UTF-8"),
        (b"9" * 5000, "too many digits"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_refuses_in_one_sentence(data: bytes, cause: str) -> None:
    with pytest.raises(WorkflowError) as refusal:
        read_json(data, "w.json")
    assert refusal.value.sentence == "`w.json` cannot be read as JSON"
    assert cause in refusal.value.cause


@pytest.mark.parametrize("odd", [None, 3, "text", True])
def test_odd_fields_are_empty(odd: object) -> None:
    assert dict(as_object(odd)) == {}
    assert list(as_list(odd)) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (7, "7"), (7.0, "7"), (-10, "-10"), (None, ""), (True, ""), ([1], "")],
)
def test_ids_are_texts(value: object, text: str) -> None:
    assert as_text(value) == text
