"""Pinning, finding and being refused at Hugging Face, on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from comfydock_core.domain.model_sources import ExaminedSource
from comfydock_core.errors import NetworkError
from comfydock_core.storage.hugging_face import HuggingFace, hugging_face_file

from tests.core.storage.host_clients import client_for, tokens_seen, words
from tests.hub import hugging_face as hub
from tests.hub.hugging_face import COMMIT, READER, SMALL, STRANGER, hugging_face
from tests.hub.serving import Exchange, serving
from tests.hub.signed_storage import SignedStorage, signed_storage

SITE = "https://huggingface.co"
WEIGHTS, OTHER = b"weights" * 500, b"other" * 500
SHA256, OTHER_SHA256 = (hashlib.sha256(data).hexdigest() for data in (WEIGHTS, OTHER))
FILES = {
    "o/r": {"a/wei ghts.bin": WEIGHTS, "config.json": SMALL, "copy.bin": WEIGHTS, "z.sft": OTHER},
    "o/endless": {"a.bin": OTHER},
    "gated/r": {"a.bin": WEIGHTS},
    "private/r": {"a.bin": WEIGHTS},
}


@pytest.fixture(scope="module")
def storage() -> Iterator[SignedStorage]:
    with signed_storage({SHA256: WEIGHTS, OTHER_SHA256: OTHER}) as served:
        yield served


@pytest.fixture
def site(storage: SignedStorage) -> Iterator[hub.HuggingFace]:
    with hugging_face(FILES, storage) as served:
        yield served


def asking(site: hub.HuggingFace, token: str = "") -> HuggingFace:
    return HuggingFace(client_for({SITE: site.url}, {"HF_TOKEN": token}))


PINNED = f"{SITE}/o/r/resolve/{COMMIT}/a/wei%20ghts.bin"
FORMS = (
    (f"{SITE}/o/r/resolve/main/a/wei%20ghts.bin", "main"),
    (f"{SITE}/o/r/resolve/main/a/wei ghts.bin?download=true", "main"),
    (f"{SITE}/o/r/blob/main/a/wei%20ghts.bin#L1", "main"),
    (f"{SITE}/o/r/raw/main/a/wei%20ghts.bin", "main"),
    ("https://hf.co/o/r/resolve/main/a/wei%20ghts.bin", "main"),
    ("http://www.HuggingFace.co/o/r/blob/main/a/wei%20ghts.bin", "main"),
    (f"{SITE}/o/r/blob/refs%2fpr%2f3/a/wei%20ghts.bin", "refs%2Fpr%2F3"),
    (f"{SITE}/o/r/blob/refs/pr/3/a/wei%20ghts.bin", "refs/pr/3"),
    (PINNED, COMMIT),
)


@pytest.mark.parametrize(("given", "revision"), FORMS)
def test_every_form_of_an_address_is_pinned_to_the_commit(
    site: hub.HuggingFace, given: str, revision: str
) -> None:
    assert asking(site).pin(given) == ExaminedSource(
        url=PINNED,
        original=PINNED.replace(COMMIT, revision),
        kind="huggingface",
        size=len(WEIGHTS),
        sha256=SHA256,
        filename="wei ghts.bin",
    )
    assert [seen.method for seen in site.requests] == ["HEAD"]


def test_a_small_file_has_a_size_and_no_sha256(site: hub.HuggingFace) -> None:
    found = asking(site).pin(f"{SITE}/o/r/resolve/main/config.json")
    assert found
    assert (found.size, found.sha256, found.problem) == (len(SMALL), "", "")


def test_a_repository_that_moved_is_followed(site: hub.HuggingFace) -> None:
    found = asking(site, READER).pin(f"{SITE}/old/r/resolve/main/copy.bin")
    assert found
    assert found.url == f"{SITE}/old/r/resolve/{COMMIT}/copy.bin"
    assert found.sha256 == SHA256


@pytest.mark.parametrize(
    "other",
    [
        "https://example.org/o/r/resolve/main/a.bin",
        "https://huggingface.co.example.org/o/r/resolve/main/a.bin",
        f"{SITE}/o/r",
        f"{SITE}/o/r/tree/main/a",
        f"{SITE}/o/r/resolve/main/",
    ],
)
def test_what_is_no_file_there_is_left_to_others(other: str) -> None:
    assert hugging_face_file(other) is None


REFUSALS = (
    (
        "gated/r",
        "",
        ("`huggingface.co` gives", "gated: accept the licence at", "then set HF_TOKEN"),
    ),
    ("gated/r", STRANGER, ("gives", "accept the licence at", "token in `HF_TOKEN` and wait until")),
    ("gated/r", "hf_wrong", ("does not accept your token", "`HF_TOKEN` is wrong or has expired")),
    ("private/r", "", ("no repository `private/r`, or keeps it", "if it is private, set HF_TOKEN")),
    ("private/r", STRANGER, ("no repository", "token in `HF_TOKEN` must be allowed to read it")),
    ("o/missing", READER, ("no repository `o/missing`", "check the spelling")),
    ("o/r", "", ("has no such file in `o/r`", f"look at {SITE}/o/r |")),
)


@pytest.mark.parametrize(("repository", "token", "said"), REFUSALS)
def test_a_refusal_says_what_it_means_and_what_to_do(
    site: hub.HuggingFace, repository: str, token: str, said: tuple[str, ...]
) -> None:
    with pytest.raises(NetworkError) as caught:
        asking(site, token).pin(f"{SITE}/{repository}/blob/main/no.bin")
    told = words(caught.value)
    assert all(part in told for part in said), told
    assert "127.0.0.1" not in told
    assert not token or token not in told
    if repository == "gated/r" and token != "hf_wrong":
        assert f"licence at {SITE}/gated/r" in caught.value.hint


def test_an_unknown_branch_is_named(site: hub.HuggingFace) -> None:
    with pytest.raises(NetworkError, match="no such branch, tag or commit"):
        asking(site).pin(f"{SITE}/o/r/blob/dev/a.bin")


def test_a_token_file_that_is_wrong_is_named(site: hub.HuggingFace, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_old")
    client = client_for({SITE: site.url}, {"HF_HOME": str(tmp_path)})
    with pytest.raises(NetworkError) as caught:
        HuggingFace(client).pin(f"{SITE}/o/r/blob/main/copy.bin")
    assert f"`{tmp_path / 'token'}` is wrong" in caught.value.hint


def test_a_repository_is_searched_by_sha256(site: hub.HuggingFace, storage: SignedStorage) -> None:
    asked_before = len(storage.requests)
    found = dict(asking(site, READER).find({SHA256, OTHER_SHA256, "0" * 64}, "o/r"))
    assert {digest: source.url for digest, source in found.items()} == {
        SHA256: PINNED,
        OTHER_SHA256: f"{SITE}/o/r/resolve/{COMMIT}/z.sft",
    }
    trees = [seen.target for seen in site.requests if "/tree/" in seen.target]
    assert trees == [
        "/api/models/o/r/tree/main?recursive=true",
        "/api/models/o/r/tree/main?recursive=true&cursor=2",
    ]
    assert tokens_seen(site.requests) == {f"Bearer {READER}"}
    assert len(storage.requests) == asked_before


def test_the_search_ends_with_the_last_digest(site: hub.HuggingFace) -> None:
    assert len(list(asking(site).find({SHA256}, "o/r"))) == 1
    assert len([seen for seen in site.requests if "/tree/" in seen.target]) == 1


def test_a_list_without_end_is_left(site: hub.HuggingFace) -> None:
    with pytest.raises(NetworkError, match="more files than are looked through"):
        list(asking(site).find({SHA256}, "o/endless"))
    assert len(site.requests) == 20


@pytest.mark.parametrize("name", ["", "../r", "o/r/s", "o r", "https://h/o/r"])
def test_what_is_no_repository_is_not_asked_for(site: hub.HuggingFace, name: str) -> None:
    with pytest.raises(NetworkError, match="is no name of a Hugging Face repository"):
        list(asking(site).find({SHA256}, name))
    assert site.requests == ()


ODD_TREES = (
    ('{"error": "x"}', "no list of files"),
    ("<html>", "did not answer with JSON"),
    ("[" * 9999, "did not answer with JSON"),
    (
        f'["a", null, {{"path": 7, "lfs": []}}, {{"path": "../a", "lfs": {{"oid": "{SHA256}"}}}}]',
        "",
    ),
)


@pytest.mark.parametrize(("body", "said"), ODD_TREES)
def test_an_odd_list_is_a_clean_failure_or_nothing(body: str, said: str) -> None:
    with serving(lambda exchange: exchange.reply(200, body.encode())) as served:
        search = HuggingFace(client_for({SITE: served.url})).find({SHA256}, "o/r")
        if not said:
            assert list(search) == []
            return
        with pytest.raises(NetworkError, match=said):
            list(search)


ODD_HEADS: tuple[tuple[Mapping[str, str], str], ...] = (
    ({}, "does not say which commit"),
    ({"X-Repo-Commit": "../../evil"}, "does not say which commit"),
    ({"X-Repo-Commit": COMMIT.upper()}, "does not say which commit"),
    ({"X-Repo-Commit": COMMIT, "X-Linked-Etag": '"short"', "X-Linked-Size": "-1"}, ""),
)


@pytest.mark.parametrize(("headers", "problem"), ODD_HEADS)
def test_headers_that_cannot_be_right_are_not_believed(
    headers: Mapping[str, str], problem: str
) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.reply(302, headers={**headers, "Location": "https://cdn.invalid/"})

    with serving(answer) as served:
        found = HuggingFace(client_for({SITE: served.url})).pin(f"{SITE}/o/r/resolve/main/a.bin")
    assert found
    assert problem in found.problem
    assert found.url == f"{SITE}/o/r/resolve/{'main' if problem else COMMIT}/a.bin"
    assert (found.size, found.sha256) == (None, "")
