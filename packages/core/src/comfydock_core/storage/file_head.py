"""What a host says of a file before anybody downloads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from urllib.parse import unquote

from comfydock_core.domain.model_sources import safe_filename
from comfydock_core.storage.http import HttpClient, HttpStatusError, redact
from comfydock_core.storage.http_addresses import parsed
from comfydock_core.storage.http_answers import HttpAnswer, NoFileError, whole_number

_HEAD_REFUSED = frozenset({403, 405, 501})
_ONE_BYTE = {"Range": "bytes=0-0"}
_WHOLE = re.compile(r"bytes 0-0/(\d{1,19})")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileHead:
    """``size`` in bytes and ``sha256`` in hex where the host states them."""

    size: int | None
    sha256: str
    filename: str


def file_head(client: HttpClient, url: str) -> FileHead:
    """Ask what ``url`` leads to, with HEAD where the host allows it, else for the first byte.

    Storage that redirects lead to is often signed for GET alone, so it is asked for the byte too.
    A refusal, and a web page in place of a file, is a NetworkError.
    """
    answer = _answer_to_head(client, url)
    if answer is None:
        with client.stream(url, _ONE_BYTE) as stream:
            answer = stream.answer
    refuse_web_page(answer)
    return FileHead(
        size=_size(answer),
        sha256=answer.linked_sha256,
        filename=_disposition(answer) or name_in(url),
    )


def refuse_web_page(answer: HttpAnswer) -> None:
    """Raise NetworkError for an answer that is a page for people, not just a redirect."""
    if answer.is_web_page and answer.status < 300:
        raise NoFileError(
            f"`{redact(answer.public)}` is a web page, not a file",
            hint="copy the address of the file itself; a page that asks to sign in needs a token",
            subject=redact(answer.public),
        )


def name_in(url: str) -> str:
    """Return the file name that an address ends with, or nothing."""
    return safe_filename(unquote(parsed(url).path or ""))


def _answer_to_head(client: HttpClient, url: str) -> HttpAnswer | None:
    try:
        answer = client.head(url)
    except HttpStatusError as error:
        if error.answer.status not in _HEAD_REFUSED:
            raise
        return None
    return answer if answer.status < 300 else None


def _size(answer: HttpAnswer) -> int | None:
    if answer.status == 206:
        match = _WHOLE.fullmatch(answer.headers.get("content-range", ""))
        return int(match[1]) if match else None
    return whole_number(answer.headers.get("x-linked-size", "")) or answer.length


def _disposition(answer: HttpAnswer) -> str:
    """Read the name in Content-Disposition, in either of its two forms (RFC 6266)."""
    message = Message()
    message["Content-Disposition"] = answer.headers.get("content-disposition", "")
    try:
        return safe_filename(message.get_filename())
    except UnicodeError:
        return ""  # some of Python's encodings, which the header may name, raise that
