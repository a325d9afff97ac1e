"""The layers of design.md section 2 point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.contracts.source_tree import (
    PACKAGES,
    Source,
    expect_none,
    imported_modules,
    source,
    sources,
)

CORE = "comfydock_core"
_STEPS = {"domain", "resolution", "storage", "workspace", "errors", "events", "interaction"}
MAY_IMPORT = {
    "errors": set(),
    "events": {"errors"},
    "interaction": {"domain", "errors", "events", "resolution"},
    "domain": {"domain", "errors"},
    "resolution": {"resolution", "domain", "errors"},
    "storage": {"storage", "domain", "errors", "events"},
    "workspace": _STEPS,
    "exporting": {*_STEPS, "exporting", "importing"},
    "importing": {*_STEPS, "importing"},
    "services": {*_STEPS, "exporting", "importing", "services"},
}
PURE = (
    "comfydock_core.domain",
    "comfydock_core.resolution",
    "comfydock_core.exporting.validation",
    "comfydock_core.importing.summary",
    "comfydock_core.importing.plan",
    "comfydock_core.importing.preflight",
    "comfydock_core.importing.report",
    "comfydock_core.importing.foreign_bundle",
    "comfydock_core.importing.foreign_models",
    "comfydock_core.importing.foreign_nodes",
)
_ACTING_MODULES = {
    *("os", "subprocess", "socket", "shutil", "tempfile", "sqlite3", "http", "urllib3"),
    "urllib.request",
    *("comfydock_core.storage", "comfydock_core.workspace", "comfydock_core.services"),
}
# A Path may be a field's type; asking the disk about it is what is not pure.
_ACTING_METHODS = {
    *("exists", "is_file", "is_dir", "iterdir", "rglob", "mkdir", "unlink", "read_text"),
    *("read_bytes", "write_text", "write_bytes", "stat", "lstat", "is_symlink", "touch", "glob"),
    *("symlink_to", "hardlink_to", "rmdir", "cwd", "home", "expanduser", "absolute"),
}
_FRONT_END = {"comfydock_cli", "rich"}


def layer_problems(file: Source) -> Iterator[str]:
    """Yield each import of a file of the core that its layer may not make."""
    layer = _layer(file)
    for line, name in imported_modules(file):
        if name.split(".")[0] in _FRONT_END:
            yield f"{file.place}:{line} the core imports `{name}`, which belongs to a front end"
        if layer not in MAY_IMPORT or not name.startswith(f"{CORE}."):
            continue
        target = name.split(".")[1]
        if not target.startswith("__") and target not in MAY_IMPORT[layer]:
            yield f"{file.place}:{line} layer `{layer}` may not import `{name}`"


def purity_problems(file: Source) -> Iterator[str]:
    """Yield each import and call by which a pure file could touch the world."""
    for line, name in imported_modules(file):
        if any(f"{name}.".startswith(f"{module}.") for module in _ACTING_MODULES):
            yield f"{file.place}:{line} a pure file imports `{name}`"
    for node in ast.walk(file.tree):
        match node:
            case ast.Call(func=ast.Name(id="open")):
                yield f"{file.place}:{node.lineno} a pure file opens a file"
            case ast.Call(func=ast.Attribute(attr=method)) if method in _ACTING_METHODS:
                yield f"{file.place}:{node.lineno} a pure file calls `{method}`"


def speech_problems(file: Source) -> Iterator[str]:
    """Yield each call of print and input."""
    for node in ast.walk(file.tree):
        match node:
            case ast.Call(func=ast.Name(id="print" | "input" as name)):
                yield f"{file.place}:{node.lineno} the core calls `{name}`"


def _layer(file: Source) -> str:
    return next(iter(file.module.split(".")[1:2]), "")


def _is_pure(file: Source) -> bool:
    return any(f"{file.module}.".startswith(f"{pure}.") for pure in PURE)


def _core() -> list[Source]:
    return [file for file in sources(*PACKAGES) if file.module.split(".")[0] == CORE]


def test_every_file_of_the_core_has_a_layer() -> None:
    assert {_layer(file) for file in _core()} <= {"", *MAY_IMPORT}


def test_layers_point_one_way() -> None:
    expect_none(problem for file in _core() for problem in layer_problems(file))


def test_pure_files_touch_nothing() -> None:
    pure = [file for file in _core() if _is_pure(file)]
    assert pure
    expect_none(problem for file in pure for problem in purity_problems(file))


def test_the_core_never_speaks() -> None:
    expect_none(problem for file in _core() for problem in speech_problems(file))


@pytest.mark.parametrize(
    ("place", "text", "count"),
    [
        ("domain/a.py", "from comfydock_core.errors import UsageError", 0),
        ("domain/a.py", "from comfydock_core import __version__", 0),
        ("domain/a.py", "from comfydock_core.storage import git", 1),
        ("domain/a.py", "from comfydock_core import storage", 1),
        ("domain/a.py", "from ..storage import git", 1),
        ("domain/__init__.py", "from ..storage import git", 1),
        ("domain/a.py", "def f():\n    import comfydock_core.events", 1),
        ("resolution/a.py", "from comfydock_core.importing.plan import Plan", 1),
        ("storage/a.py", "from comfydock_core.workspace.workspace import Workspace", 1),
        ("storage/a.py", "from comfydock_core.events import Event", 0),
        ("importing/a.py", "from comfydock_core.services import x", 1),
        ("services/a.py", "from comfydock_core.importing.plan import Plan", 0),
        ("services/a.py", "import rich.console", 1),
        ("services/a.py", "from comfydock_cli import main", 1),
    ],
)
def test_a_wrong_import_is_seen(place: str, text: str, count: int) -> None:
    file = source(f"{PACKAGES[0]}/{CORE}/{place}", text)
    assert len(list(layer_problems(file))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("from pathlib import PurePosixPath", 0),
        ("from pathlib import Path", 0),
        ("Path.home()", 1),
        ("import os", 1),
        ("import os.path", 1),
        ("from urllib.parse import urlsplit", 0),
        ("from urllib.request import urlopen", 1),
        ("from comfydock_core.storage.git import Git", 1),
        ("open('x')", 1),
        ("place.read_text()", 1),
    ],
)
def test_an_impure_line_is_seen(text: str, count: int) -> None:
    file = source(f"{PACKAGES[0]}/{CORE}/importing/plan.py", text)
    assert _is_pure(file)
    assert len(list(purity_problems(file))) == count


@pytest.mark.parametrize(("text", "count"), [("print()", 1), ("input()", 1), ("sprint()", 0)])
def test_a_word_is_heard(text: str, count: int) -> None:
    assert len(list(speech_problems(source("x.py", text)))) == count
