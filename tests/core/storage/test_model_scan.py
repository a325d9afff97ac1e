from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfydock_core.events import Event, ItemFinished, ItemStarted, SilentReporter
from comfydock_core.storage.hashing import full_hashes, short_hash
from comfydock_core.storage.model_index import ModelIndex
from comfydock_core.storage.model_scan import ScanResult

from tests.core.storage.model_files import (
    MIB,
    Recorder,
    roots,
    touch,
    write_model,
    write_sparse,
    write_twins,
)

COUNTS = ("added", "changed", "removed", "unchanged")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ModelIndex]:
    with ModelIndex(tmp_path / "index.db") as index:
        yield index


def _scan(index: ModelIndex, *directories: Path) -> ScanResult:
    return index.scan(roots(*directories), SilentReporter())


def _counts(result: ScanResult) -> tuple[int, ...]:
    return tuple(getattr(result, name) for name in COUNTS)


def _keys(index: ModelIndex) -> dict[str, str]:
    return {model.relative_path: model.hash for model in index.all()}


def test_a_rescan_touches_only_what_changed(index: ModelIndex, library: Path) -> None:
    for name in "abcd":
        write_model(library / "loras" / f"{name}.safetensors", name.encode())
    assert _counts(_scan(index, library)) == (4, 0, 0, 0)
    assert _counts(_scan(index, library)) == (0, 0, 0, 4)
    (library / "loras" / "a.safetensors").unlink()
    write_model(library / "loras" / "b.safetensors", b"other")
    write_model(library / "vae" / "e.safetensors", b"e")
    recorder = Recorder()
    assert _counts(index.scan(roots(library), recorder)) == (1, 1, 1, 2)
    read = [event.detail for event in recorder.events if isinstance(event, ItemFinished)]
    assert read == ["2 files"]
    assert _counts(_scan(index, library)) == (0, 0, 0, 4)
    assert _keys(index) == {
        str(path.relative_to(library).as_posix()): short_hash(path)
        for path in library.rglob("*.safetensors")
    }


def test_an_unchanged_rescan_reads_no_file(index: ModelIndex, library: Path) -> None:
    write_model(library / "a.safetensors")
    _scan(index, library)
    recorder = Recorder()
    index.scan(roots(library), recorder)
    assert [event for event in recorder.events if isinstance(event, ItemFinished)] == []


def test_what_is_being_written_leaves_the_index_until_it_is_whole(
    index: ModelIndex, library: Path
) -> None:
    write_model(library / "a.safetensors")
    _scan(index, library)
    mark = write_model(library / "a.safetensors.aria2")
    result = _scan(index, library)
    assert _counts(result) == (0, 0, 1, 0)
    assert [item.path for item in result.skipped] == [str(library / "a.safetensors")]
    mark.unlink()
    assert _counts(_scan(index, library)) == (1, 0, 0, 0)


def test_a_disk_that_is_not_plugged_in_is_not_forgotten(
    index: ModelIndex, library: Path, tmp_path: Path
) -> None:
    write_model(library / "a.safetensors", b"a")
    disk = tmp_path / "disk"
    write_model(disk / "b.safetensors", b"b")
    _scan(index, library, disk)
    disk.rename(tmp_path / "unplugged")
    result = _scan(index, library, disk)
    assert _counts(result) == (0, 0, 0, 1)
    assert [item.path for item in result.skipped] == [str(disk)]
    (model,) = index.by_filename("b.safetensors")
    assert index.get_model(model.hash) is None
    (tmp_path / "unplugged").rename(disk)
    assert _counts(_scan(index, library, disk)) == (0, 0, 0, 2)
    assert index.get_model(model.hash) == model


def test_a_directory_that_left_the_library_is_forgotten(
    index: ModelIndex, library: Path, tmp_path: Path
) -> None:
    write_model(library / "a.safetensors", b"a")
    write_model(tmp_path / "more" / "b.safetensors", b"b")
    _scan(index, library, tmp_path / "more")
    assert _counts(_scan(index, library)) == (0, 0, 1, 1)
    assert list(_keys(index)) == ["a.safetensors"]


@pytest.mark.parametrize("later", [False, True])
def test_twins_are_two_models(index: ModelIndex, library: Path, later: bool) -> None:
    first, second = write_twins(library / "checkpoints", 120 * MIB, 5 * MIB)
    if later:
        aside = second.rename(library.parent / "aside")
        _scan(index, library)
        aside.rename(second)
    _scan(index, library)
    keys = _keys(index)
    short = short_hash(first)
    assert keys == {
        "checkpoints/first.safetensors": short,
        "checkpoints/second.safetensors": full_hashes(second).blake3[:32],
    }
    for path, key in (
        (first, keys["checkpoints/first.safetensors"]),
        (second, list(keys.values())[1]),
    ):
        (model,) = index.locations(key)
        assert (model.path, model.blake3_hash) == (str(path), full_hashes(path).blake3)
    assert {model.path for model in index.by_short_hash(short)} == {str(first), str(second)}


def test_copies_are_one_model_and_triplets_find_their_own(index: ModelIndex, library: Path) -> None:
    first, second = write_twins(library)
    write_model(library / "copies" / "first.safetensors", first.read_bytes())
    write_model(library / "copies" / "second.safetensors", second.read_bytes())
    _scan(index, library)
    keys = _keys(index)
    assert keys["first.safetensors"] == keys["copies/first.safetensors"]
    assert keys["second.safetensors"] == keys["copies/second.safetensors"]
    third = write_sparse(library / "third.safetensors", 4 * MIB, b"\x03" * 4096)
    _scan(index, library)
    assert len(set(_keys(index).values())) == 3
    assert short_hash(third) in _keys(index).values()


def test_a_renamed_or_linked_file_is_known_without_reading_it_in_full(
    index: ModelIndex, library: Path
) -> None:
    first, _ = write_twins(library)
    _scan(index, library)
    before = _keys(index)
    first.rename(library / "renamed.safetensors")
    os.link(library / "renamed.safetensors", library / "hard.safetensors")
    (library / "soft.safetensors").symlink_to(library / "renamed.safetensors")
    recorder = Recorder()
    assert _counts(index.scan(roots(library), recorder)) == (3, 0, 1, 1)
    assert [e.item for e in recorder.events if isinstance(e, ItemFinished)] == ["new model files"]
    after = _keys(index)
    assert after["second.safetensors"] == before["second.safetensors"]
    assert {after[f"{name}.safetensors"] for name in ("renamed", "hard", "soft")} == {
        before["first.safetensors"]
    }


def test_a_twin_in_the_place_of_a_renamed_file_is_not_taken_for_it(
    index: ModelIndex, library: Path
) -> None:
    first, second = write_twins(library)
    aside = second.rename(library.parent / "aside")
    _scan(index, library)
    key = _keys(index)["first.safetensors"]
    first.rename(library / "renamed.safetensors")
    aside.rename(first)
    _scan(index, library)
    keys = _keys(index)
    assert keys["renamed.safetensors"] == key
    assert keys["first.safetensors"] == full_hashes(first).blake3[:32]


def test_a_twin_of_a_file_on_an_absent_disk_is_not_taken_for_it(
    index: ModelIndex, library: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    _, second = write_twins(disk)
    aside = second.rename(tmp_path / "aside")
    library.mkdir()
    _scan(index, library, disk)
    key = _keys(index)["first.safetensors"]
    disk.rename(tmp_path / "unplugged")
    aside.rename(library / "second.safetensors")
    _scan(index, library, disk)
    assert _keys(index) == {
        "first.safetensors": key,
        "second.safetensors": full_hashes(library / "second.safetensors").blake3[:32],
    }


class _Writer:
    """Writes to a file as soon as the scan says that it will read ``item``."""

    def __init__(self, item: str, path: Path) -> None:
        self._item, self._path = item, path

    def report(self, event: Event) -> None:
        if isinstance(event, ItemStarted) and event.item == self._item:
            touch(self._path, 60)


@pytest.mark.parametrize(
    ("item", "name"),
    [("new model files", "alone.safetensors"), ("second.safetensors", "second.safetensors")],
)
def test_a_file_that_changes_during_the_scan_waits_for_the_next(
    index: ModelIndex, library: Path, item: str, name: str
) -> None:
    write_twins(library)
    write_model(library / "alone.safetensors")
    result = index.scan(roots(library), _Writer(item, library / name))
    everything = {"alone.safetensors", "first.safetensors", "second.safetensors"}
    assert set(_keys(index)) == everything - {name}
    assert [(skipped.path, skipped.reason) for skipped in result.skipped] == [
        (str(library / name), "changed while it was read")
    ]
    assert _counts(_scan(index, library)) == (1, 0, 0, 2)
    assert len(set(_keys(index).values())) == 3


def test_a_touched_file_stays_the_model_it_was(index: ModelIndex, library: Path) -> None:
    path = write_model(library / "a.safetensors")
    _scan(index, library)
    key = _keys(index)["a.safetensors"]
    index.add_source(key, "custom", "https://models.example.com/a")
    touch(path, 60)
    assert _counts(_scan(index, library)) == (0, 1, 0, 0)
    index.update_model_hashes(key, index.calculate_full_hashes(key))
    touch(path, 60)
    _scan(index, library)
    assert _keys(index) == {"a.safetensors": key}
    assert index.get_model_sources(key) == ("https://models.example.com/a",)


def test_a_file_whose_middle_was_rewritten_is_another_model_once_its_digest_was_known(
    index: ModelIndex, library: Path
) -> None:
    first, second = write_twins(library)
    content = second.read_bytes()
    second.unlink()
    _scan(index, library)
    key = _keys(index)["first.safetensors"]
    index.update_model_hashes(key, index.calculate_full_hashes(key))
    first.write_bytes(content)
    touch(first, 60)
    _scan(index, library)
    (model,) = index.all()
    assert model.blake3_hash == full_hashes(first).blake3
    assert model.hash == model.blake3_hash[:32]


def test_a_source_outlives_its_file(index: ModelIndex, library: Path) -> None:
    path = write_model(library / "a.safetensors")
    _scan(index, library)
    (model,) = index.all()
    index.add_source(model.hash, "custom", "https://models.example.com/a")
    path.unlink()
    _scan(index, library)
    assert index.all() == ()
    write_model(path)
    _scan(index, library)
    assert index.get_model_sources(model.hash) == ("https://models.example.com/a",)


SCAN = """
import json, sys
from pathlib import Path
from comfydock_core.domain.models import ModelRoot
from comfydock_core.events import SilentReporter
from comfydock_core.storage.model_index import ModelIndex
sys.stdin.readline()
with ModelIndex(Path(sys.argv[1])) as index:
    for _ in range(3):
        index.scan([ModelRoot(path=sys.argv[2])], SilentReporter())
    print(json.dumps({model.relative_path: model.hash for model in index.all()}))
"""


def test_processes_that_scan_at_once_all_succeed(tmp_path: Path, library: Path) -> None:
    write_twins(library)
    for number in range(200):
        write_model(library / "loras" / f"{number}.safetensors", b"%d" % number)
    command = [sys.executable, "-c", SCAN, str(tmp_path / "index.db"), str(library)]
    scans = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for scan in scans:
        assert scan.stdin is not None
        scan.stdin.write("go\n")
        scan.stdin.flush()
    answers = [scan.communicate(timeout=60)[0] for scan in scans]
    assert [scan.returncode for scan in scans] == [0, 0, 0]
    with ModelIndex(tmp_path / "alone.db") as alone:
        _scan(alone, library)
        expected = _keys(alone)
    assert [json.loads(answer) for answer in answers] == [expected] * 3
    assert len(expected) == 202
