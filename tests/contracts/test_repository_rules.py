"""Rules of the style that no linter of ours holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.contracts.source_tree import Source, expect_none, source, sources

_BROAD = {"Exception", "BaseException"}
_FROZEN = {"frozen", "kw_only", "slots"}


def rule_problems(file: Source) -> Iterator[str]:
    """Yield every place of ``file`` that breaks a rule of design.md section 5 or trust.md."""
    for node in ast.walk(file.tree):
        for problem in _problems(node):
            yield f"{file.place}:{getattr(node, 'lineno', 1)} {problem}"


def _problems(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Attribute(attr="extractall")):
            yield "calls `extractall`; the strict reader unpacks (trust.md)"
        case ast.keyword(arg="shell", value=ast.Constant(value=True)):
            yield "starts a shell; processes get argument lists (trust.md 4)"
        case ast.ExceptHandler() if _is_broad(node):
            yield "catches everything; name the failure (design.md 5)"
        case ast.Assert():
            yield "checks with `assert`, which -O removes; raise a failure (design.md 5)"
        case ast.ClassDef() if not _is_value_or_state(node):
            yield f"`{node.name}` is a dataclass without frozen, kw_only and slots (design.md 5)"
        case ast.Module() if _has_annotations(node) and not _has_future_annotations(node):
            yield "lacks `from __future__ import annotations`"


def _is_broad(node: ast.ExceptHandler) -> bool:
    """Undoing a half-done change on whatever happens is allowed: it ends in a bare ``raise``."""
    caught = ast.unparse(node.type) if node.type else ""
    goes_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
    if caught == "BaseException":
        return not goes_on
    return not caught or bool(_BROAD & {part.strip("() ") for part in caught.split(",")})


def _is_value_or_state(node: ast.ClassDef) -> bool:
    """A public dataclass is a frozen value; a private one may be state that changes."""
    wanted = {"slots"} if node.name.startswith("_") else _FROZEN
    for decorator in node.decorator_list:
        if "dataclass" not in ast.unparse(decorator):
            continue
        keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
        given = {str(item.arg) for item in keywords if ast.unparse(item.value) == "True"}
        if not wanted <= given:
            return False
    return True


def _has_annotations(module: ast.Module) -> bool:
    kinds = ast.AnnAssign | ast.FunctionDef | ast.AsyncFunctionDef
    return any(isinstance(node, kinds) for node in ast.walk(module))


def _has_future_annotations(module: ast.Module) -> bool:
    return any(
        isinstance(item, ast.ImportFrom) and item.module == "__future__" for item in module.body
    )


def test_the_packages_keep_the_rules() -> None:
    expect_none(problem for file in sources("packages") for problem in rule_problems(file))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("archive.extractall(place)", 1),
        ("run('ls', shell=True)", 1),
        ("run(['ls'], shell=False)", 0),
        ("try:\n    f()\nexcept Exception:\n    g()", 1),
        ("try:\n    f()\nexcept (OSError, BaseException):\n    g()", 1),
        ("try:\n    f()\nexcept Exception:\n    raise", 1),
        ("try:\n    f()\nexcept BaseException:\n    g()", 1),
        ("try:\n    f()\nexcept BaseException:\n    g()\n    raise", 0),
        ("try:\n    f()\nexcept:\n    g()", 1),
        ("try:\n    f()\nexcept OSError:\n    g()", 0),
        ("assert x", 1),
        ("@dataclass\nclass A: ...", 1),
        ("@dataclass(frozen=True, kw_only=True)\nclass A: ...", 1),
        ("@dataclass(kw_only=True, slots=True)\nclass A: ...", 1),
        ("@dataclass(slots=True)\nclass _A: ...", 0),
        ("@dataclass\nclass _A: ...", 1),
        ("@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)\nclass A: ...", 0),
    ],
)
def test_a_broken_rule_is_seen(text: str, count: int) -> None:
    file = source("x.py", f"from __future__ import annotations\n{text}")
    assert len(list(rule_problems(file))) == count


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("x = 1", 0), ("x: int = 1", 1), ("def f() -> int: ...", 1)]
)
def test_annotations_are_texts_everywhere(text: str, count: int) -> None:
    assert len(list(rule_problems(source("x.py", text)))) == count
