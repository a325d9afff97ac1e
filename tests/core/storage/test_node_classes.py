from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.storage.node_classes import core_node_classes, scan_node_classes
from comfydock_core.storage.python_source import LARGEST_FILE


def names_of(folder: Path) -> set[str]:
    """Return the names of the node classes below ``folder``."""
    return set(scan_node_classes(folder).classes)


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write ``files`` (name below ``folder`` without ``.py`` -> source) and return ``folder``."""
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("source", "classes"),
    [
        ("NODE_CLASS_MAPPINGS = {'A': X, \"B b\": Y}", {"A", "B b"}),
        ("NODE_CLASS_MAPPINGS: dict[str, type] = {'A': X}", {"A"}),
        ("NODE_CLASS_MAPPINGS = {}\nNODE_CLASS_MAPPINGS['A'] = X", {"A"}),
        ("NODE_CLASS_MAPPINGS.update({'A': X}, B=Y)", {"A", "B"}),
        ("NODE_CLASS_MAPPINGS |= {'A': X}", {"A"}),
        ("NODE_CLASS_MAPPINGS = {**{'A': X}, **other}", {"A"}),
        ("ONE = {'A': X}\nNODE_CLASS_MAPPINGS = {**ONE, 'B': Y}", {"A", "B"}),
        ("ONE = {'A': X}\nTWO = {**ONE, 'B': Y}\nNODE_CLASS_MAPPINGS = TWO", {"A", "B"}),
        ("NODE_CLASS_MAPPINGS = ONE | {'B': Y}\nONE = {'A': X}", {"A", "B"}),
        ("NODE_CLASS_MAPPINGS = dict(A=X)", {"A"}),
        ("C = {'A': {'class': X}}\nNODE_CLASS_MAPPINGS, NAMES = make(C)", {"A"}),
        ("C = {}\nC.update({'A': X})\nNODE_CLASS_MAPPINGS = C", {"A"}),
        ("NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = {'A': X}, {'N': 'n'}", {"A"}),
        ("NODE_DISPLAY_NAME_MAPPINGS = {'N': 'n'}\nNODE_CLASS_MAPPINGS = {}", set()),
        ("NODE_CLASS_MAPPINGS = {'A': {'not': 'a class'}}", {"A"}),
        (
            "class L:\n  NAME = 'A'\nclass M:\n  NAME = 'B'\nNODE_CLASS_MAPPINGS = {L.NAME: L}",
            {"A"},
        ),
        ("class L:\n  NodeId = 'A'\nfor n in [L]:\n  NODE_CLASS_MAPPINGS[n.NodeId] = n", {"A"}),
        ("if x:\n  try:\n    NODE_CLASS_MAPPINGS = {'A': X}\n  except E:\n    pass", {"A"}),
        ("def f():\n  return io.Schema(node_id='A', display_name='N')", {"A"}),
        ("def f():\n  s = Schema('A')\n  s.node_id = 'B'", {"A", "B"}),
        ("def f(node_id):\n  g(node_id='not a schema')", set()),
        ("INTERNAL_NODE_CLASS_MAPPINGS = {'A': X}", {"A"}),
    ],
)
def test_one_file(source: str, classes: set[str], tmp_path: Path) -> None:
    assert names_of(write(tmp_path, {"nodes": source})) == classes


def test_a_pack_of_several_files(tmp_path: Path) -> None:
    init = "from .a import LOADERS\nfrom .b import *\nNODE_CLASS_MAPPINGS = {**LOADERS, 'I': X}"
    pack = write(
        tmp_path / "pack",
        {
            "__init__": init,
            "a": "LOADERS = {'A': X}",
            "deep/b": "NODE_CLASS_MAPPINGS = {'B': X}",
            "node_modules/x": "NODE_CLASS_MAPPINGS = {'NM': X}",
            ".hidden/x": "NODE_CLASS_MAPPINGS = {'H': X}",
        },
    )
    assert names_of(pack) == {"A", "B", "I"}


def test_what_cannot_be_read_is_listed(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "broken": "NODE_CLASS_MAPPINGS = {",
            "deep": "NODE_CLASS_MAPPINGS = " + "(" * 5000,
            "good": "NODE_CLASS_MAPPINGS = {'A': X}",
            "huge": "NODE_CLASS_MAPPINGS = {'H': X} # " + "x" * LARGEST_FILE,
            "zero": "NODE_CLASS_MAPPINGS = {'Z': X}\0",
        },
    )
    found = scan_node_classes(tmp_path)
    assert set(found.classes) == {"A"}
    names = {each.path.name: each.reason for each in found.skipped}
    assert set(names) == {"broken.py", "deep.py", "huge.py", "zero.py"}
    assert names["huge.py"] == "it is larger than 4 MiB"


def test_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    source = f"open({os.fspath(mark)!r}, 'w')\nNODE_CLASS_MAPPINGS = {{'A': 1}}"
    assert names_of(write(tmp_path / "pack", {"__init__": source})) == {"A"}
    assert not mark.exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"nodes": "NODE_CLASS_MAPPINGS = {'A': X}"})
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "file.py").symlink_to(outside / "nodes.py")
    (pack / "folder").symlink_to(outside, target_is_directory=True)
    assert names_of(pack) == set()


def test_an_absent_folder_has_none(tmp_path: Path) -> None:
    assert names_of(tmp_path / "absent") == set()


def test_the_core_is_read_from_its_places(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "nodes": "NODE_CLASS_MAPPINGS = {'A': X}",
            "comfy_extras/nodes_b": "NODE_CLASS_MAPPINGS = {'B': X}",
            "comfy_api_nodes/nodes_c": "def f():\n  return IO.Schema(node_id='C')",
            "custom_nodes/pack": "NODE_CLASS_MAPPINGS = {'D': X}",
        },
    )
    assert set(core_node_classes(tmp_path).classes) == {"A", "B", "C"}
    assert core_node_classes(tmp_path / "absent").classes == {}
