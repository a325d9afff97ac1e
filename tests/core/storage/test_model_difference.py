from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comfydock_core.domain.models import ModelRoot
from comfydock_core.events import SilentReporter
from comfydock_core.storage.hashing import short_hash
from comfydock_core.storage.model_difference import compare
from comfydock_core.storage.model_index import ModelIndex
from comfydock_core.storage.model_walk import walk_models

from tests.core.storage.model_files import Recorder, roots, write_model

NAMES = ("loras/a.safetensors", "loras/b.safetensors", "vae/c.safetensors", "vae/in/d.safetensors")
YEAR = 365 * 24 * 3600 * 10**9


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name in NAMES:
        write_model(tmp_path / "models" / name, name.encode())
    return tmp_path / "models"


@pytest.fixture
def index(tmp_path: Path, library: Path) -> Iterator[ModelIndex]:
    with ModelIndex(tmp_path / "index.db") as index:
        index.scan(roots(library), SilentReporter())
        yield index


def _difference(index: ModelIndex, *chosen: ModelRoot) -> dict[str, list[str]]:
    """Return what is different by kind, as the names of the files and folders."""
    with index.session() as connection:
        found = compare(connection, walk_models(chosen))
    kinds = {"added": found.added, "changed": found.changed, "removed": found.removed}
    named = {kind: sorted(name for _, name in places) for kind, places in kinds.items() if places}
    stale = sorted(Path(listing.path).name for listing in found.stale)
    return {**named, **({"stale": stale} if stale else {})}


def _replace(path: Path) -> None:
    """Put another file of the same size and time in its place."""
    status = path.stat()
    other = write_model(path.with_name("other"), b"x" * status.st_size)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def _set_time(path: Path, change: int) -> None:
    mtime = path.stat().st_mtime_ns + change
    os.utime(path, ns=(mtime, mtime))


def _swap(path: Path) -> None:
    aside, other = path.with_name("aside"), path.with_name("b.safetensors")
    path.rename(aside)
    other.rename(path)
    aside.rename(other)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda path: None, {}),
        (lambda path: write_model(path.with_name("notes.txt")), {}),
        (_replace, {"changed": ["a.safetensors"], "stale": ["loras"]}),
        (lambda path: _set_time(path, 1), {"changed": ["a.safetensors"], "stale": ["loras"]}),
        (
            lambda path: _set_time(path, 5 * YEAR),
            {"changed": ["a.safetensors"], "stale": ["loras"]},
        ),
        (lambda path: _set_time(path, -YEAR), {"changed": ["a.safetensors"], "stale": ["loras"]}),
        (_swap, {"changed": ["a.safetensors", "b.safetensors"], "stale": ["loras"]}),
        (lambda path: path.unlink(), {"removed": ["a.safetensors"], "stale": ["loras"]}),
        (
            lambda path: path.rename(path.with_name("A.safetensors")),
            {"added": ["A.safetensors"], "removed": ["a.safetensors"], "stale": ["loras"]},
        ),
        (
            lambda path: path.parent.rename(path.parent.with_name("lora")),
            {
                "added": ["a.safetensors", "b.safetensors"],
                "removed": ["a.safetensors", "b.safetensors"],
                "stale": ["lora"],
            },
        ),
    ],
)
def test_a_change_is_seen_and_nothing_else(
    index: ModelIndex,
    library: Path,
    act: Callable[[Path], object],
    expected: dict[str, list[str]],
) -> None:
    act(library / "loras" / "a.safetensors")
    assert _difference(index, *roots(library)) == expected
    index.scan(roots(library), SilentReporter())
    assert _difference(index, *roots(library)) == {}


def test_a_time_in_the_future_is_a_time(index: ModelIndex, library: Path) -> None:
    path = library / "loras" / "a.safetensors"
    _set_time(path, 5 * YEAR)
    index.scan(roots(library), SilentReporter())
    write_model(path, b"rewritten with the clock of today")
    assert _difference(index, *roots(library))["changed"] == ["a.safetensors"]
    index.scan(roots(library), SilentReporter())
    assert index.by_filename("a.safetensors")[0].hash == short_hash(path)


def test_another_category_reads_no_file_again(index: ModelIndex, library: Path) -> None:
    index.scan(roots(library / "vae"), SilentReporter())
    categorised = ModelRoot(path=str(library / "vae"), category="vae")
    assert _difference(index, categorised) == {"stale": ["in", "vae"]}
    recorder = Recorder()
    assert index.scan([categorised], recorder).unchanged == 2
    assert recorder.events == []
    assert [model.relative_path for model in index.all()] == list(NAMES[2:])


def test_a_file_that_was_kept_unseen_is_looked_for_in_the_next_scan(
    index: ModelIndex, library: Path, tmp_path: Path
) -> None:
    disk = write_model(tmp_path / "disk" / "far.safetensors", b"far")
    (library / "loras" / "link.safetensors").symlink_to(disk)
    index.scan(roots(library), SilentReporter())
    disk.rename(tmp_path / "unplugged")
    for _ in range(2):
        assert index.scan(roots(library), SilentReporter()).removed == 0
        assert _difference(index, *roots(library)) == {"stale": ["loras"]}
    (library / "loras" / "link.safetensors").unlink()
    assert index.scan(roots(library), SilentReporter()).removed == 1
    assert _difference(index, *roots(library)) == {}
