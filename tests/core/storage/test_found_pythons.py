from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.storage.found_pythons import FoundPythons


def found_in(place: Path, path: str = "bin") -> FoundPythons:
    folders = os.pathsep.join(str(place / name) for name in path.split())
    variables = {"PATH": folders, "XDG_DATA_HOME": str(place), "APPDATA": str(place)}
    return FoundPythons(place / "kept.json", variables)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "python3.11").write_bytes(b"eleven")
    (tmp_path / "python3.12").write_bytes(b"twelve")
    found_in(tmp_path).keep("3.11", tmp_path / "python3.11")
    return tmp_path


def known(place: Path, path: str = "bin") -> list[str]:
    found = map(found_in(place, path).get, ("3.11", "3.12"))
    return [path.name for path in found if path]


def test_what_was_found_is_known_until_something_else_could_be(place: Path) -> None:
    found_in(place).keep("3.12", place / "python3.12")
    assert known(place) == ["python3.11", "python3.12"]
    assert known(place, "bin other") == []
    found_in(place, "other").keep("3.12", place / "python3.12")
    assert known(place, "other") == ["python3.12"]


def newer(path: Path) -> None:
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


def fetched(place: Path) -> None:
    for name in ("uv/python", "uv/data/python"):
        (place / name).mkdir(parents=True)


CHANGES: dict[str, Callable[[Path], object]] = {
    "the interpreter is gone": lambda place: (place / "python3.11").unlink(),
    "another lies in its place": lambda place: (place / "python3.11").write_bytes(b"11"),
    "it was written again": lambda place: newer(place / "python3.11"),
    "a folder of PATH changed": lambda place: newer(place / "bin"),
    "a folder of PATH is gone": lambda place: (place / "bin").rmdir(),
    "uv has fetched one": fetched,
    "the file is nobody's": lambda place: (place / "kept.json").write_bytes(b'{"pythons": [1]}'),
    "the file is gone": lambda place: (place / "kept.json").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_forgotten_when(place: Path, change: str) -> None:
    assert known(place) == ["python3.11"]
    CHANGES[change](place)
    assert known(place) == []


def test_a_file_that_cannot_be_written_is_no_failure(place: Path) -> None:
    (place / "kept.json").unlink()
    (place / "kept.json").mkdir()
    found_in(place).keep("3.11", place / "python3.11")
    assert known(place) == []
