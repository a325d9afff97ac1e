"""Where tokens are found, and for whom they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.storage.host_tokens import SIGN_INS, Token, tokens
from comfydock_core.storage.http_addresses import Origin

HUGGING_FACE = Origin(scheme="https", host="huggingface.co", port=443)
MIRROR = Origin(scheme="https", host="mirror.example", port=8443)


def place_and_value(token: Token | None) -> tuple[str, str] | None:
    return (token.place, token.value) if token else None


@pytest.mark.parametrize(
    ("environment", "host", "expected"),
    [
        ({"HF_TOKEN": " a\n", "HUGGING_FACE_HUB_TOKEN": "b"}, "huggingface.co", ("HF_TOKEN", "a")),
        ({"HUGGING_FACE_HUB_TOKEN": "b"}, "huggingface.co", ("HUGGING_FACE_HUB_TOKEN", "b")),
        ({"CIVITAI_API_KEY": "c"}, "civitai.red", ("CIVITAI_API_KEY", "c")),
        ({"CIVITAI_API_TOKEN": "c"}, "civitai.com", ("CIVITAI_API_TOKEN", "c")),
        ({"GH_TOKEN": "g"}, "github.com", ("GH_TOKEN", "g")),
        ({"GITHUB_TOKEN": "g", "GH_TOKEN": "h"}, "api.github.com", ("GITHUB_TOKEN", "g")),
        ({"HF_TOKEN": "  "}, "huggingface.co", None),
        ({"HF_TOKEN": "a"}, "civitai.com", None),
    ],
)
def test_a_variable_is_for_its_own_hosts(
    environment: dict[str, str], host: str, expected: tuple[str, str] | None
) -> None:
    found = tokens(environment, None)
    assert place_and_value(found.get(Origin(scheme="https", host=host, port=443))) == expected
    owners = {owner.host for owner in found}
    assert all(SIGN_INS[owner] == SIGN_INS[host] for owner in owners if expected)


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"HF_TOKEN_PATH": "{root}/mine"}, "mine"),
        ({"HF_TOKEN_PATH": "~/mine", "HOME": "{root}"}, "mine"),
        ({"HF_HOME": "{root}/hf", "HOME": "/nowhere"}, "hf/token"),
        ({"XDG_CACHE_HOME": "{root}/c", "HOME": "/nowhere"}, "c/huggingface/token"),
        ({"HOME": "{root}"}, ".cache/huggingface/token"),
        ({"USERPROFILE": "{root}"}, ".cache/huggingface/token"),
    ],
)
def test_the_token_file_is_where_hugging_face_keeps_it(
    tmp_path: Path, variables: dict[str, str], place: str
) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hf_filed\n")
    path.chmod(0o644)
    environment = {name: value.format(root=tmp_path) for name, value in variables.items()}
    assert place_and_value(tokens(environment, None)[HUGGING_FACE]) == (str(path), "hf_filed")


ABSURD = (b"", b"\n", b"two words", b"\xff\xfe", b"a\x00b", b"x" * 5000, "tökén".encode())


@pytest.mark.parametrize("content", ABSURD)
def test_a_file_that_holds_no_token_counts_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    assert tokens({"HF_TOKEN_PATH": str(path)}, None) == {}


def test_what_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
    for place in (pipe, tmp_path, tmp_path / "missing", tmp_path / "missing" / "token", "a\0b"):
        assert tokens({"HF_TOKEN_PATH": str(place)}, None) == {}
    assert tokens({}, MIRROR) == {}


def test_the_endpoint_gets_the_variable_and_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_filed")
    environment = {"HF_HOME": str(tmp_path)}
    assert set(tokens(environment, MIRROR)) == {HUGGING_FACE}
    found = tokens({**environment, "HF_TOKEN": "hf_set"}, MIRROR)
    assert {owner: token.value for owner, token in found.items()} == {
        HUGGING_FACE: "hf_set",
        MIRROR: "hf_set",
    }


def test_a_token_does_not_show_itself() -> None:
    assert "SECRET" not in repr(Token(value="SECRET", place="HF_TOKEN"))
