from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comfydock_core.events import Event, ItemFinished, ItemProgress, ItemStarted, SilentReporter
from comfydock_core.storage.hashing import full_hashes
from comfydock_core.storage.model_index import ModelIndex

from tests.core.storage.model_files import MIB, Recorder, roots, write_model, write_sparse


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ModelIndex]:
    with ModelIndex(tmp_path / "index.db") as index:
        yield index


class _Interrupter:
    """Presses Ctrl-C at the first event for which ``is_time``."""

    def __init__(self, is_time: Callable[[Event], bool]) -> None:
        self._is_time = is_time
        self.event: Event | None = None

    def report(self, event: Event) -> None:
        if self.event is None and self._is_time(event):
            self.event = event
            raise KeyboardInterrupt


def _interrupt(index: ModelIndex, library: Path, is_time: Callable[[Event], bool]) -> _Interrupter:
    interrupter = _Interrupter(is_time)
    with pytest.raises(KeyboardInterrupt):
        index.scan(roots(library), interrupter)
    return interrupter


def _is_digested(event: Event) -> bool:
    return isinstance(event, ItemFinished) and event.item.endswith(".safetensors")


def test_an_interrupted_scan_goes_on_from_there(index: ModelIndex, library: Path) -> None:
    for number in range(200):
        write_model(library / "loras" / f"{number}.safetensors", b"%d" % number)
    _interrupt(index, library, lambda event: isinstance(event, ItemProgress) and event.done > 200)
    kept = len(index.all())
    assert 64 <= kept < 200
    recorder = Recorder()
    result = index.scan(roots(library), recorder)
    assert (result.added, result.removed, result.unchanged) == (200 - kept, 0, kept)
    assert [event.detail for event in recorder.events if isinstance(event, ItemFinished)] == [
        f"{200 - kept} files"
    ]
    assert index.scan(roots(library), SilentReporter()).unchanged == 200


def test_what_an_interrupted_scan_kept_is_what_a_whole_one_finds(
    index: ModelIndex, library: Path, tmp_path: Path
) -> None:
    for number in range(150):
        write_model(library / f"{number}.safetensors", b"%d" % (number % 100))
    _interrupt(index, library, lambda event: isinstance(event, ItemProgress))
    index.scan(roots(library), SilentReporter())
    with ModelIndex(tmp_path / "whole.db") as whole:
        whole.scan(roots(library), SilentReporter())
        assert [(model.relative_path, model.hash) for model in index.all()] == [
            (model.relative_path, model.hash) for model in whole.all()
        ]


def test_digests_that_were_finished_are_not_computed_again(
    index: ModelIndex, library: Path
) -> None:
    for pair in (4, 5):
        for side in (1, 2):
            path = library / f"{pair}-{side}.safetensors"
            write_sparse(path, pair * MIB, bytes([side]) * 4096)
    interrupter = _interrupt(index, library, _is_digested)
    assert isinstance(interrupter.event, ItemFinished)
    (digested,) = index.by_relative_path(interrupter.event.item)
    assert digested.blake3_hash == full_hashes(Path(digested.path)).blake3
    recorder = Recorder()
    index.scan(roots(library), recorder)
    read = {event.item for event in recorder.events if isinstance(event, ItemStarted)}
    assert len(read & {path.name for path in library.iterdir()}) == 3
    assert digested.relative_path not in read
    assert len({model.hash for model in index.all()}) == 4


def test_a_moved_model_keeps_its_key_when_its_scan_is_interrupted(
    index: ModelIndex, library: Path
) -> None:
    first = write_sparse(library / "a.safetensors", 4 * MIB, b"\x01" * 4096)
    index.scan(roots(library), SilentReporter())
    (before,) = index.all()
    index.add_source(before.hash, "custom", "https://h.example.com/a")
    first.rename(library / "z.safetensors")
    for name, byte in (("a", b"\x02"), ("b", b"\x03")):
        write_sparse(library / f"{name}.safetensors", 4 * MIB, byte * 4096)
    _interrupt(index, library, _is_digested)
    (moved,) = index.by_filename("z.safetensors")
    assert moved.hash == before.hash
    index.scan(roots(library), SilentReporter())
    assert len({model.hash for model in index.all()}) == 3
    for model in index.all():
        assert model.blake3_hash == full_hashes(Path(model.path)).blake3
    assert index.get_model_sources(moved.hash) == ("https://h.example.com/a",)
