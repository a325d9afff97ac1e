"""Small by rule (design.md section 5)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tests.contracts.source_tree import Source, expect_none, source, sources

FUNCTION_LINES = 50
PARAMETERS = 6
FILE_LINES = 400
METHODS = 15
_NAMES_BY_KIND = re.compile(r"(^|_)(util|utils|helper|helpers|manager|managers|common)(_|$)")


def file_problems(file: Source) -> Iterator[str]:
    """Yield what is wrong with a file as a whole."""
    lines = file.text.count("\n")
    if lines > FILE_LINES:
        yield f"{file.place} has {lines} lines, the limit is {FILE_LINES}"


def name_problems(file: Source) -> Iterator[str]:
    """Yield the parts of a file's place that name a kind instead of a purpose."""
    for part in PurePosixPath(file.place).with_suffix("").parts:
        if _NAMES_BY_KIND.search(part):
            yield f"{file.place}: `{part}` names a kind; a name says the purpose"


def code_problems(file: Source) -> Iterator[str]:
    """Yield the functions and classes of a file that are too big."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _function_problems(f"{file.place}:{node.lineno} `{node.name}`", node)
        elif isinstance(node, ast.ClassDef):
            count = sum(
                isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) for item in node.body
            )
            if count > METHODS:
                place = f"{file.place}:{node.lineno} `{node.name}`"
                yield f"{place} has {count} methods, the limit is {METHODS}"


def _function_problems(place: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if lines > FUNCTION_LINES:
        yield f"{place} has {lines} lines, the limit is {FUNCTION_LINES}"
    taken = node.args
    names = [item.arg for item in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
    names += [item.arg for item in (taken.vararg, taken.kwarg) if item]
    count = len(names) - (names[:1] in (["self"], ["cls"]))
    if count > PARAMETERS:
        yield f"{place} has {count} parameters, the limit is {PARAMETERS}"


def test_files_are_short() -> None:
    everything = sources("packages", "tests", "benchmarks")
    expect_none(problem for file in everything for problem in file_problems(file))


def test_names_say_purposes() -> None:
    everything = sources("packages", "tests", "benchmarks")
    expect_none(problem for file in everything for problem in name_problems(file))


def test_functions_and_classes_are_small() -> None:
    expect_none(problem for file in sources("packages") for problem in code_problems(file))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def f():\n" + "    x = 1\n" * 49, ""),
        ("def f():\n" + "    x = 1\n" * 50, "x.py:1 `f` has 51 lines, the limit is 50"),
        ("class A:\n    async def f(self, a, b, *, c, d, e, g): ...", ""),
        ("def f(a, b, *c, d, e, g, **h): ...", "x.py:1 `f` has 7 parameters, the limit is 6"),
        ("class A:\n" + "    def f(self): ...\n" * 15, ""),
        (
            "class A:\n" + "    def f(self): ...\n" * 16,
            "x.py:1 `A` has 16 methods, the limit is 15",
        ),
    ],
)
def test_what_is_too_big_is_named(text: str, problem: str) -> None:
    assert list(code_problems(source("x.py", text))) == [problem] * bool(problem)


@pytest.mark.parametrize(
    ("place", "text", "count"),
    [
        ("a/x.py", "\n" * 400, 0),
        ("a/x.py", "\n" * 401, 1),
        ("a/utils.py", "", 1),
        ("managers/x.py", "", 1),
        ("a/node_manager.py", "", 1),
        ("a/commonplace.py", "", 0),
    ],
)
def test_a_wrong_file_is_seen(place: str, text: str, count: int) -> None:
    file = source(place, text)
    assert len([*file_problems(file), *name_problems(file)]) == count
