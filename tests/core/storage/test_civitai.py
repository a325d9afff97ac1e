"""Pinning, finding and being refused at Civitai, on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
from comfydock_core.domain.model_sources import ExaminedSource
from comfydock_core.errors import NetworkError
from comfydock_core.storage.civitai import Civitai
from comfydock_core.storage.http import HttpClient

from tests.core.storage.host_clients import client_for, tokens_seen, words
from tests.hub import civitai as hub
from tests.hub.civitai import ARCHIVED, EARLY, KEY, UNPUBLISHED, CivitaiFile, civitai
from tests.hub.serving import serving
from tests.hub.signed_storage import SignedStorage, signed_storage

SITE = "https://civitai.com"
DATA = b"weights" * 500
SHA256 = hashlib.sha256(DATA).hexdigest()
PICKLE, TRAINING, LONELY = (digit * 64 for digit in "abc")
FILES = (
    CivitaiFile(file_id=11, name="m.ckpt", sha256=PICKLE, size_kb=3.417, form="PickleTensor"),
    CivitaiFile(
        file_id=12,
        name="m.safetensors",
        sha256=SHA256,
        size_kb=len(DATA) / 1024,
        stored="weights",
        primary=True,
    ),
    CivitaiFile(file_id=13, name="t.zip", sha256=TRAINING, size_kb=4, kind="Training Data"),
)
VERSIONS = {
    "77": FILES,
    "78": (CivitaiFile(file_id=21, name="../x/m.safetensors", sha256=SHA256, size_kb="9"),),
    "79": FILES[::2],
    **{str(100 + n): (CivitaiFile(file_id=1, name="n", sha256=f"{n:064d}", size_kb=1.0),)
       for n in range(150)},
}  # fmt: skip
ODD: dict[str, object] = {
    "5": {"id": 6, "files": [FILES[1].described]},
    "6": ["no", "object"],
    "7": {"id": 7, "files": "none"},
    "8": {"id": 8, "files": [None, 3, {"id": "x"}, {**FILES[1].described, "hashes": None}]},
    "9": {"id": 9, "availability": "EarlyAccess", "files": [FILES[1].described]},
    "10": {"id": 10, "usageControl": "Generation", "files": [FILES[1].described]},
}


@pytest.fixture(scope="module")
def storage() -> Iterator[SignedStorage]:
    with signed_storage({"weights": DATA}) as served:
        yield served


@pytest.fixture
def site(storage: SignedStorage) -> Iterator[hub.Civitai]:
    with civitai(VERSIONS, storage, answers=ODD) as served:
        yield served


def client(site: hub.Civitai, key: str = "") -> HttpClient:
    return client_for({SITE: site.url}, {"CIVITAI_API_KEY": key})


def pinned(version: int, file_id: int) -> str:
    return f"{SITE}/api/download/models/{version}?fileId={file_id}"


def test_a_download_is_pinned_to_its_file(site: hub.Civitai) -> None:
    given = f"{SITE}/api/download/models/77?type=Model&format=SafeTensor&token=SECRET"
    assert Civitai(client(site, KEY)).pin(given) == ExaminedSource(
        url=pinned(77, 12),
        original=f"{SITE}/api/download/models/77?type=Model&format=SafeTensor",
        kind="civitai",
        size=len(DATA),
        sha256=SHA256,
        filename="m.safetensors",
    )
    assert [seen.target for seen in site.requests] == ["/api/v1/model-versions/77"]


FORMS = (
    ("/api/download/models/77", 12, SHA256, len(DATA)),
    ("/api/download/models/77?fileId=13", 13, TRAINING, None),
    ("/api/download/models/77?type=Training%20Data", 13, TRAINING, None),
    ("/api/download/models/77?format=pickletensor", 11, PICKLE, None),
    ("/models/7/some-name?modelVersionId=77", 12, SHA256, len(DATA)),
    ("/models/7?modelVersionId=77", 12, SHA256, len(DATA)),
)


@pytest.mark.parametrize(("path", "file_id", "sha256", "size"), FORMS)
def test_the_file_that_is_meant_is_found(
    site: hub.Civitai, path: str, file_id: int, sha256: str, size: int | None
) -> None:
    found = Civitai(client(site)).pin(f"https://www.civitai.com{path}")
    assert found
    assert (found.url, found.sha256, found.size) == (pinned(77, file_id), sha256, size)
    assert found.original.startswith(f"{SITE}/api/download/models/77")


UNSURE = (
    ("/api/download/models/79", "does not know which file", "fileId=11 m.ckpt, fileId=13 t.zip"),
    ("/api/download/models/77?fileId=99", "does not know which file", "fileId=12 m.safetensors"),
    ("/models/7/some-name", "in all its versions", "modelVersionId=…"),
    ("/models/7?modelVersionId=x", "in all its versions", "modelVersionId=…"),
    ("/api/download/models/404404", "unpublished", "it may have been renamed"),
    ("/api/download/models/5", "not Civitai's", "hosts.mirrors"),
    ("/api/download/models/6", "not Civitai's", "hosts.mirrors"),
    ("/api/download/models/7", "not Civitai's", "hosts.mirrors"),
)


@pytest.mark.parametrize(("path", "meaning", "help_"), UNSURE)
def test_an_address_that_means_no_one_file_is_said(
    site: hub.Civitai, path: str, meaning: str, help_: str
) -> None:
    with pytest.raises(NetworkError) as caught:
        Civitai(client(site)).pin(SITE + path)
    assert meaning in caught.value.sentence
    assert help_ in words(caught.value)


@pytest.mark.parametrize(
    ("version", "problem"), [(8, "no sha256"), (9, "early access"), (10, "cannot be downloaded")]
)
def test_a_file_that_cannot_be_relied_on_says_why(
    site: hub.Civitai, version: int, problem: str
) -> None:
    found = Civitai(client(site)).pin(f"{SITE}/api/download/models/{version}")
    assert found
    assert found.url == pinned(version, 12)
    assert problem in found.problem


@pytest.mark.parametrize(
    "other", [f"{SITE}/images/7", "https://civitai.com.example/models/7", f"{SITE}/api/v1/models"]
)
def test_what_is_no_file_there_is_left_to_others(site: hub.Civitai, other: str) -> None:
    assert Civitai(client(site)).pin(other) is None
    assert site.requests == ()


def test_contents_are_found_in_batches(site: hub.Civitai) -> None:
    wanted = {f"{n:064d}" for n in range(150)} | {SHA256, LONELY}
    found = list(Civitai(client(site, KEY)).find(wanted, "civitai.com"))
    assert len(found) == 152
    assert {digest for digest, _ in found} == wanted - {LONELY}
    assert all(source.sha256 == digest for digest, source in found)
    ours = {source.url: source.filename for digest, source in found if digest == SHA256}
    assert ours == {pinned(77, 12): "m.safetensors", pinned(78, 21): "m.safetensors"}
    assert [seen.method for seen in site.requests] == ["POST", "POST"]
    assert tokens_seen(site.requests) == {f"Bearer {KEY}"}


def test_without_batches_each_is_asked_for(storage: SignedStorage) -> None:
    with civitai(VERSIONS, storage, batches=False) as site:
        found = dict(Civitai(client(site)).find({SHA256, LONELY}, "civitai.com"))
        assert {digest: source.url for digest, source in found.items()} == {SHA256: pinned(77, 12)}
        assert [seen.method for seen in site.requests] == ["POST", "GET", "GET"]


def test_nothing_wanted_is_nothing_asked(site: hub.Civitai) -> None:
    assert list(Civitai(client(site)).find((), "civitai.com")) == []
    assert site.requests == ()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "{}", "not Civitai's"),
        (200, "<html>", "did not answer with JSON"),
        (200, "9" * 9_000_000, "more than 8388608 bytes"),
        (429, "", "asks for fewer requests"),
        (500, "", "in trouble"),
    ],
)
def test_an_answer_that_is_none_is_a_clean_failure(status: int, body: str, said: str) -> None:
    with serving(lambda exchange: exchange.reply(status, body.encode())) as served:
        search = Civitai(client_for({SITE: served.url})).find({SHA256}, "civitai.com")
        with pytest.raises(NetworkError, match=said):
            list(search)


def test_odd_entries_hide_nothing(site: hub.Civitai) -> None:
    version = {"id": 77, "files": [None, {"id": -1, **ODD}, FILES[1].described]}
    entries = json.dumps([None, 3, {"files": 7}, {"id": "77"}, version]).encode()
    with serving(lambda exchange: exchange.reply(200, entries)) as served:
        found = list(Civitai(client_for({SITE: served.url})).find({SHA256}, "civitai.com"))
    assert [source.url for _, source in found] == [pinned(77, 12)]


def test_a_download_signs_in_at_the_site_and_never_at_its_storage(
    site: hub.Civitai, storage: SignedStorage
) -> None:
    with client(site, KEY).stream(pinned(77, 12)) as stream:
        assert stream.read_all(len(DATA)) == DATA
    assert tokens_seen(site.requests) == {f"Bearer {KEY}"}
    assert site.requests[0].headers["content-type"] == "application/json"
    assert tokens_seen(storage.requests) == {""}
    assert "content-type" not in storage.requests[-1].headers


REFUSALS = (
    ("77", "", ("wants to know who asks", "set CIVITAI_API_KEY", "civitai.com/user/account")),
    ("77", "wrong", ("does not accept your token", "`CIVITAI_API_KEY` is wrong or has expired")),
    (EARLY, KEY, ("does not give", "early access")),
    (ARCHIVED, "", ("has archived", "another source")),
    (UNPUBLISHED, "", ("unpublished it",)),
)


@pytest.mark.parametrize(("version", "key", "said"), REFUSALS)
def test_a_refused_download_says_what_to_do(
    site: hub.Civitai, version: str, key: str, said: tuple[str, ...]
) -> None:
    download = client(site, key).stream(f"{SITE}/api/download/models/{version}")
    with pytest.raises(NetworkError) as caught, download:
        pass
    told = words(caught.value)
    assert all(part in told for part in said), told
    assert "`civitai.com`" in told
    assert "127.0.0.1" not in told
