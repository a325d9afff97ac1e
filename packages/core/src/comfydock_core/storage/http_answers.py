"""What hosts answer, and how a connection fails; refusals are in ``http_refusals.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from urllib3.exceptions import (
    HTTPError,
    IncompleteRead,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as NoAnswerInTime

from comfydock_core.errors import NetworkError
from comfydock_core.storage.http_addresses import redact
from comfydock_core.storage.http_routes import Route


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """The head of an answer: the ``url`` that gave it (it may hold secrets: redact before
    showing), and its headers under lower-case names.

    ``public`` is the address that was meant, where ``url`` may be that of a mirror, and ``service``
    its host. ``linked_sha256`` is the content's sha256 as Hugging Face states it (X-Linked-Etag,
    possibly on an earlier hop), or empty. ``token_place`` names the variable or file whose token
    was sent along; empty means that none was.
    """

    status: int
    url: str
    public: str
    service: str
    headers: Mapping[str, str]
    linked_sha256: str = ""
    token_place: str = ""

    @property
    def length(self) -> int | None:
        """Content-Length in bytes, where it is stated."""
        return whole_number(self.headers.get("content-length", ""))

    @property
    def is_web_page(self) -> bool:
        """Whether it says that it is a page for people."""
        kind = self.headers.get("content-type", "").lower()
        return kind.startswith(("text/html", "application/xhtml"))


class HttpStatusError(NetworkError):
    """A host answered with a status of 400 or more; ``answer`` is what it said."""

    def __init__(self, answer: HttpAnswer, *, sentence: str, hint: str, cause: str) -> None:
        super().__init__(sentence, hint=hint, cause=cause, subject=redact(answer.public))
        self.answer = answer


class NoFileError(NetworkError):
    """An address leads to a page for people, or to nothing that could be downloaded."""


class BodyCutError(NetworkError):
    """A body stopped before its end; asking for the rest may help."""


def whole_number(value: str) -> int | None:
    """Read a header that is a number of bytes; None for anything else."""
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else None


def connection_error(route: Route, error: Exception) -> NetworkError:
    """Make the failure for a request that brought no answer."""
    host = route.origin.shown
    inner = error.original_error if isinstance(error, ProxyError) else error
    if isinstance(error, ProxyError):
        sentence = f"the proxy on the way to `{host}` could not be used"
        hint = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    elif isinstance(error, SSLError):
        sentence = f"`{host}` could not prove who it is"
        hint = "behind a company proxy, set hosts.ca_bundle in config.toml to its certificate"
    elif isinstance(error, NoAnswerInTime) and not isinstance(error, NewConnectionError):
        sentence, hint = f"`{host}` did not answer in time", "try again later"
    else:
        sentence = f"`{host}` could not be reached"
        hint = "check the network connection, then try again"
    return NetworkError(sentence, hint=hint, cause=_reason(inner), subject=host)


def cut_error(route: Route, error: Exception, received: int) -> BodyCutError:
    """Make the failure for a body that stopped after ``received`` bytes."""
    host = route.origin.shown
    stalled = isinstance(error, NoAnswerInTime)
    return BodyCutError(
        f"`{host}` {'sent nothing more' if stalled else 'closed the connection'} "
        f"after {received} bytes",
        hint="try again: what has arrived is kept",
        cause=_reason(error),
        subject=host,
    )


def _reason(error: Exception) -> str:
    """The operating system's words where there are any: urllib3's own may hold a whole URL."""
    if isinstance(error, IncompleteRead):
        return "the body ended too early"
    for inner in (error, error.__cause__, error.__context__, *error.args):
        if isinstance(inner, OSError) and (inner.strerror or inner.args):
            return str(inner.strerror or inner.args[0])
    return type(error).__name__ if isinstance(error, HTTPError) else str(error)
