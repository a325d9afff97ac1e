"""What the expressions of a node pack come to, as far as constants reach.

Nothing is imported or run: texts are joined, lists and dicts put together, the pack's own small
functions followed. Everything else is UNKNOWN.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from comfydock_core.storage.folded_methods import BUILTINS, method_result
from comfydock_core.storage.folded_values import (
    INPUT_FILE,
    MOST_ITEMS,
    UNKNOWN,
    ListedFile,
    NodeSchema,
    SchemaInput,
    Scope,
    SourceClass,
    SourceFunction,
    SourceModule,
    better,
    bounded,
)

_LISTING = "get_filename_list"
_INPUT_LISTING = "get_input_subfolders"
_FOLDER_LISTINGS = frozenset({_INPUT_LISTING, "glob", "iterdir", "listdir", "rglob", "scandir"})
_TYPE_NAMES = frozenset({"IO", "io"})


def evaluate(expression: ast.expr, scope: Scope) -> object:
    """Return what an expression comes to, UNKNOWN when that cannot be told."""
    handler = _HANDLERS.get(type(expression))
    if handler is None or not scope.effort.spend():
        return UNKNOWN
    return handler(expression, scope)


def bind(target: ast.expr, value: object, scope: Scope) -> None:
    """Assign a value to a name, to several, or into a dict."""
    if isinstance(target, ast.Name):
        scope.names[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        known = isinstance(value, list | tuple) and len(value) == len(target.elts)
        values = list(value) if known and isinstance(value, list | tuple) else []
        for position, each in enumerate(target.elts):
            bind(each, values[position] if known else UNKNOWN, scope)
    elif isinstance(target, ast.Subscript):
        owner = evaluate(target.value, scope)
        key = evaluate(target.slice, scope)
        if isinstance(owner, dict) and isinstance(key, str):
            owner[key] = value


def class_attribute(
    owner: SourceClass, name: str, scope: Scope, *, inherited: bool = False
) -> object:
    """Return what ``owner.name`` is, also from its bases; ``inherited`` asks those alone."""
    if not scope.effort.spend():
        return UNKNOWN
    inner = replace(scope, module=owner.module, names={}, owner=owner)
    found: object = UNKNOWN
    for statement in () if inherited else owner.node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if statement.name == name:
                found = SourceFunction(module=owner.module, node=statement, owner=owner)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            scope.run([statement], inner)
            found = inner.names.get(name, found)
    if found is not UNKNOWN:
        return found
    return _from_bases(owner, name, scope)


def _from_bases(owner: SourceClass, name: str, scope: Scope) -> object:
    for base in owner.node.bases:
        parent = evaluate(base, replace(scope, module=owner.module, names={}))
        if isinstance(parent, SourceClass) and parent is not owner:
            found = class_attribute(parent, name, scope)
            if found is not UNKNOWN:
                # a classmethod of a base sees the class that it is called on
                return replace(found, owner=owner) if isinstance(found, SourceFunction) else found
    return UNKNOWN


def call_function(
    function: SourceFunction, arguments: Sequence[object], named: Mapping[str, object], scope: Scope
) -> object:
    """Return what a function of the pack returns for these arguments."""
    if scope.effort.depth <= 0:
        return UNKNOWN
    taken = function.node.args
    names = [each.arg for each in (*taken.posonlyargs, *taken.args)]
    values: dict[str, object] = dict.fromkeys(names, UNKNOWN)
    inner = replace(scope, module=function.module, names=values, owner=function.owner)
    for name, default in zip(reversed(names), reversed(taken.defaults), strict=False):
        values[name] = evaluate(default, inner)
    for each, optional in zip(taken.kwonlyargs, taken.kw_defaults, strict=True):
        values[each.arg] = evaluate(optional, inner) if optional else UNKNOWN
    values.update(zip(names, [*_itself(function), *arguments], strict=False))
    values.update(named)
    scope.effort.depth -= 1
    result = scope.run(function.node.body, inner)
    scope.effort.depth += 1
    return result


def _itself(function: SourceFunction) -> list[object]:
    decorators = {each.id for each in function.node.decorator_list if isinstance(each, ast.Name)}
    return [function.owner] if function.owner and "staticmethod" not in decorators else []


def last_name(expression: ast.expr) -> str:
    """Return the last part of a dotted name, empty for anything else."""
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def _constant(expression: ast.Constant, _: Scope) -> object:
    return expression.value


def _name(expression: ast.Name, scope: Scope) -> object:
    if expression.id in scope.names:
        return scope.names[expression.id]
    return scope.look_up(scope.module, expression.id, scope.effort)


def _attribute(expression: ast.Attribute, scope: Scope) -> object:
    owner = evaluate(expression.value, scope)
    if isinstance(owner, SourceClass):
        return class_attribute(owner, expression.attr, scope)
    if isinstance(owner, SourceModule):
        return scope.look_up(owner, expression.attr, scope.effort)
    if owner == INPUT_FILE:
        return owner
    if (
        owner is UNKNOWN
        and last_name(expression.value) in _TYPE_NAMES
        and expression.attr.isupper()
    ):
        return expression.attr
    return UNKNOWN


def _joined(expression: ast.JoinedStr, scope: Scope) -> object:
    parts = []
    for part in expression.values:
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        plain = not isinstance(part, ast.FormattedValue) or part.format_spec is None
        value = evaluate(inner, scope)
        if not plain or not isinstance(value, str | int):
            return UNKNOWN
        parts.append(str(value))
    return bounded("".join(parts))


def _sequence(expression: ast.List | ast.Tuple | ast.Set, scope: Scope) -> object:
    found: list[object] = []
    for each in expression.elts:
        if isinstance(each, ast.Starred):
            inner = evaluate(each.value, scope)
            found += inner if isinstance(inner, list | tuple) else [UNKNOWN]
        else:
            found.append(evaluate(each, scope))
    return tuple(found) if isinstance(expression, ast.Tuple) else bounded(found)


def _dict(expression: ast.Dict, scope: Scope) -> object:
    found: dict[object, object] = {}
    for key, value in zip(expression.keys, expression.values, strict=True):
        item = evaluate(value, scope)
        if key is None:
            found.update(item if isinstance(item, dict) else {UNKNOWN: UNKNOWN})
        else:
            name = evaluate(key, scope)
            found[name if isinstance(name, str | int) else UNKNOWN] = item
    return found


def _operation(expression: ast.BinOp, scope: Scope) -> object:
    left, right = evaluate(expression.left, scope), evaluate(expression.right, scope)
    return combine(expression.op, left, right)


def combine(operator: ast.operator, left: object, right: object) -> object:
    """Return ``left + right`` and ``left | right`` where that can be told."""
    if isinstance(operator, ast.Add):
        if isinstance(left, str) and isinstance(right, str):
            return bounded(left + right)
        lists = [list(each) for each in (left, right) if isinstance(each, list | tuple)]
        missing = [UNKNOWN] * (2 - len(lists))
        return bounded([*chain(*lists), *missing]) if lists else UNKNOWN
    if isinstance(operator, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
        return left | right
    return UNKNOWN


def _comprehension(
    expression: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope
) -> object:
    inners = _rounds(expression.generators, scope)
    return [evaluate(expression.elt, inner) for inner in inners]


def _dict_comprehension(expression: ast.DictComp, scope: Scope) -> object:
    found: dict[object, object] = {}
    for inner in _rounds(expression.generators, scope):
        key = evaluate(expression.key, inner)
        found[key if isinstance(key, str) else UNKNOWN] = evaluate(expression.value, inner)
    return found


def _rounds(generators: Sequence[ast.comprehension], scope: Scope) -> list[Scope]:
    scopes = [replace(scope, names=dict(scope.names))]
    for generator in generators:
        scopes = list(islice(_entered(generator, scopes), MOST_ITEMS))
    return scopes


def _entered(generator: ast.comprehension, scopes: Iterable[Scope]) -> Iterator[Scope]:
    for outer in scopes:
        for item in items_of(evaluate(generator.iter, outer)):
            inner = replace(outer, names=dict(outer.names))
            bind(generator.target, item, inner)
            yield inner


def items_of(value: object) -> Iterable[object]:
    """Return what a loop over a value runs through; one UNKNOWN when that cannot be told."""
    if isinstance(value, list | tuple | dict):
        return list(value)[:MOST_ITEMS]
    return [UNKNOWN]


def _subscript(expression: ast.Subscript, scope: Scope) -> object:
    owner = evaluate(expression.value, scope)
    if isinstance(expression.slice, ast.Slice):
        return owner if isinstance(owner, list | tuple) else UNKNOWN
    key = evaluate(expression.slice, scope)
    if isinstance(owner, dict) and isinstance(key, str | int):
        return owner.get(key, UNKNOWN)
    if isinstance(owner, list | tuple) and isinstance(key, int) and 0 <= key < len(owner):
        return owner[key]
    return UNKNOWN


def _conditional(expression: ast.IfExp, scope: Scope) -> object:
    return better(evaluate(expression.body, scope), evaluate(expression.orelse, scope))


def _either(expression: ast.BoolOp, scope: Scope) -> object:
    found: object = UNKNOWN
    for each in expression.values:
        found = better(found, evaluate(each, scope))
    return found


def _call(expression: ast.Call, scope: Scope) -> object:
    arguments, named = _arguments(expression, scope)
    name = last_name(expression.func)
    if name == "Input" and isinstance(expression.func, ast.Attribute):
        return _schema_input(expression.func, arguments, named)
    if name == "Schema":
        inputs = named.get("inputs", [])
        return NodeSchema(node_id=named.get("node_id", next(iter(arguments), "")), inputs=inputs)
    function = _called(expression.func, scope)
    if isinstance(function, SourceFunction):
        return call_function(function, arguments, named, scope)
    if name == _LISTING:
        folder = named.get("folder_name", next(iter(arguments), UNKNOWN))
        return [ListedFile(folder=folder)] if isinstance(folder, str) else UNKNOWN
    owner: object = UNKNOWN
    if isinstance(expression.func, ast.Attribute):
        owner = evaluate(expression.func.value, scope)
    if (files := _of_input_folder(name, owner, arguments)) is not UNKNOWN:
        return files
    if owner is not UNKNOWN:
        return method_result(owner, name, arguments, named)
    if name in BUILTINS:
        return BUILTINS[name](arguments, named)
    return copy.copy(arguments[0]) if name in ("copy", "deepcopy") and arguments else UNKNOWN


def _of_input_folder(name: str, owner: object, arguments: Sequence[object]) -> object:
    """Follow ComfyUI's input folder, and paths made of it, to the lists of its files."""
    if isinstance(owner, list | dict | str):
        return UNKNOWN
    leads_there = name == "get_input_directory" or INPUT_FILE in (owner, *arguments)
    if leads_there or name == _INPUT_LISTING:
        return [INPUT_FILE] if name in _FOLDER_LISTINGS else INPUT_FILE
    first = next(iter(arguments), UNKNOWN)
    # what is none of ours, given a list, filters it: folder_paths.filter_files_content_types
    filters = isinstance(first, list) and INPUT_FILE in first and name not in BUILTINS
    return first if filters else UNKNOWN


def _called(function: ast.expr, scope: Scope) -> object:
    """Return the function of the pack that is called, also ``super().INPUT_TYPES``."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
        if last_name(function.value.func) == "super" and scope.owner:
            return class_attribute(scope.owner, function.attr, scope, inherited=True)
        return UNKNOWN
    return evaluate(function, scope)


def _arguments(expression: ast.Call, scope: Scope) -> tuple[list[object], dict[str, object]]:
    arguments: list[object] = []
    for each in expression.args:
        inner = each.value if isinstance(each, ast.Starred) else each
        value = evaluate(inner, scope)
        starred = inner is not each
        arguments += value if starred and isinstance(value, list | tuple) else [value]
    named: dict[str, object] = {}
    for keyword in expression.keywords:
        value = evaluate(keyword.value, scope)
        if keyword.arg is not None:
            named[keyword.arg] = value
        elif isinstance(value, dict):
            named.update({key: item for key, item in value.items() if isinstance(key, str)})
    return arguments, named


def _schema_input(
    function: ast.Attribute, arguments: Sequence[object], named: Mapping[str, object]
) -> SchemaInput:
    made = function.value
    # io.Custom("TYPE").Input(…)
    kind = last_name(made.func if isinstance(made, ast.Call) else made)
    names = ("id", "options" if kind == "Combo" else "display_name")
    return SchemaInput(
        kind=kind,
        arguments={**dict(zip(names, arguments, strict=False)), **named},
    )


_HANDLERS: Mapping[type[ast.expr], Callable[[Any, Scope], object]] = {
    ast.Attribute: _attribute,
    ast.BinOp: _operation,
    ast.BoolOp: _either,
    ast.Call: _call,
    ast.Constant: _constant,
    ast.Dict: _dict,
    ast.DictComp: _dict_comprehension,
    ast.GeneratorExp: _comprehension,
    ast.IfExp: _conditional,
    ast.JoinedStr: _joined,
    ast.List: _sequence,
    ast.ListComp: _comprehension,
    ast.Name: _name,
    ast.Set: _sequence,
    ast.SetComp: _comprehension,
    ast.Subscript: _subscript,
    ast.Tuple: _sequence,
}
