from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comfydock_core.domain.models import ModelRoot, ModelWithLocation
from comfydock_core.events import SilentReporter
from comfydock_core.storage.hashing import full_hashes, short_hash
from comfydock_core.storage.model_index import ModelIndex
from comfydock_core.storage.model_queries import SELECT, IndexCounts

from tests.core.storage.model_files import roots, write_model

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


def test_a_file_above_every_folder_has_no_category(index: ModelIndex) -> None:
    (model,) = index.by_filename("top.gguf")
    assert model.category == ""


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda index: index.all(), sorted(FILES)),
        (lambda index: index.find("SD15"), ["checkpoints/sd15.safetensors"]),
        (lambda index: index.find("checkpoints/"), sorted(FILES)[:2]),
        (lambda index: index.find("%_"), ["checkpoints/xl/100%_real.ckpt"]),
        (lambda index: index.find("e_a"), ["loras/style_a.safetensors"]),
        (lambda index: index.find("\\"), []),
        (lambda index: index.find("nothing like it"), []),
        (lambda index: index.by_relative_path("top.gguf"), ["top.gguf"]),
        (lambda index: index.by_relative_path("sd15.safetensors"), []),
        (lambda index: index.by_filename("sd15.safetensors"), ["checkpoints/sd15.safetensors"]),
        (lambda index: index.by_size(5), ["loras/style_a.safetensors"]),
        (lambda index: index.by_size(3), []),
        (lambda index: index.by_digest(), []),
    ],
)
def test_models_are_found(
    index: ModelIndex,
    ask: Callable[[ModelIndex], tuple[ModelWithLocation, ...]],
    expected: list[str],
) -> None:
    assert _paths(ask(index)) == expected


def test_models_are_found_by_their_hashes(index: ModelIndex, library: Path) -> None:
    path = library / "loras" / "style_a.safetensors"
    key, hashes = short_hash(path), full_hashes(path)
    assert index.by_digest(sha256=hashes.sha256) == ()
    index.update_model_hashes(key, index.calculate_full_hashes(key))
    expected = ["loras/style_a.safetensors"]
    assert _paths(index.by_digest(sha256=hashes.sha256.upper())) == expected
    assert _paths(index.by_digest(blake3=hashes.blake3)) == expected
    assert _paths(index.by_digest(blake3=hashes.blake3, sha256=hashes.sha256)) == expected
    assert index.by_digest(blake3=hashes.blake3, sha256="0" * 64) == ()
    for text in (key[:8], hashes.sha256[:12].upper(), hashes.blake3):
        assert _paths(index.find(text)) == expected
    assert index.find(key[:7]) == ()
    assert _paths(index.by_short_hash(key)) == expected


def test_the_index_counts_what_it_holds(index: ModelIndex, library: Path, tmp_path: Path) -> None:
    key = short_hash(library / "top.gguf")
    index.update_model_hashes(key, index.calculate_full_hashes(key))
    for url in ("https://h.example.com/a", "https://h.example.com/b"):
        index.add_source(key, "custom", url)
    index.add_source(short_hash(library / "loras" / "style_a.safetensors"), "unknown", "")
    assert index.counts() == IndexCounts(
        models=4, locations=5, size=4 + 10 + 5 + 10, with_digests=2, with_source=1
    )
    for path in library.rglob("*.gguf"):
        path.unlink()
    index.scan(roots(library), SilentReporter())
    assert index.counts() == IndexCounts(
        models=3, locations=4, size=4 + 10 + 5, with_digests=1, with_source=0
    )
    with ModelIndex(tmp_path / "empty.db") as empty:
        assert empty.counts() == IndexCounts(
            models=0, locations=0, size=0, with_digests=0, with_source=0
        )


def test_a_model_of_a_root_of_one_category_has_its_true_path(
    index: ModelIndex, library: Path, tmp_path: Path
) -> None:
    file = write_model(tmp_path / "tool" / "Lora" / "xl" / "far.safetensors", b"far")
    tool = ModelRoot(path=str(tmp_path / "tool" / "Lora"), category="loras")
    index.scan([*roots(library), tool], SilentReporter())
    (model,) = index.by_relative_path("loras/xl/far.safetensors")
    assert (model.path, model.category, model.filename) == (str(file), "loras", file.name)
    assert index.get_model(model.hash) == model
    assert _paths(index.find("loras/xl")) == ["loras/xl/far.safetensors"]


def test_no_question_reads_the_whole_index(index: ModelIndex) -> None:
    plans = {
        "WHERE models.hash = ?": "models",
        "WHERE filename = ?": "locations_by_filename",
        "WHERE models.size = ?": "models_by_size",
        "WHERE short_hash = ?": "models_by_short_hash",
        "WHERE blake3 <> '' AND blake3 = ?": "models_by_blake3",
        "WHERE sha256 <> '' AND sha256 = ?": "models_by_sha256",
    }
    for where, expected in plans.items():
        with index.session() as connection:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {SELECT}{where}", ("1",)).fetchall()
        steps = [row[-1] for row in rows]
        assert not [step for step in steps if step.startswith("SCAN")], (where, steps)
        assert any(expected in step for step in steps), (where, steps)
