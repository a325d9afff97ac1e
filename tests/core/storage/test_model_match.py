from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.events import SilentReporter
from comfydock_core.storage.hashing import full_hashes, short_hash
from comfydock_core.storage.model_index import ModelIndex
from comfydock_core.storage.model_match import identify

from tests.core.storage.model_files import (
    KIB,
    MIB,
    roots,
    touch,
    write_model,
    write_sparse,
    write_twins,
)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ModelIndex]:
    with ModelIndex(tmp_path / "index.db") as index:
        yield index


def _manifest_of(path: Path) -> ManifestModel:
    hashes = full_hashes(path)
    return ManifestModel(
        hash=short_hash(path),
        filename=path.name,
        size=hashes.size,
        relative_path=f"checkpoints/{path.name}",
        category="checkpoints",
        blake3_hash=hashes.blake3,
        sha256_hash=hashes.sha256,
    )


def _found(model: ManifestModel, index: ModelIndex) -> tuple[str, str] | None:
    match = identify(model, index)
    return (match.kind, match.model.filename) if match else None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("verified", "local.safetensors")),
        ({"sha256_hash": ""}, ("verified", "local.safetensors")),
        ({"blake3_hash": ""}, ("verified", "local.safetensors")),
        ({"hash": "0123456789abcdef"}, ("verified", "local.safetensors")),
        ({"hash": ""}, ("verified", "local.safetensors")),
        ({"blake3_hash": "0" * 64}, None),
        ({"sha256_hash": "0" * 64}, None),
        ({"size": 8}, None),
        ({"blake3_hash": "", "sha256_hash": ""}, ("probable", "local.safetensors")),
        ({"blake3_hash": "", "sha256_hash": "", "hash": "0123456789abcdef"}, None),
        (
            {"blake3_hash": "", "sha256_hash": "", "filename": "other.safetensors"},
            ("probable", "local.safetensors"),
        ),
        (
            {"blake3_hash": "", "sha256_hash": "", "hash": "", "filename": "other.safetensors"},
            None,
        ),
        ({"blake3_hash": "", "sha256_hash": "", "size": 8}, None),
    ],
)
def test_only_an_equal_digest_is_a_proof(
    index: ModelIndex,
    library: Path,
    changes: dict[str, Any],
    expected: tuple[str, str] | None,
) -> None:
    path = write_model(library / "loras" / "local.safetensors")
    write_model(library / "loras" / "same-size.safetensors", b"stronge")
    index.scan(roots(library), SilentReporter())
    assert _found(replace(_manifest_of(path), **changes), index) == expected


def test_digests_in_upper_case_are_the_same_digests(index: ModelIndex, library: Path) -> None:
    path = write_model(library / "a.safetensors")
    index.scan(roots(library), SilentReporter())
    model = _manifest_of(path)
    upper = replace(
        model, blake3_hash=model.blake3_hash.upper(), sha256_hash=model.sha256_hash.upper()
    )
    for _ in range(2):
        assert _found(upper, index) == ("verified", "a.safetensors")


def test_a_twin_is_never_taken_for_the_model(index: ModelIndex, library: Path) -> None:
    wanted, twin = write_twins(library)
    model = _manifest_of(wanted)
    wanted.unlink()
    index.scan(roots(library), SilentReporter())
    assert _found(model, index) is None
    without_digests = replace(model, blake3_hash="", sha256_hash="")
    assert _found(without_digests, index) == ("probable", twin.name)


def test_each_twin_is_found_when_both_are_here(index: ModelIndex, library: Path) -> None:
    twins = write_twins(library)
    index.scan(roots(library), SilentReporter())
    for path in twins:
        assert _found(_manifest_of(path), index) == ("verified", path.name)
    key = index.by_filename(twins[1].name)[0].hash
    assert key == full_hashes(twins[1]).blake3[:32]
    assert _found(replace(_manifest_of(twins[1]), hash=key), index) == ("verified", twins[1].name)


@pytest.mark.parametrize(
    ("size", "offset", "differing"),
    [
        (120 * MIB, 57 * MIB, 5 * MIB),
        (12 * MIB, 0, 4 * KIB),
        (12 * MIB, 256 * KIB, 4 * KIB),
        (12 * MIB, 3 * MIB + 16 * KIB, 4 * KIB),
        (12 * MIB, 6 * MIB, 4 * KIB),
        (12 * MIB, 12 * MIB - 64 * KIB - 4 * KIB, 4 * KIB),
        (12 * MIB, 12 * MIB - 4 * KIB, 4 * KIB),
        (64 * KIB, 32 * KIB, 4 * KIB),
    ],
)
def test_twins_are_told_apart_wherever_they_differ(
    index: ModelIndex, library: Path, size: int, offset: int, differing: int
) -> None:
    paths = [library / "loras" / name for name in ("one.safetensors", "two.safetensors")]
    for byte, path in zip(b"\x01\x02", paths, strict=True):
        write_sparse(path, size)
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(bytes([byte]) * differing)
    models = [_manifest_of(path) for path in paths]
    index.scan(roots(library), SilentReporter())
    assert len({local.hash for local in index.all()}) == 2
    assert [_found(model, index) for model in models] == [("verified", path.name) for path in paths]
    paths[0].unlink()
    index.scan(roots(library), SilentReporter())
    assert [_found(model, index) for model in models] == [None, ("verified", paths[1].name)]


def test_a_file_is_read_in_full_once(index: ModelIndex, library: Path) -> None:
    path = write_model(library / "a.safetensors")
    index.scan(roots(library), SilentReporter())
    read: list[int] = []
    for _ in range(2):
        match = identify(_manifest_of(path), index, read.append)
        assert match is not None
        assert match.model.sha256_hash == full_hashes(path).sha256
    assert read == [7]


def test_files_of_the_same_size_are_not_read_when_their_samples_differ(
    index: ModelIndex, library: Path, tmp_path: Path
) -> None:
    write_model(library / "a.safetensors", b"1234567")
    index.scan(roots(library), SilentReporter())
    read: list[int] = []
    assert identify(_manifest_of(write_model(tmp_path / "b.bin")), index, read.append) is None
    assert read == []


@pytest.mark.parametrize("with_digests", [True, False])
def test_a_file_that_changed_since_the_scan_is_not_claimed(
    index: ModelIndex, library: Path, with_digests: bool
) -> None:
    path = write_model(library / "a.safetensors")
    index.scan(roots(library), SilentReporter())
    model = _manifest_of(path)
    assert _found(model, index) == ("verified", "a.safetensors")
    write_model(path, b"strange")
    touch(path, 60)
    if not with_digests:
        model = replace(model, blake3_hash="", sha256_hash="")
    assert _found(model, index) is None
