from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.errors import NotFoundError, StorageError
from comfydock_core.events import SilentReporter
from comfydock_core.storage.hashing import FullHashes, full_hashes, short_hash
from comfydock_core.storage.model_index import ModelIndex

from tests.core.storage.model_files import MIB, roots, touch, write_model, write_sparse

FILES = ("a.safetensors", "b.safetensors", "c.safetensors")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for number, name in enumerate(FILES, 1):
        write_sparse(tmp_path / "models" / name, 4 * MIB + number, b"weights")
    return tmp_path / "models"


@pytest.fixture
def index(tmp_path: Path, library: Path) -> Iterator[ModelIndex]:
    with ModelIndex(tmp_path / "index.db") as index:
        index.scan(roots(library), SilentReporter())
        yield index


def _model(index: ModelIndex, name: str) -> ModelWithLocation:
    (model,) = index.by_filename(name)
    return model


def _alter(path: Path) -> None:
    """Change a byte that no sample sees, and nothing that a scan looks at."""
    status = path.stat()
    with open(path, "r+b") as file:
        file.seek((256 * 1024 + status.st_size - 64 * 1024) // 2)
        file.write(b"W")
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))


def test_several_models_get_their_digests_at_once(index: ModelIndex, library: Path) -> None:
    keys = [short_hash(library / name) for name in FILES]
    index.update_model_hashes(keys[0], index.calculate_full_hashes(keys[0]))
    read: dict[str, int] = {}

    def progress(model: ModelWithLocation, done: int) -> None:
        read[model.filename] = done

    found = dict(index.digest_many([*keys, keys[1]], progress))
    assert found == {
        key: full_hashes(library / name) for key, name in zip(keys, FILES, strict=True)
    }
    assert read == {name: (library / name).stat().st_size for name in FILES[1:]}
    assert all(_model(index, name).sha256_hash for name in FILES)


def test_what_cannot_be_digested_is_said_and_the_others_go_on(
    index: ModelIndex, library: Path
) -> None:
    keys = [short_hash(library / name) for name in FILES]
    (library / FILES[0]).unlink()
    found = dict(index.digest_many([*keys, "0" * 32]))
    assert isinstance(found[keys[0]], NotFoundError)
    assert isinstance(found["0" * 32], NotFoundError)
    assert found[keys[2]] == full_hashes(library / FILES[2])


def test_a_file_that_changes_meanwhile_gives_no_digests(index: ModelIndex, library: Path) -> None:
    key = short_hash(library / FILES[0])

    def change(_: ModelWithLocation, done: int) -> None:
        if done > 4 * MIB:
            touch(library / FILES[0], 60)

    (outcome,) = dict(index.digest_many([key], change)).values()
    assert isinstance(outcome, StorageError)
    assert _model(index, FILES[0]).blake3_hash == ""


def test_digests_that_are_finished_are_kept_when_nobody_wants_the_others(
    index: ModelIndex, library: Path
) -> None:
    outcomes = index.digest_many(short_hash(library / name) for name in FILES)
    key, hashes = next(outcomes)
    outcomes.close()
    assert isinstance(hashes, FullHashes)
    assert index.locations(key)[0].blake3_hash == hashes.blake3


def test_a_file_that_decayed_is_found(index: ModelIndex, library: Path) -> None:
    for _ in index.digest_many(short_hash(library / name) for name in FILES[:2]):
        pass
    before = index.all()
    _alter(library / FILES[0])
    assert index.scan(roots(library), SilentReporter()).unchanged == 3
    write_model(library / FILES[2], b"something else")
    verdicts = {model.filename: verdict for model, verdict in index.verify(index.all())}
    assert verdicts == dict(zip(FILES, ("different", "intact", "different"), strict=True))
    assert index.all() == before


def test_a_model_without_digests_is_compared_by_its_samples_and_has_them_then(
    index: ModelIndex, library: Path
) -> None:
    model = _model(index, FILES[0])
    assert list(index.verify([model])) == [(model, "unproven")]
    known = _model(index, FILES[0])
    assert known.blake3_hash == full_hashes(library / FILES[0]).blake3
    assert list(index.verify([model])) == [(model, "intact")]
    touch(library / FILES[1], 60)
    assert list(index.verify([_model(index, FILES[1])])) == [(_model(index, FILES[1]), "unproven")]
    assert _model(index, FILES[1]).blake3_hash == ""


def test_a_file_that_is_gone_cannot_be_verified(index: ModelIndex, library: Path) -> None:
    model = _model(index, FILES[0])
    (library / FILES[0]).unlink()
    ((_, verdict),) = index.verify([model])
    assert isinstance(verdict, StorageError)
