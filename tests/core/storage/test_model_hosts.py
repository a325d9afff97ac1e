"""One entry to all hosts of models."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from comfydock_core.domain.model_sources import ExaminedSource
from comfydock_core.errors import NetworkError
from comfydock_core.storage.model_hosts import ModelHosts

from tests.core.storage.host_clients import client_for, tokens_seen
from tests.hub import civitai as civitai_hub
from tests.hub import hugging_face as hugging_face_hub
from tests.hub.civitai import CivitaiFile, civitai
from tests.hub.hugging_face import COMMIT, hugging_face
from tests.hub.serving import Exchange, Served, serving
from tests.hub.signed_storage import SignedStorage, signed_storage

WEIGHTS, OTHER = b"weights" * 500, b"other" * 500
SHA256, OTHER_SHA256 = (hashlib.sha256(data).hexdigest() for data in (WEIGHTS, OTHER))
CIVITAI, RED, HUGGING_FACE, GITHUB = (
    f"https://{host}" for host in ("civitai.com", "civitai.red", "huggingface.co", "github.com")
)
TOKENS = {"HF_TOKEN": "hf_reader", "CIVITAI_API_KEY": "cv", "GH_TOKEN": "gh"}


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """All hosts, and the storage that they redirect to."""

    storage: SignedStorage
    hugging_face: hugging_face_hub.HuggingFace
    civitai: civitai_hub.Civitai
    red: civitai_hub.Civitai
    github: Served

    @property
    def mirrors(self) -> dict[str, str]:
        return {
            HUGGING_FACE: self.hugging_face.url,
            CIVITAI: self.civitai.url,
            RED: self.red.url,
            GITHUB: self.github.url,
        }

    def hosts(self, **elsewhere: str) -> ModelHosts:
        mirrors: Mapping[str, str] = {
            **self.mirrors,
            **{f"https://{name.replace('_', '.')}": url for name, url in elsewhere.items()},
        }
        return ModelHosts(client_for(mirrors, TOKENS))


def file_of(sha256: str) -> CivitaiFile:
    return CivitaiFile(file_id=3, name="m.sft", sha256=sha256, size_kb=1.5)


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        storage = stack.enter_context(signed_storage({SHA256: WEIGHTS}))

        def github(exchange: Exchange) -> None:
            exchange.reply(302, headers={"Location": storage.address(SHA256, "a.bin")})

        yield World(
            storage=storage,
            hugging_face=stack.enter_context(hugging_face({"o/r": {"a.bin": WEIGHTS}}, storage)),
            civitai=stack.enter_context(civitai({"1": [file_of(SHA256)]}, storage)),
            red=stack.enter_context(
                civitai({"1": [file_of(SHA256)], "2": [file_of(OTHER_SHA256)]}, storage)
            ),
            github=stack.enter_context(serving(github)),
        )


def test_each_address_goes_to_its_host(world: World) -> None:
    pinned = world.hosts().examine(f"{HUGGING_FACE}/o/r/blob/main/a.bin")
    assert pinned == ExaminedSource(
        url=f"{HUGGING_FACE}/o/r/resolve/{COMMIT}/a.bin",
        original=f"{HUGGING_FACE}/o/r/resolve/main/a.bin",
        kind="huggingface",
        size=len(WEIGHTS),
        sha256=SHA256,
        filename="a.bin",
    )
    version = world.hosts().examine(f"{RED}/models/7?modelVersionId=2")
    assert version.url == f"{RED}/api/download/models/2?fileId=3"
    assert world.storage.requests == ()


def test_a_release_is_asked_for_at_its_storage_without_the_token(world: World) -> None:
    url = f"{GITHUB}/o/r/releases/download/v1/x"
    assert world.hosts().examine(url) == ExaminedSource(
        url=url, original=url, kind="github", size=len(WEIGHTS), filename="a.bin"
    )
    latest = world.hosts().examine(f"{GITHUB}/o/r/releases/latest/download/x")
    assert "is not pinned" in latest.problem
    assert tokens_seen(world.github.requests) == {"Bearer gh"}
    assert tokens_seen(world.storage.requests) == {""}
    assert {seen.headers["range"] for seen in world.storage.requests} == {"bytes=0-0"}


def test_any_other_host_is_asked_for_the_head(world: World) -> None:
    with serving(lambda exchange: exchange.reply(200, WEIGHTS)) as served:
        hosts = world.hosts(models_example=served.url)
        url = "https://models.example/m/a%20b.bin"
        assert hosts.examine(url) == ExaminedSource(
            url=url, original=url, kind="custom", size=len(WEIGHTS), filename="a b.bin"
        )
        assert hosts.examine(f"{url.replace('%20', ' ')}#top").url == url
        signed = hosts.examine(f"{url}?X-Amz-Signature=5ecret")
        assert "looks like a token" in signed.problem
        assert {seen.method for seen in served.requests} == {"HEAD"}
        assert tokens_seen(served.requests) == {""}


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a/b", "a.bin", "https://user:pw@models.example/a", "https://a.example:x/", ""),
        f"https://huggingface.co/o/r/resolve/main/{'a' * 2000}",
    ],
)
def test_what_may_not_be_asked_is_a_failure(url: str) -> None:
    with pytest.raises(NetworkError):
        ModelHosts(client_for({})).examine(url)


def test_contents_are_found_at_all_hosts(world: World) -> None:
    found = world.hosts().find_by_sha256([SHA256.upper(), OTHER_SHA256, "0" * 64, "x"], ["o/r"])
    assert {digest: [s.url for s in sources] for digest, sources in found.sources.items()} == {
        SHA256: [
            f"{CIVITAI}/api/download/models/1?fileId=3",
            f"{HUGGING_FACE}/o/r/resolve/{COMMIT}/a.bin",
        ],
        OTHER_SHA256: [f"{RED}/api/download/models/2?fileId=3"],
    }
    assert found.problems == ()
    assert len(world.civitai.requests) == len(world.red.requests) == 1


def test_trouble_is_told_beside_what_was_found(world: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{unused.getsockname()[1]}"
        hosts = ModelHosts(client_for({**world.mirrors, CIVITAI: gone}, TOKENS))
        found = hosts.find_by_sha256([SHA256, OTHER_SHA256], ["o/missing", "not a name", "o/r"])
    assert {source.kind for source in found.sources[SHA256]} == {"civitai", "huggingface"}
    assert [source.url for source in found.sources[OTHER_SHA256]] == [
        f"{RED}/api/download/models/2?fileId=3"
    ]
    said = " ".join(problem.sentence for problem in found.problems)
    assert len(found.problems) == 3
    assert "could not be reached" in said
    assert "has no repository `o/missing`" in said


def test_nothing_wanted_is_nothing_asked(world: World) -> None:
    assert world.hosts().find_by_sha256(["short"], ["o/r"]).sources == {}
    assert world.civitai.requests == world.red.requests == world.hugging_face.requests == ()
