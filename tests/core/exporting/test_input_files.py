from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest
from comfydock_core.domain.workflow_inputs import InputPlace, InputReference
from comfydock_core.errors import UsageError
from comfydock_core.exporting.input_files import (
    DEFAULT_BUDGET,
    LARGEST_INPUT,
    InputChoice,
    choose_inputs,
    input_budget,
)
from comfydock_core.storage.archive import ArchiveLimits


def ref(
    workflow: str, name: str, place: InputPlace = "input", *, active: bool = True
) -> InputReference:
    return InputReference(
        workflow=workflow,
        node_id="1",
        node_type="LoadImage",
        name=name,
        place=place,
        active=active,
    )


FULL = "does not fit into the size allowed for input files"
ABSENT = "is not in ComfyUI's input folder, or is a link that leads out of it"


@pytest.mark.parametrize(
    ("references", "files", "budget", "taken", "left_out"),
    [
        ([], {"a.png": 1}, 9, [], {}),
        ([ref("w", "a.png")], {"a.png": 9, "b.png": 1}, 9, ["a.png"], {}),
        ([ref("w", "a.png")], {"a.png": 10}, 9, [], {"a.png": FULL}),
        ([ref("w", "a.png")], {"a.png": 0}, 0, [], {"a.png": FULL}),
        ([ref("w", "b.png")], {"a.png": 1}, 9, [], {"b.png": ABSENT}),
        ([ref("w", "a.png"), ref("v", "a.png")], {"a.png": 6}, 9, ["a.png"], {}),
        # a workflow is served whole before single files of others, the cheapest first
        ([ref("v", "a.png"), ref("v", "b.png"), ref("w", "c.png")],
         {"a.png": 2, "b.png": 8, "c.png": 5}, 7, ["a.png", "c.png"], {"b.png": FULL}),
        ([ref("v", "a.png"), ref("v", "b.png"), ref("w", "c.png")],
         {"a.png": 1, "b.png": 3, "c.png": 4}, 4, ["a.png", "b.png"], {"c.png": FULL}),
        ([ref("v", "a.png"), ref("w", "b.png")], {"a.png": 5, "b.png": 5}, 5, ["a.png"],
         {"b.png": FULL}),
        # what one workflow brought costs the next one nothing
        ([ref("v", "a.png"), ref("w", "a.png"), ref("w", "b.png")],
         {"a.png": 4, "b.png": 1}, 5, ["a.png", "b.png"], {}),
        # what does not run comes after everything that runs
        ([ref("v", "a.png", active=False), ref("w", "b.png")], {"a.png": 1, "b.png": 5}, 5,
         ["b.png"], {"a.png": FULL}),
        ([ref("v", "a.png", active=False)], {"a.png": 1}, 5, ["a.png"], {}),
        # folders
        ([ref("w", "f")], {"f/a.png": 1, "f/g/b.png": 2, "fg/c.png": 3}, 9,
         ["f/a.png", "f/g/b.png"], {}),
        ([ref("w", "f")], {"f/a.png": 1, "f/b.exe": 2}, 9, ["f/a.png"],
         {"f/b.exe": "ends with `.exe`, which no input file of a bundle does"}),
        # places
        ([ref("w", "a.png", "output"), ref("w", "b.png", "temp"), ref("w", "c.png", "elsewhere")],
         {"a.png": 1, "b.png": 1, "c.png": 1}, 9, [],
         {"a.png": "lies in ComfyUI's output folder", "b.png": "lies in ComfyUI's temp folder",
          "c.png": "lies outside ComfyUI's input folder"}),
        ([ref("w", "a.png", "output"), ref("w", "a.png")], {"a.png": 1}, 9, ["a.png"], {}),
        ([ref("w", "a.mp4"), ref("w", "b.mp4")], {"a.mp4": 2**26, "b.mp4": 2**26 + 1}, 2**40,
         ["a.mp4"], {"b.mp4": "is larger than 64 MiB, the most that a file in a bundle may have"}),
        # names
        ([ref("w", "a.npz")], {"a.npz": 1}, 9, [],
         {"a.npz": "ends with `.npz`, which no input file of a bundle does"}),
        ([ref("w", "f")], {"f/.venv/a.png": 1}, 9, [],
         {"f/.venv/a.png": "is bytecode or lies in a virtual environment"}),
        ([ref("w", "a?.png")], {"a?.png": 1}, 9, [],
         {"a?.png": r'has one of \ : * ? " < > | in its name'}),
        ([ref("w", "A.png"), ref("w", "a.png")], {"a.png": 1, "A.png": 1}, 9, ["A.png"],
         {"a.png": "has the same name as `A.png` on some systems"}),
        ([ref("w", "F/b.png"), ref("w", "f/a.png")], {"f/a.png": 1, "F/b.png": 1}, 9, ["F/b.png"],
         {"f/a.png": "has the same name as `F` on some systems"}),
    ],
)  # fmt: skip
def test_what_is_taken(
    references: list[InputReference],
    files: Mapping[str, int],
    budget: int,
    taken: list[str],
    left_out: Mapping[str, str],
) -> None:
    expected = InputChoice(taken=tuple(taken), left_out=tuple(sorted(left_out.items())))
    assert choose_inputs(references, files, budget) == expected
    shuffled = dict(reversed(list(files.items())))
    assert choose_inputs(references[::-1], shuffled, budget) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", 0),
        ("all", sys.maxsize),
        ("25MB", 25 * 1024**2),
        ("25 mb", DEFAULT_BUDGET),
        ("1.5G", 3 * 2**29),
        ("512", 512),
        ("0", 0),
    ],
)
def test_an_amount(text: str, expected: int) -> None:
    assert input_budget(text) == expected


@pytest.mark.parametrize("text", ["", "some", "-1MB", "25 PB", "1e9", f"{'9' * 16}GB", "25MB\n1"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(UsageError, match="is no amount"):
        input_budget(text)


def test_the_largest_input_is_what_the_reader_lets_in() -> None:
    assert ArchiveLimits().cap_of("inputs/a.mp4") == LARGEST_INPUT
