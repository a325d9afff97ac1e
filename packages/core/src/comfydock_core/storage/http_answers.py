"""What hosts answer, and what a refusal means to the person who asked."""

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
from comfydock_core.storage.http_routes import TOKEN_VARIABLES, Route


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """The head of an answer: the ``url`` that gave it (it may hold secrets: redact before
    showing), and its headers under lower-case names.

    ``service`` is the public host that was meant. ``linked_sha256`` is the content's sha256 as
    Hugging Face states it (X-Linked-Etag, possibly on an earlier hop), or empty.
    """

    status: int
    url: str
    service: str
    headers: Mapping[str, str]
    linked_sha256: str = ""

    @property
    def length(self) -> int | None:
        """Content-Length in bytes, where it is stated."""
        value = self.headers.get("content-length", "")
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else None


class HttpStatusError(NetworkError):
    """A host answered with a status of 400 or more; ``answer`` is what it said."""

    def __init__(self, answer: HttpAnswer, *, sentence: str, hint: str, cause: str) -> None:
        super().__init__(sentence, hint=hint, cause=cause, subject=redact(answer.url))
        self.answer = answer


class BodyCutError(NetworkError):
    """A body stopped before its end; asking for the rest may help."""


_GATED = "GatedRepo"
_MEANINGS = {
    401: "wants to know who asks for `{url}`",
    403: "does not give `{url}` to you",
    404: "has no `{url}`",
    410: "no longer has `{url}`",
    416: "does not have the rest of `{url}`",
    429: "asks for fewer requests",
    451: "may not give out `{url}` for legal reasons",
}
_HINTS = {
    404: "check the address; it may have been renamed, unpublished or made private",
    410: "look for another source of the same file",
    429: "wait a few minutes, then run the same command again",
    451: "look for another source of the same file",
}


def status_error(answer: HttpAnswer) -> HttpStatusError:
    """Make the failure for an answer of 400 or more: host, meaning, what to do."""
    status, shown = answer.status, redact(answer.url)
    code = answer.headers.get("x-error-code", "")
    meaning = _MEANINGS.get(status, "is in trouble" if status >= 500 else "refused `{url}`")
    hint = _HINTS.get(status, "try again later" if status >= 500 else "check the address")
    if code == _GATED:
        meaning = "gives `{url}` only to people who accepted its licence"
    if status in (401, 403):
        hint = _access_hint(answer, gated=code == _GATED)
    return HttpStatusError(
        answer,
        sentence=f"`{answer.service}` {meaning.format(url=shown)}",
        hint=hint,
        cause=f"HTTP {status}" + (f", {code[:60]}" if code else ""),
    )


def _access_hint(answer: HttpAnswer, *, gated: bool) -> str:
    variable = token_variable(answer.service)
    if gated:
        page = redact(answer.url).partition("/resolve/")[0]
        return f"accept the licence at {page}, then set {variable or 'HF_TOKEN'}"
    if variable:
        return f"set {variable} to a token that may read it"
    return "it cannot be fetched without signing in: fetch it by hand, or use another source"


def token_variable(service: str) -> str:
    """Return the environment variable that holds the token of a public host, or nothing."""
    return TOKEN_VARIABLES.get(service, ("",))[0]


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
