from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from blake3 import blake3
from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.storage.hugging_face_cache import (
    HubFile,
    find_in_caches,
    hub_cache_folders,
    hub_file,
    local_record,
)

from tests.core.storage.model_files import write_model

CONTENT = b"weights of a cached model"
SHA = sha256(CONTENT).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = ManifestModel(
    hash="a" * 32,
    filename="x.safetensors",
    size=len(CONTENT),
    relative_path="loras/x.safetensors",
    category="loras",
    sha256_hash=SHA,
)


def cached(cache: Path, path: str = "split/m.safetensors", repository: str = "acme--m") -> Path:
    """Put CONTENT into a cache as the client does; return the link in the snapshot."""
    folder = cache / f"models--{repository}"
    blob = write_model(folder / "blobs" / SHA, CONTENT)
    link = folder / "snapshots" / COMMIT / path
    link.parent.mkdir(parents=True)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return link


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [".cache/huggingface/hub"]),
        ({"XDG_CACHE_HOME": "HOME/xdg"}, ["xdg/huggingface/hub"]),
        ({"HF_HOME": "HOME/hf"}, ["hf/hub", ".cache/huggingface/hub"]),
        ({"HF_HOME": "", "HF_HUB_CACHE": ""}, [".cache/huggingface/hub"]),
        (
            {"HF_HUB_CACHE": "HOME/c", "HF_HOME": "HOME/hf"},
            ["c", "hf/hub", ".cache/huggingface/hub"],
        ),
        ({"HF_HUB_CACHE": "HOME/missing"}, [".cache/huggingface/hub"]),
    ],
)
def test_where_caches_are(tmp_path: Path, variables: dict[str, str], expected: list[str]) -> None:
    for name in (".cache/huggingface/hub", "xdg/huggingface/hub", "hf/hub", "c"):
        (tmp_path / name).mkdir(parents=True)
    home = {key: value.replace("HOME", str(tmp_path)) for key, value in variables.items()}
    found = hub_cache_folders({"HOME": str(tmp_path), **home})
    assert [folder.relative_to(tmp_path).as_posix() for folder in found] == expected


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (MODEL, True),
        (replace(MODEL, sha256_hash=SHA.upper()), True),
        (replace(MODEL, blake3_hash=blake3(CONTENT).hexdigest()), True),
        (replace(MODEL, blake3_hash="0" * 64), False),
        (replace(MODEL, size=len(CONTENT) + 1), False),
        (replace(MODEL, sha256_hash="0" * 64), False),
        (replace(MODEL, sha256_hash=f"../blobs/{SHA}"), False),
        (replace(MODEL, sha256_hash="", blake3_hash=blake3(CONTENT).hexdigest()), False),
    ],
)
def test_a_model_is_found_by_its_digests(tmp_path: Path, model: ManifestModel, found: bool) -> None:
    link = cached(tmp_path)
    here = find_in_caches(model, {"HF_HUB_CACHE": str(tmp_path), "HOME": "/none"})
    if not found:
        assert here is None
        return
    assert here
    assert (here.filename, here.hash, here.size) == (model.filename, model.hash, len(CONTENT))
    assert Path(here.path) == link.resolve()
    assert (here.sha256_hash, here.blake3_hash) == (SHA, blake3(CONTENT).hexdigest())
    assert (here.category, here.relative_path) == ("", f"models--acme--m/blobs/{SHA}")


def test_a_blob_that_lies_about_itself_is_passed_over(tmp_path: Path) -> None:
    write_model(tmp_path / "models--aaa--m" / "blobs" / SHA, CONTENT[::-1])
    variables = {"HF_HUB_CACHE": str(tmp_path), "HOME": "/none"}
    assert find_in_caches(MODEL, variables) is None
    right = cached(tmp_path).resolve()
    here = find_in_caches(MODEL, variables)
    assert here
    assert Path(here.path) == right


@pytest.mark.parametrize(
    ("repository", "path", "expected"),
    [
        ("acme--m", "m.safetensors", f"acme/m/resolve/{COMMIT}/m.safetensors"),
        ("gpt2", "a b/c#.bin", f"gpt2/resolve/{COMMIT}/a%20b/c%23.bin"),
        ("a--b--c", "m.safetensors", ""),
        ("a--b?c", "m.safetensors", ""),
    ],
)
def test_a_cached_file_knows_where_it_came_from(
    tmp_path: Path, repository: str, path: str, expected: str
) -> None:
    link = cached(tmp_path, path, repository)
    library = tmp_path / "x.safetensors"
    library.symlink_to(link.resolve())
    for place in (link, link.resolve(), library):
        file = hub_file(place)
        assert (file.url if file else "") == (expected and f"https://huggingface.co/{expected}")
        assert file is None or file.sha256 == SHA


def test_a_file_elsewhere_is_none_of_a_repository(tmp_path: Path) -> None:
    assert hub_file(write_model(tmp_path / "blobs" / SHA)) is None
    assert hub_file(write_model(tmp_path / "snapshots" / COMMIT / "x.sft")) is None
    assert hub_file(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{COMMIT}\n{SHA}\n1700000000.0\n", (COMMIT, SHA)),
        (f"{COMMIT}\n{COMMIT}\n1700000000.0\n", (COMMIT, "")),
        (f"{COMMIT}", (COMMIT, "")),
        ("main\n\n", None),
        ("", None),
        ("\udcff", None),
    ],
)
def test_the_record_of_a_download_into_a_folder(
    tmp_path: Path, text: str, expected: tuple[str, str] | None
) -> None:
    model = write_model(tmp_path / "loras" / "split" / "x.sft")
    assert local_record(model) is None
    data = text.encode("utf-8", "surrogateescape")
    write_model(tmp_path / "loras/.cache/huggingface/download/split/x.sft.metadata", data)
    found = local_record(model)
    if expected is None:
        assert found is None
        return
    commit, digest = expected
    assert found == HubFile(repository="", commit=commit, path="split/x.sft", sha256=digest)
