"""Which node classes a folder of Python defines, read from its syntax: nothing is imported or run.

ComfyUI finds classes in ``NODE_CLASS_MAPPINGS`` or, since 0.3.65, by ``comfy_entrypoint`` and the
``node_id`` of each ``io.Schema``.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LARGEST_FILE = 4 * 1024 * 1024

_MAPPINGS = "NODE_CLASS_MAPPINGS"
_MARKS = (_MAPPINGS.encode(), b"node_id")
_FOREIGN_FOLDERS = frozenset({"__pycache__", "node_modules", "venv", "site-packages"})


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedFile:
    """A Python file that was not read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeClasses:
    """The node classes of a folder, and the files that could not be searched for more."""

    classes: frozenset[str]
    skipped: tuple[SkippedFile, ...] = ()


def node_classes(folder: Path) -> frozenset[str]:
    """Return the node classes of a node pack; an absent folder has none."""
    return scan_node_classes(folder).classes


def scan_node_classes(folder: Path) -> NodeClasses:
    """Read a node pack: every ``.py`` below ``folder``, links and foreign code left out."""
    return _scan(_python_files(folder))


def core_node_classes(comfyui: Path) -> NodeClasses:
    """Read the classes that come with ComfyUI itself, from its checkout."""
    extras = sorted((comfyui / "comfy_extras").glob("*.py"))
    api_nodes = _python_files(comfyui / "comfy_api_nodes")
    return _scan([comfyui / "nodes.py", *extras, *api_nodes])


def _python_files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name not in _FOREIGN_FOLDERS and not name.startswith(".")
        )
        for name in sorted(files):
            path = Path(parent, name)
            if name.endswith(".py") and not path.is_symlink():
                yield path


@dataclass(slots=True)
class _Findings:
    """What the files of one pack say, gathered file by file."""

    classes: set[str] = field(default_factory=set)
    wanted_names: set[str] = field(default_factory=set)
    dicts: dict[str, list[ast.Dict]] = field(default_factory=dict)


def _scan(files: Iterable[Path]) -> NodeClasses:
    findings = _Findings()
    skipped: list[SkippedFile] = []
    others: list[tuple[Path, bytes]] = []
    for path in files:
        source = _source(path, skipped)
        if any(mark in source for mark in _MARKS):
            _read(path, source, findings, skipped)
        elif source:
            others.append((path, source))
    for path, source in others:
        if any(name.encode() in source for name in findings.wanted_names):
            _read(path, source, findings, skipped)
    _add_named_dicts(findings)
    return NodeClasses(classes=frozenset(findings.classes), skipped=tuple(skipped))


def _source(path: Path, skipped: list[SkippedFile]) -> bytes:
    try:
        if path.stat().st_size <= LARGEST_FILE:
            return path.read_bytes() if path.is_file() else b""
        reason = "it is larger than 4 MiB"
    except FileNotFoundError:
        return b""
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    skipped.append(SkippedFile(path=path, reason=reason))
    return b""


def _read(path: Path, source: bytes, findings: _Findings, skipped: list[SkippedFile]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        _Reader(tree, findings).visit(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = f"it is no Python that can be read: {error or type(error).__name__}"
        skipped.append(SkippedFile(path=path, reason=reason))


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


class _Reader(ast.NodeVisitor):
    """Collects the node classes of one file."""

    def __init__(self, tree: ast.Module, findings: _Findings) -> None:
        self._findings = findings
        self._constants = _class_constants(tree)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._assigned(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assigned(node.target, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._assigned(node.target, node.value)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "update":
            self._updated(_name(node.func.value), node)
        elif _name(node.func) == "Schema":
            self._schema(node)
        self.generic_visit(node)

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            self._unpacked(target, value)
        elif isinstance(target, ast.Subscript):
            if _MAPPINGS in _name(target.value):
                self._add_key(target.slice)
        elif _MAPPINGS in _name(target):
            self._merge(value)
        elif isinstance(target, ast.Attribute) and target.attr == "node_id":
            self._add_key(value)
        elif isinstance(value, ast.Dict):
            self._findings.dicts.setdefault(_name(target), []).append(value)

    def _updated(self, name: str, call: ast.Call) -> None:
        if _MAPPINGS in name:
            self._merge_arguments(call)
        else:
            literals = [argument for argument in call.args if isinstance(argument, ast.Dict)]
            self._findings.dicts.setdefault(name, []).extend(literals)

    def _unpacked(self, target: ast.Tuple, value: ast.expr) -> None:
        """Read ``A, B = f(CONFIG)`` and ``A, B = {…}, {…}``."""
        if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
            for one, its_value in zip(target.elts, value.elts, strict=True):
                self._assigned(one, its_value)
        elif any(_MAPPINGS in _name(one) for one in target.elts):
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
            self._findings.wanted_names.add(_name(value))

    def _merge_arguments(self, call: ast.Call) -> None:
        for argument in call.args:
            self._merge(argument)
        for keyword in call.keywords:
            if keyword.arg is None:
                self._merge(keyword.value)
            elif _name(call.func) in ("dict", "update"):
                self._findings.classes.add(keyword.arg)

    def _add_key(self, key: ast.expr) -> None:
        """Take a text, or the constant of a class (``Loader.NAME``, in a loop ``node.NAME``)."""
        if _text(key):
            self._findings.classes.add(_text(key))
        elif isinstance(key, ast.Attribute):
            constants = self._constants.get(key.attr, {})
            owner = _name(key.value)
            named = [constants[owner]] if owner in constants else constants.values()
            self._findings.classes.update(named)

    def _schema(self, call: ast.Call) -> None:
        ids = [keyword.value for keyword in call.keywords if keyword.arg == "node_id"]
        for value in ids or call.args[:1]:
            if _text(value):
                self._findings.classes.add(_text(value))


def _name(expression: ast.expr) -> str:
    """Return the last part of a dotted name, empty for anything else."""
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


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
                yield _name(target), text


def _text(expression: ast.expr) -> str:
    """Return a text that is written out, empty for anything else."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return expression.value
    return ""
