"""Resuming: only the rest is fetched, and nothing is used of which there is a doubt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.errors import DownloadError
from comfydock_core.storage.download_limits import DownloadLimits
from comfydock_core.storage.partial_file import PartialFile

from tests.core.storage.downloading import (
    ETAG,
    FILE,
    SHA256,
    SIZE,
    begun,
    downloader,
    left_in,
    served_files,
    unknown,
    wanted,
    words,
)
from tests.hub.model_host import ModelHost, model_host

ONE = DownloadLimits(connections=1, in_all=1)
"""A host cuts by the count of requests, and bytes are counted: more lanes would blur both."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ModelHost]:
    served_files(tmp_path / "served")
    with model_host(tmp_path / "served") as served:
        yield served


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "loras" / "a.bin"


def test_a_later_run_fetches_only_the_rest(host: ModelHost, target: Path) -> None:
    path = "/_/cut=1000000x2/a.bin"
    request = wanted(target, f"{host.url}{path}?token=SECRET")
    with pytest.raises(DownloadError):
        downloader(line=ONE).fetch(request)
    assert downloader(line=ONE).fetch(request).resumed_from == 2_000_000
    assert host.requests[-1].headers["range"] == "bytes=2000000-"
    assert host.requests[-1].headers["if-range"] == ETAG
    assert target.read_bytes() == FILE
    assert host.sent(path) <= SIZE + 1024 * 1024


LEFTOVERS: tuple[tuple[bytes, dict[str, object], int, str], ...] = (
    (FILE[:1000], {}, 1000, "bytes=1000-"),
    (FILE[:1000], {"arrived": [[0, 400], [500, 1000]]}, 900, "bytes=400-499"),
    (FILE[:1000], {"arrived": [[500, 1000]]}, 500, "bytes=0-499"),
    (FILE[:1000], {"validator": '"changed"'}, 0, "bytes=1000-"),
    (FILE[:1000], {"validator": ""}, 1000, "bytes=1000-"),
    (FILE[:1000], {"url": "https://elsewhere.example/a.bin"}, 1000, "bytes=1000-"),
    (FILE[:1000], {"validator": f"sha256:{SHA256}"}, 1000, "bytes=1000-"),
    (FILE[:1000], {"validator": 5}, 0, "bytes=0-8388607"),
    (FILE[:1000], {"size": "x"}, 0, "bytes=0-8388607"),
    (FILE[:1000], {"size": None}, 0, "bytes=0-8388607"),
    (FILE[:1000], {"size": 5000}, 0, "bytes=0-8388607"),
    (FILE[:1000], {"arrived": [[0, 1001]]}, 0, "bytes=0-8388607"),
    (FILE[:1000], {"arrived": [[500, 1000], [0, 400]]}, 0, "bytes=0-8388607"),
    (FILE[:1000], {"arrived": [[0, 1000, 1000]]}, 0, "bytes=0-8388607"),
    (FILE[:1000], {"arrived": 5}, 0, "bytes=0-8388607"),
    (FILE[:1000], {"more": 5}, 0, "bytes=0-8388607"),
    (b"wrong" * 200, {}, 0, "bytes=1000-"),
    (FILE + b"more", {}, 0, "bytes=0-8388607"),
    (b"", {}, 0, "bytes=0-8388607"),
)


@pytest.mark.parametrize(("data", "state", "resumed", "asked"), LEFTOVERS)
def test_what_is_there_is_used_only_without_a_doubt(
    host: ModelHost, target: Path, data: bytes, state: dict[str, object], resumed: int, asked: str
) -> None:
    url = f"{host.url}/a.bin"
    begun(target, data, **{"url": url, **state})
    result = downloader().fetch(wanted(target, url))
    assert target.read_bytes() == FILE
    assert result.resumed_from == resumed
    assert host.requests[0].headers.get("range", "") == asked


UNPROVABLE: tuple[tuple[dict[str, object], int], ...] = (
    ({}, 1000),
    ({"arrived": [[0, 1000]], "boot": "another"}, 0),
    ({"url": "https://elsewhere.example/a.bin"}, 0),
    ({"validator": ""}, 0),
    ({"validator": f"sha256:{SHA256}"}, 0),
)


@pytest.mark.parametrize(("state", "resumed"), UNPROVABLE)
def test_without_a_digest_the_source_must_prove_that_it_has_the_same(
    host: ModelHost, target: Path, state: dict[str, object], resumed: int
) -> None:
    url = f"{host.url}/_/cut=1000x1/a.bin"
    with pytest.raises(DownloadError):
        downloader().fetch(unknown(target, f"{host.url}/_/cut=1000,norest/a.bin"))
    written = PartialFile(target).state()
    assert written is not None
    begun(target, FILE[:1000], **{"url": f"{host.url}/a.bin", "boot": written.boot, **state})
    url = f"{host.url}/a.bin"
    assert downloader().fetch(unknown(target, url)).resumed_from == resumed
    assert target.read_bytes() == FILE


def test_a_finished_part_needs_no_request(host: ModelHost, target: Path) -> None:
    url = f"{host.url}/a.bin"
    begun(target, FILE, url=url)
    assert downloader().fetch(wanted(target, url)).resumed_from == SIZE
    assert target.read_bytes() == FILE
    assert host.requests == ()


def test_a_finished_part_without_a_digest_costs_one_byte(host: ModelHost, target: Path) -> None:
    url = f"{host.url}/a.bin"
    with pytest.raises(DownloadError):
        downloader().fetch(unknown(target, f"{host.url}/_/cut=1000/a.bin"))
    written = PartialFile(target).state()
    assert written is not None
    begun(target, FILE, url=url, boot=written.boot)
    assert downloader().fetch(unknown(target, url)).sha256 == SHA256
    assert host.sent("/a.bin") == 1


def test_hugging_faces_sha256_is_a_validator_where_the_cdn_has_none(
    host: ModelHost, tmp_path: Path, target: Path
) -> None:
    cdn = f"{host.url}/_/noetag,cut=1500000x1"
    with model_host(tmp_path / "served", cdn) as hugging_face:
        url = f"{hugging_face.url}/hf/o/r/resolve/main/a.bin"
        assert downloader().fetch(unknown(target, url)).sha256 == SHA256
        assert host.sent("/_/noetag,cut=1500000x1/a.bin") <= SIZE + 1024 * 1024
        other = replace(wanted(target.with_name("b.bin"), url), sha256="0" * 64)
        with pytest.raises(DownloadError) as caught:
            downloader().fetch(other)
        assert "now has another file" in words(caught.value)


def test_another_source_goes_on_in_the_middle(host: ModelHost, target: Path) -> None:
    dying, good = "/_/cut=300000/a.bin", "/a.bin"
    result = downloader(line=ONE).fetch(wanted(target, host.url + dying, host.url + good))
    assert result.url == host.url + good
    assert target.read_bytes() == FILE
    assert host.sent(dying) + host.sent(good) <= SIZE + 1024 * 1024


def test_without_a_digest_another_source_begins_anew(host: ModelHost, target: Path) -> None:
    dying, good = "/_/cut=300000/a.bin", "/a.bin"
    downloader(line=ONE).fetch(unknown(target, host.url + dying, host.url + good))
    assert target.read_bytes() == FILE
    assert host.sent(good) >= SIZE


MIXED = (
    (("/_/corrupt,cut=300000/a.bin", "/a.bin"), "/a.bin"),
    (("/_/cut=300000x2/a.bin", "/_/etag=x,corrupt/a.bin"), "/_/cut=300000x2/a.bin"),
)


@pytest.mark.parametrize(("paths", "giver"), MIXED)
def test_a_wrong_mixture_is_fetched_whole_from_one_source(
    host: ModelHost, target: Path, paths: tuple[str, ...], giver: str
) -> None:
    result = downloader(line=ONE).fetch(wanted(target, *(host.url + path for path in paths)))
    assert result.url == host.url + giver
    assert target.read_bytes() == FILE
    assert left_in(target.parent) == ["a.bin"]


def test_each_source_of_a_wrong_mixture_gets_one_more_chance(host: ModelHost, target: Path) -> None:
    urls = [f"{host.url}/_/corrupt,{more}/a.bin" for more in ("cut=300000x2", "etag=x", "etag=y")]
    with pytest.raises(DownloadError):
        downloader(line=ONE).fetch(wanted(target, *urls))
    assert left_in(target.parent) == []
    assert len(host.requests) <= 6
