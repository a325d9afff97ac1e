"""The names under which a pack's files hand node classes to ComfyUI, wherever they do so.

Every statement counts, also one inside a function or a condition; names that are computed are
followed in pack_reading.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from comfydock_core.storage.constant_folding import last_name
from comfydock_core.storage.python_source import PackSource

MAPPINGS = "NODE_CLASS_MAPPINGS"

_PARTS = ("finalbody", "orelse", "handlers", "cases", "body")
_MARKS = (MAPPINGS.encode(), b"node_id")


@dataclass(slots=True)
class _Findings:
    """What the files of one pack say, gathered file by file."""

    classes: set[str] = field(default_factory=set)
    wanted_names: set[str] = field(default_factory=set)
    dicts: dict[str, list[ast.Dict]] = field(default_factory=dict)


def mapped_names(source: PackSource) -> set[str]:
    """Return the names of node classes that a pack's files spell out."""
    findings = _Findings()
    others: list[tuple[Path, bytes]] = []
    for path, text in source.texts.items():
        if any(mark in text for mark in _MARKS):
            _read(path, source, findings)
        else:
            others.append((path, text))
    for path, text in others:
        if any(name.encode() in text for name in findings.wanted_names):
            _read(path, source, findings)
    _add_named_dicts(findings)
    return findings.classes


def _read(path: Path, source: PackSource, findings: _Findings) -> None:
    tree = source.tree(path)
    if tree:
        reader = _Reader(tree, findings)
        for statement in all_statements(tree):
            reader.read(statement)


def all_statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield every statement of a file, those inside others included."""
    waiting: list[ast.AST] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for part in _PARTS:
            waiting += reversed(getattr(node, part, ()))


def _add_named_dicts(findings: _Findings) -> None:
    """Add the keys of dictionaries that were merged by name, wherever the pack defines them."""
    names, seen = list(findings.wanted_names), set(findings.wanted_names)
    for name in names:
        for literal in findings.dicts.get(name, ()):
            for key, value in zip(literal.keys, literal.values, strict=True):
                if key is None and isinstance(value, ast.Name) and value.id not in seen:
                    seen.add(value.id)
                    names.append(value.id)
                elif key is not None and _text(key):
                    findings.classes.add(_text(key))


class _Reader:
    """Collects the node classes of one file."""

    def __init__(self, tree: ast.Module, findings: _Findings) -> None:
        self._findings = findings
        self._constants = _class_constants(tree)

    def read(self, statement: ast.stmt) -> None:
        """Take what one statement says; its inner statements are read on their own."""
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                self._assigned(target, statement.value)
        elif isinstance(statement, ast.AnnAssign | ast.AugAssign) and statement.value:
            self._assigned(statement.target, statement.value)
        called = getattr(statement, "value", None)
        if isinstance(called, ast.Call):
            self._called(called)

    def _called(self, call: ast.Call) -> None:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "update":
            self._updated(last_name(call.func.value), call)
        elif last_name(call.func) == "Schema":
            self._schema(call)

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            self._unpacked(target, value)
        elif isinstance(target, ast.Subscript):
            if MAPPINGS in last_name(target.value):
                self._add_key(target.slice)
        elif MAPPINGS in last_name(target):
            self._merge(value)
        elif isinstance(target, ast.Attribute) and target.attr == "node_id":
            self._add_key(value)
        elif isinstance(value, ast.Dict):
            self._findings.dicts.setdefault(last_name(target), []).append(value)

    def _updated(self, name: str, call: ast.Call) -> None:
        if MAPPINGS in name:
            self._merge_arguments(call)
        else:
            literals = [argument for argument in call.args if isinstance(argument, ast.Dict)]
            self._findings.dicts.setdefault(name, []).extend(literals)

    def _unpacked(self, target: ast.Tuple, value: ast.expr) -> None:
        """Read ``A, B = f(CONFIG)`` and ``A, B = {…}, {…}``."""
        if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
            for one, its_value in zip(target.elts, value.elts, strict=True):
                self._assigned(one, its_value)
        elif any(MAPPINGS in last_name(one) for one in target.elts):
            self._merge(value)

    def _merge(self, value: ast.expr) -> None:
        """Take the keys of an expression that becomes (part of) the mappings."""
        if isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if key is None:
                    self._merge(item)
                else:
                    self._add_key(key)
        elif isinstance(value, ast.BinOp):
            self._merge(value.left)
            self._merge(value.right)
        elif isinstance(value, ast.Call):
            self._merge_arguments(value)
        elif isinstance(value, ast.Name | ast.Attribute):
            self._findings.wanted_names.add(last_name(value))

    def _merge_arguments(self, call: ast.Call) -> None:
        for argument in call.args:
            self._merge(argument)
        for keyword in call.keywords:
            if keyword.arg is None:
                self._merge(keyword.value)
            elif last_name(call.func) in ("dict", "update"):
                self._findings.classes.add(keyword.arg)

    def _add_key(self, key: ast.expr) -> None:
        """Take a text, or the constant of a class (``Loader.NAME``, in a loop ``node.NAME``)."""
        if _text(key):
            self._findings.classes.add(_text(key))
        elif isinstance(key, ast.Attribute):
            constants = self._constants.get(key.attr, {})
            owner = last_name(key.value)
            named = [constants[owner]] if owner in constants else constants.values()
            self._findings.classes.update(named)

    def _schema(self, call: ast.Call) -> None:
        ids = [keyword.value for keyword in call.keywords if keyword.arg == "node_id"]
        for value in ids or call.args[:1]:
            if _text(value):
                self._findings.classes.add(_text(value))


def _class_constants(tree: ast.Module) -> dict[str, dict[str, str]]:
    """Return the texts that classes of a file hold: attribute -> class -> text."""
    found: dict[str, dict[str, str]] = {}
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            for attribute, text in _text_constants(owner):
                found.setdefault(attribute, {})[owner.name] = text
    return found


def _text_constants(owner: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement in owner.body:
        if isinstance(statement, ast.Assign):
            text = _text(statement.value)
            for target in statement.targets if text else ():
                yield last_name(target), text


def _text(expression: ast.expr) -> str:
    """Return a text that is written out, empty for anything else."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return expression.value
    return ""
