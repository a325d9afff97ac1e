from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.errors import NotFoundError, StorageError
from comfydock_core.events import SilentReporter
from comfydock_core.storage.hashing import FullHashes, full_hashes, short_hash
from comfydock_core.storage.model_index import ModelIndex

from tests.core.storage.model_files import roots, touch, write_model

FILES = {
    "checkpoints/sd15.safetensors": b"sd15",
    "checkpoints/xl/100%_real.ckpt": b"real model",
    "loras/style_a.safetensors": b"style",
    "loras/copy.safetensors": b"sd15",
    "top.gguf": b"top of all",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        write_model(tmp_path / "models" / name, content)
    return tmp_path / "models"


@pytest.fixture
def index(tmp_path: Path, library: Path) -> Iterator[ModelIndex]:
    with ModelIndex(tmp_path / "index.db") as index:
        index.scan(roots(library), SilentReporter())
        yield index


def _paths(models: tuple[ModelWithLocation, ...]) -> list[str]:
    return [model.relative_path for model in models]


def test_a_model_comes_with_where_it_lies(index: ModelIndex, library: Path) -> None:
    path = library / "checkpoints" / "xl" / "100%_real.ckpt"
    assert index.get_model(short_hash(path)) == ModelWithLocation(
        hash=short_hash(path),
        filename="100%_real.ckpt",
        size=10,
        relative_path="checkpoints/xl/100%_real.ckpt",
        category="checkpoints",
        path=str(path),
    )
    assert index.get_model("0" * 32) is None


def test_a_model_is_had_from_the_location_that_is_still_there(
    index: ModelIndex, library: Path
) -> None:
    (model,) = index.by_relative_path("checkpoints/sd15.safetensors")
    assert _paths(index.locations(model.hash)) == [
        "checkpoints/sd15.safetensors",
        "loras/copy.safetensors",
    ]
    (library / "checkpoints" / "sd15.safetensors").unlink()
    found = index.get_model(model.hash)
    assert found is not None
    assert found.relative_path == "loras/copy.safetensors"
    touch(library / "loras" / "copy.safetensors", 60)
    assert index.get_model(model.hash) is None


def test_digests_are_computed_once(index: ModelIndex, library: Path) -> None:
    path = library / "top.gguf"
    key, read = short_hash(path), list[int]()
    hashes = index.calculate_full_hashes(key, read.append)
    assert (hashes, read) == (full_hashes(path), [10])
    index.update_model_hashes(key, hashes)
    assert index.calculate_full_hashes(key, read.append) == hashes
    assert read == [10]
    model = index.get_model(key)
    assert model is not None
    assert (model.blake3_hash, model.sha256_hash) == (hashes.blake3, hashes.sha256)


def test_digests_are_never_those_of_a_file_that_changed(index: ModelIndex, library: Path) -> None:
    path = library / "top.gguf"
    key = short_hash(path)
    index.update_model_hashes(key, index.calculate_full_hashes(key))
    write_model(path, b"top of ALL")
    touch(path, 60)
    with pytest.raises(NotFoundError):
        index.calculate_full_hashes(key)


def test_digests_are_refused_when_the_model_went_away_meanwhile(
    index: ModelIndex, library: Path
) -> None:
    key = short_hash(library / "top.gguf")

    def forget(_: int) -> None:
        index.scan([], SilentReporter())

    with pytest.raises(NotFoundError, match="scanned"):
        index.calculate_full_hashes(key, forget)


@pytest.mark.parametrize(
    "hashes",
    [
        FullHashes(blake3="1" * 64, sha256="2" * 64, size=11),
        FullHashes(blake3="1" * 64, sha256="0" * 64, size=10),
        FullHashes(blake3="0" * 64, sha256="2" * 64, size=10),
    ],
)
def test_a_model_never_gets_the_digests_of_another(
    index: ModelIndex, library: Path, hashes: FullHashes
) -> None:
    key = short_hash(library / "top.gguf")
    known = FullHashes(blake3="1" * 64, sha256="2" * 64, size=10)
    index.update_model_hashes(key, known)
    with pytest.raises(StorageError, match="other digests"):
        index.update_model_hashes(key, hashes)
    assert index.calculate_full_hashes(key) == known


def test_sources_are_kept_in_their_order(index: ModelIndex, library: Path) -> None:
    key = short_hash(library / "top.gguf")
    assert index.get_model_sources(key) == ()
    index.add_source(key, "unknown", "")
    assert index.get_model_sources(key) == ()
    index.add_source(key, "huggingface", "https://huggingface.co/a")
    index.add_source(key, "custom", "https://a.example.com/a")
    index.add_source(key, "huggingface", "https://huggingface.co/a")
    expected = ("https://huggingface.co/a", "https://a.example.com/a")
    assert index.get_model_sources(key) == expected
    index.close()
    assert index.get_model_sources(key) == expected


def test_a_source_is_kept_without_what_opens_doors(index: ModelIndex, library: Path) -> None:
    key = short_hash(library / "top.gguf")
    index.add_source(key, "civitai", "https://me:pw@civitai.com/m/1?fileId=2&token=secret")
    index.add_source(key, "civitai", "https://civitai.com/m/1?fileId=2")
    assert index.get_model_sources(key) == ("https://civitai.com/m/1?fileId=2",)


@pytest.mark.parametrize(
    "ask",
    [
        lambda index: index.add_source("0" * 32, "custom", "https://a.example.com"),
        lambda index: index.calculate_full_hashes("0" * 32),
        lambda index: index.update_model_hashes("0" * 32, FullHashes(blake3="", sha256="", size=1)),
    ],
)
def test_an_unknown_model_is_named(index: ModelIndex, ask: Callable[[ModelIndex], object]) -> None:
    with pytest.raises(NotFoundError) as caught:
        ask(index)
    assert caught.value.subject == "0" * 32


def test_threads_share_one_index(index: ModelIndex, library: Path) -> None:
    key = short_hash(library / "top.gguf")
    urls = [f"https://a.example.com/{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda url: index.add_source(key, "custom", url), urls))
        found = list(pool.map(lambda _: len(index.all()), range(40)))
    assert sorted(index.get_model_sources(key)) == sorted(urls)
    assert found == [len(FILES)] * 40
