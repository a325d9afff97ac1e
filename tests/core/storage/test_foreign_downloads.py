"""What is known of a model of another tool's bundle is held against what a host gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.errors import DownloadError
from comfydock_core.storage.downloads import model_request

from tests.core.storage.downloading import FILE, SIZE, downloader, left_in, served_files, words
from tests.hub.model_host import ModelHost, model_host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ModelHost]:
    served_files(tmp_path / "served")
    with model_host(tmp_path / "served") as served:
        yield served


def test_a_short_hash_of_another_tool_tells_another_file(host: ModelHost, tmp_path: Path) -> None:
    target = tmp_path / "models/vae/a.bin"
    key = blake3(str(SIZE).encode() + FILE).hexdigest(length=8)
    content = ManifestModel(
        hash=key, filename="a.bin", size=SIZE, relative_path="vae/a.bin", category="vae"
    )
    other, right = f"{host.url}/other.bin", f"{host.url}/a.bin"
    request = model_request(content, urls=(other, right), target=target, name="a.bin")
    assert downloader().fetch(request).url == right
    assert target.read_bytes() == FILE
    assert request.how_verified.startswith("its short hash is right")
    again = replace(request, urls=(other,), target=target.with_name("b.bin"))
    with pytest.raises(DownloadError) as caught:
        downloader().fetch(again)
    assert f"its short hash is not {key}" in words(caught.value)
    assert left_in(target.parent) == [target.name]


def test_a_digest_makes_the_short_hash_needless() -> None:
    content = ManifestModel(
        hash="0" * 16,
        filename="a.bin",
        size=SIZE,
        relative_path="vae/a.bin",
        category="vae",
        sha256_hash="f" * 64,
    )
    assert not model_request(content, urls=(), target=Path("a.bin"), name="a.bin").foreign_hash
