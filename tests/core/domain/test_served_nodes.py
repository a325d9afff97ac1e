from __future__ import annotations

import json

import pytest
from comfydock_core.domain.served_nodes import parse_object_info
from comfydock_core.errors import WorkflowError


def served(spec: object, group: str = "required") -> object:
    """Return the choices of an input that ComfyUI describes by ``spec``."""
    answer = {"Loader": {"input": {group: {"name": spec}}, "output": []}}
    return parse_object_info(json.dumps(answer).encode())["Loader"].get("name")


@pytest.mark.parametrize(
    ("spec", "choices"),
    [
        ([["a", "b"]], {"a", "b"}),
        ([["a"], {"tooltip": "t"}], {"a"}),
        ([[]], set()),
        (["COMBO", {"options": ["a", "b"]}], {"a", "b"}),
        (["COMBO", {"options": []}], set()),
        (["COMBO", {"options": ["a"], "remote": {"route": "/x"}}], None),
        (["COMBO", {}], None),
        (["COMBO"], None),
        (["COMBO", 5], None),
        (["INT", {"options": ["a"]}], None),
        ([["a", 1]], None),
        ([[{"content": "a", "image": None}]], None),
        ([], None),
        ("COMBO", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("group", ["required", "optional"])
def test_choices_are_read_in_both_forms(spec: object, choices: object, group: str) -> None:
    assert served(spec, group) == choices


def test_what_is_no_input_has_no_choices() -> None:
    assert served([["a"]], "hidden") is None
    assert parse_object_info(b'{"A": 5, "B": {"input": []}, "C": {"input": {"required": 1}}}') == {
        "A": {},
        "B": {},
        "C": {},
    }


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 9999 + b"}"]
)
def test_an_answer_that_names_no_classes_is_refused(data: bytes) -> None:
    with pytest.raises(WorkflowError, match="/object_info"):
        parse_object_info(data)
