from __future__ import annotations

import random
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.storage.foreign_hashes import has_foreign_hash, is_foreign_key

from tests.core.storage.model_files import MIB, write_model

# Files of the sample bundles: seed, size, and the key that each of the two tools gave them.
SAMPLES = [
    (1, 3_000_000, "04d7aa7fce18e211", "9b36f1a09e10c433"),
    (2, 2_000_000, "1e22c8b625c24d9a", "4ef5604a2591925e"),
    (3, 1_500_000, "28c11f46dc2d01ce", "9b136a63e4fc915c"),
    (5, 1_000_000, "5d1e61c55f1b6622", "d1c4aeb9bc44e8c8"),
]


def write_marked(path: Path, size: int) -> Path:
    """Write zeros with a word at the beginning, in the middle and at the end."""
    with open(path, "wb") as file:
        file.truncate(size)
        for place, word in ((0, b"head"), (size // 2, b"middle"), (size - 4, b"tail")):
            file.seek(place)
            file.write(word)
    return path


@pytest.mark.parametrize(("seed", "size", "dock", "git"), SAMPLES)
def test_the_files_of_the_sample_bundles_are_known_by_both_keys(
    tmp_path: Path, seed: int, size: int, dock: str, git: str
) -> None:
    content = random.Random(seed).randbytes(size)
    path = write_model(tmp_path / "renamed.safetensors", content)
    assert has_foreign_hash(path, dock)
    assert has_foreign_hash(path, git)
    other = write_model(tmp_path / "other.safetensors", content[:-1] + b"?")
    assert not has_foreign_hash(other, dock)
    assert not has_foreign_hash(other, git)


@pytest.mark.parametrize(
    ("size", "dock", "git"),
    # What comfydock-core 1.0.11 and comfygit-core 0.7.1 give for these files.
    [
        (30 * MIB, "8a7b19ad5a94d8c5", "4b768cbb7a940836"),
        (30 * MIB + 1, "ec5214586bde58d1", "0959822c0913144f"),
        (40 * MIB + 1, "cc55d3ac8fe279d8", "1986e0ab60ef7359"),
    ],
)
def test_large_files_are_sampled_as_those_tools_do(
    tmp_path: Path, size: int, dock: str, git: str
) -> None:
    path = write_marked(tmp_path / "large.safetensors", size)
    assert has_foreign_hash(path, dock)
    assert has_foreign_hash(path, git)


def test_a_small_file_has_both_keys_too(tmp_path: Path) -> None:
    path = write_marked(tmp_path / "small.safetensors", 100)
    assert has_foreign_hash(path, "1396f72746e96b86")
    assert has_foreign_hash(path, "834b449acc597da2")


def test_what_cannot_be_read_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="gone"):
        has_foreign_hash(tmp_path / "gone.safetensors", "0" * 16)


@pytest.mark.parametrize(
    ("key", "expected"),
    [("04d7aa7fce18e211", True), ("0" * 15, False), ("0" * 32, False), ("0" * 64, False)],
)
def test_their_keys_are_told_from_ours(key: str, expected: bool) -> None:
    assert is_foreign_key(key) is expected
