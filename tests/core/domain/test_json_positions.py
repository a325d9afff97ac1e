from __future__ import annotations

import json

import pytest
from comfydock_core.domain.json_positions import JsonPath, splice_strings, string_spans
from comfydock_core.errors import WorkflowError

AWKWARD = '{"a": {"x\\"y": ["[,]{:}", 1.50, "b\\\\"]}, "e": {}, "l": [[], {"k": "é"}], "n": NaN}'


@pytest.mark.parametrize(
    ("path", "literal"),
    [
        (("a", 'x"y', 0), b'"[,]{:}"'),
        (("a", 'x"y', 2), b'"b\\\\"'),
        (("l", 1, "k"), '"é"'.encode()),
    ],
)
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n\t "])
def test_finds_a_string(path: JsonPath, literal: bytes, start: bytes) -> None:
    data = start + AWKWARD.encode()
    begin, end = string_spans(data, [path])[path]
    assert data[begin:end] == literal


def test_leaves_out_what_is_no_string() -> None:
    assert string_spans(AWKWARD.encode(), [("a",), ("a", 'x"y', 1), ("nowhere",), ()]) == {}


def test_of_a_key_given_twice_the_last_counts() -> None:
    data = b'{"k": "first", "k": "last"}'
    assert splice_strings(data, {("k",): "new"}) == b'{"k": "first", "k": "new"}'


def test_everything_outside_the_string_stays() -> None:
    data = b'{ "k" :\t[1.0, 1e3,"old" ,"old"],\r\n "u": "\\u00e9" }\n'
    changed = splice_strings(data, {("k", 2): 'n"e\\w\n'})
    assert changed == data.replace(b'"old"', b'"n\\"e\\\\w\\n"', 1)


@pytest.mark.parametrize(
    ("document", "value", "literal"),
    [
        ('["x"]', "é", b'"\\u00e9"'),
        ('["x", "ü"]', "é", '"é"'.encode()),
        ('["x", "ü"]', "\udcff", b'"\\udcff"'),
    ],
)
def test_writes_text_as_the_document_does(document: str, value: str, literal: bytes) -> None:
    data = splice_strings(document.encode(), {(0,): value})
    assert data.startswith(b"[" + literal)
    assert json.loads(data)[0] == value


def test_refuses_a_path_that_leads_nowhere() -> None:
    with pytest.raises(WorkflowError, match="no text at"):
        splice_strings(b'{"a": 1}', {("a",): "x"})


def test_nothing_to_change_changes_nothing() -> None:
    assert splice_strings(b" [ ] ", {}) == b" [ ] "
