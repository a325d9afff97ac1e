"""Following a node pack's source from name to name, through statements, functions and imports."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from comfydock_core.storage.constant_folding import bind, combine, evaluate, items_of, last_name
from comfydock_core.storage.folded_values import (
    UNKNOWN,
    Effort,
    Scope,
    SourceClass,
    SourceFunction,
    SourceModule,
    better,
)
from comfydock_core.storage.python_source import PackSource

_CHANGING = frozenset({"append", "extend", "insert", "setdefault", "update"})
_STAR = "*"
_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class PackReading:
    """The files of one pack as modules that know one another."""

    def __init__(self, source: PackSource) -> None:
        self._source = source
        self._modules: dict[Path, SourceModule | None] = {}
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for path in source.texts:
            self._by_name[path.parent.name if path.name == "__init__.py" else path.stem].append(
                path
            )

    def module(self, path: Path) -> SourceModule | None:
        """Return one file, None when it cannot be read."""
        if path not in self._modules:
            tree = self._source.tree(path)
            self._modules[path] = (
                SourceModule(path=path, statements=_by_name(tree.body)) if tree else None
            )
        return self._modules[path]

    def scope(self, module: SourceModule) -> Scope:
        """Return the scope in which a file's own names are read, with effort for one answer."""
        return Scope(
            module=module, names={}, effort=Effort(), look_up=self.look_up, run=run_statements
        )

    def look_up(self, module: SourceModule, name: str, effort: Effort) -> object:
        """Return what a name of a file stands for after its top-level statements have run."""
        if name not in module.values:
            module.values[name] = UNKNOWN  # what a circle of imports finds
            module.values[name] = self._found(module, name, effort)
        return module.values[name]

    def _found(self, module: SourceModule, name: str, effort: Effort) -> object:
        scope = replace(self.scope(module), effort=effort)
        for statement in module.statements.get(name, ()):
            if isinstance(statement, ast.ClassDef):
                scope.names[name] = SourceClass(module=module, node=statement)
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                scope.names[name] = SourceFunction(module=module, node=statement)
            elif isinstance(statement, ast.Import | ast.ImportFrom):
                scope.names[name] = self._imported(module, statement, name, effort)
            else:
                run_statements([statement], scope)
        if name in scope.names or name == _STAR:
            return scope.names.get(name, UNKNOWN)
        return self._from_stars(module, name, effort)

    def _from_stars(self, module: SourceModule, name: str, effort: Effort) -> object:
        for statement in module.statements.get(_STAR, ()):
            target = self._target(module, statement, "")
            if target is not None and effort.spend():
                found = self.look_up(target, name, effort)
                if found is not UNKNOWN:
                    return found
        return UNKNOWN

    def _imported(
        self, module: SourceModule, statement: ast.stmt, name: str, effort: Effort
    ) -> object:
        if isinstance(statement, ast.ImportFrom):
            original = _original(statement, name)
            target = self._target(module, statement, "")
            found = self.look_up(target, original, effort) if target else UNKNOWN
            return (
                self._target(module, statement, original) or UNKNOWN if found is UNKNOWN else found
            )
        if isinstance(statement, ast.Import):
            return self._anywhere(_original(statement, name)) or UNKNOWN
        return UNKNOWN

    def _target(self, module: SourceModule, statement: ast.stmt, inner: str) -> SourceModule | None:
        """Return the file that ``from … import`` reads, or its part ``inner``."""
        if not isinstance(statement, ast.ImportFrom):
            return None
        dotted = ".".join(part for part in (statement.module, inner) if part)
        if not statement.level:
            return self._anywhere(dotted)
        folder = module.path.parents[statement.level - 1]
        return self._at(folder.joinpath(*dotted.split(".")) if dotted else folder)

    def _at(self, place: Path) -> SourceModule | None:
        for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if path in self._source.texts:
                return self.module(path)
        return None

    def _anywhere(self, dotted: str) -> SourceModule | None:
        """Find a module by its full name: packs add folders of their own to Python's path."""
        parts = tuple(dotted.split("."))
        for path in self._by_name.get(parts[-1], ()):
            place = path.parent if path.name == "__init__.py" else path.with_suffix("")
            if place.parts[-len(parts) :] == parts:
                return self.module(path)
        return None


def _original(statement: ast.ImportFrom | ast.Import, name: str) -> str:
    for alias in statement.names:
        if name == (alias.asname or alias.name):
            return alias.name
    return name


def _by_name(statements: Sequence[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """Return the statements of a file by every name that they may change."""
    found: dict[str, list[ast.stmt]] = defaultdict(list)
    for statement in statements:
        for name, defining in dict.fromkeys(_touched(statement)):
            found[name].append(defining)
    return found


def _touched(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """Yield (name, what to read for it): a definition inside ``try`` or ``if`` counts alone."""
    if isinstance(statement, _DEFINITIONS):
        yield statement.name, statement
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name, statement) for alias in statement.names)
    elif isinstance(statement, ast.Expr):
        call = statement.value
        if isinstance(call, ast.Call) and last_name(call.func) in _CHANGING:
            yield _root(call.func), statement
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from ((name, statement) for name in _targets(target))
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        yield from ((name, statement) for name in _targets(statement.target))
    else:
        for inner in _inner_statements(statement):
            for name, defining in _touched(inner):
                alone = isinstance(defining, (*_DEFINITIONS, ast.Import, ast.ImportFrom))
                yield name, defining if alone else statement


def _targets(target: ast.expr) -> Iterator[str]:
    for each in target.elts if isinstance(target, ast.Tuple | ast.List) else (target,):
        yield _root(each)


def _root(expression: ast.expr) -> str:
    while isinstance(expression, ast.Attribute | ast.Subscript):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else ""


def _inner_statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    for part in ("body", "orelse", "finalbody"):
        yield from getattr(statement, part, ())


def run_statements(statements: Sequence[ast.stmt], scope: Scope) -> object:
    """Follow statements and return what they return; the last of several answers is believed."""
    returned: object = UNKNOWN
    for statement in statements:
        if not scope.effort.spend():
            break
        returned = better(_followed(statement, scope), returned)
        if isinstance(statement, ast.Return):
            break
    return returned


def _followed(statement: ast.stmt, scope: Scope) -> object:
    if isinstance(statement, ast.Return):
        return evaluate(statement.value, scope) if statement.value else UNKNOWN
    if isinstance(statement, ast.If):
        return _both(statement, scope)
    if isinstance(statement, ast.For):
        return _looped(statement, scope)
    if isinstance(statement, ast.Try | ast.With):
        return run_statements(statement.body, scope)
    if isinstance(statement, ast.FunctionDef):
        scope.names[statement.name] = SourceFunction(module=scope.module, node=statement)
    else:
        _assigned(statement, scope)
    return UNKNOWN


def _assigned(statement: ast.stmt, scope: Scope) -> None:
    if isinstance(statement, ast.Assign):
        value = evaluate(statement.value, scope)
        for target in statement.targets:
            bind(target, value, scope)
    elif isinstance(statement, ast.AnnAssign) and statement.value:
        bind(statement.target, evaluate(statement.value, scope), scope)
    elif isinstance(statement, ast.AugAssign):
        before = evaluate(statement.target, scope)
        after = combine(statement.op, before, evaluate(statement.value, scope))
        bind(statement.target, after, scope)
    elif isinstance(statement, ast.Expr):
        evaluate(statement.value, scope)


def _both(statement: ast.If, scope: Scope) -> object:
    """Follow both branches of a condition and believe what they say together."""
    other = replace(scope, names=dict(scope.names))
    first = run_statements(statement.body, scope)
    second = run_statements(statement.orelse, other)
    for name, value in other.names.items():
        scope.names[name] = better(scope.names.get(name, UNKNOWN), value)
    return better(first, second)


def _looped(statement: ast.For, scope: Scope) -> object:
    returned: object = UNKNOWN
    for item in items_of(evaluate(statement.iter, scope)):
        if not scope.effort.spend():
            break
        bind(statement.target, item, scope)
        returned = better(run_statements(statement.body, scope), returned)
    return returned
