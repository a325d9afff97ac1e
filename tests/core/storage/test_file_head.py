"""What hosts say of a file: by HEAD, by its first byte, in odd headers."""

from __future__ import annotations

import pytest
from comfydock_core.errors import NetworkError
from comfydock_core.storage.file_head import FileHead, file_head

from tests.core.storage.host_clients import client_for
from tests.hub.serving import Exchange, SeenRequest, serving

SITE = "https://models.example"
SHA256 = "ab" * 32
DATA = bytes(300_000)


def asked(
    head: tuple[int, dict[str, str]], get: tuple[int, dict[str, str]] | None = None
) -> tuple[FileHead, list[tuple[str, str]]]:
    """What a host that answers so says of ``/a%20b.bin``, and the methods and ranges it saw."""

    def answer(exchange: Exchange) -> None:
        status, headers = head if exchange.command == "HEAD" or not get else get
        exchange.reply(status, DATA if status == 200 else b"\0", headers)

    with serving(answer) as served:
        found = file_head(client_for({SITE: served.url}), f"{SITE}/a%20b.bin")
        return found, [_shown(seen) for seen in served.requests]


def _shown(seen: SeenRequest) -> tuple[str, str]:
    return seen.method, seen.headers.get("range", "")


BINARY = {"Content-Type": "application/octet-stream"}
ONE_BYTE = {"Content-Range": f"bytes 0-0/{len(DATA)}"}


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_host_without_head_is_asked_for_one_byte(status: int) -> None:
    found, requests = asked((status, {}), (206, ONE_BYTE))
    assert found == FileHead(size=len(DATA), sha256="", filename="a b.bin")
    assert requests == [("HEAD", ""), ("GET", "bytes=0-0")]


def test_a_host_without_ranges_is_left_after_its_head() -> None:
    found, requests = asked((405, {}), (200, BINARY))
    assert found.size == len(DATA)
    assert len(requests) == 2


SAID: tuple[tuple[dict[str, str], int | None, str, str], ...] = (
    (BINARY, len(DATA), "", "a b.bin"),
    ({"Content-Disposition": 'attachment; filename="m.sft"'}, len(DATA), "", "m.sft"),
    ({"Content-Disposition": "inline; filename*=UTF-8''m%20%C3%A9.sft"}, len(DATA), "", "m é.sft"),
    ({"Content-Disposition": 'a; filename="../../m.sft"'}, len(DATA), "", "m.sft"),
    ({"Content-Disposition": "a; filename*=no-such'x'%ff%00"}, len(DATA), "", "a b.bin"),
    ({"Content-Disposition": "a; filename*=idna''%ff.bin"}, len(DATA), "", "a b.bin"),
    ({"Content-Disposition": "attachment"}, len(DATA), "", "a b.bin"),
    ({"X-Linked-Etag": f'"{SHA256}"', "X-Linked-Size": "7"}, 7, SHA256, "a b.bin"),
)


@pytest.mark.parametrize(("headers", "size", "sha256", "filename"), SAID)
def test_what_a_head_says_is_read(
    headers: dict[str, str], size: int | None, sha256: str, filename: str
) -> None:
    found, requests = asked((200, headers))
    assert found == FileHead(size=size, sha256=sha256, filename=filename)
    assert requests == [("HEAD", "")]


def test_a_range_of_unknown_length_has_no_size() -> None:
    assert asked((403, {}), (206, {"Content-Range": "bytes 0-0/*"}))[0].size is None


@pytest.mark.parametrize(
    ("head", "get", "said"),
    [
        ((404, {}), None, "has no `https://models.example/a%20b.bin`"),
        ((410, {}), None, "no longer has"),
        ((451, {}), None, "for legal reasons"),
        ((403, {}), (403, {}), "does not give"),
        ((200, {"Content-Type": "text/html; charset=utf-8"}), None, "is a web page"),
        ((405, {}), (200, {"Content-Type": "Text/HTML"}), "is a web page"),
    ],
)
def test_what_is_no_file_is_a_failure(
    head: tuple[int, dict[str, str]], get: tuple[int, dict[str, str]] | None, said: str
) -> None:
    with pytest.raises(NetworkError, match=said):
        asked(head, get)
