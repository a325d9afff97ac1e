"""The one way to speak HTTP: policy at every hop, bounded patience, failures in sentences.

Rules: https and public addresses unless the user's settings say otherwise, at most five redirects,
a token for its exact host only, no netrc, no compressed bodies (trust.md 5).
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPException

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as NoAnswerInTime

from comfydock_core import __version__
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import NetworkError
from comfydock_core.storage.http_addresses import redact
from comfydock_core.storage.http_answers import (
    BodyCutError,
    HttpAnswer,
    HttpStatusError,
    connection_error,
    cut_error,
)
from comfydock_core.storage.http_connections import Connections, HttpLimits, Message
from comfydock_core.storage.http_patience import watched
from comfydock_core.storage.http_refusals import status_error
from comfydock_core.storage.http_routes import Route, Routes

__all__ = [
    "BodyCutError",
    "HttpAnswer",
    "HttpClient",
    "HttpLimits",
    "HttpStatusError",
    "HttpStream",
    "is_unreachable",
    "json_of",
    "may_pass",
    "redact",
]

JSON_LIMIT = 8 * 1024 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PAUSES = frozenset({429, 503})
_SMALL_BODY = 64 * 1024
_SECONDS_TO_LEAVE = 2.0
_CONNECTION_ERRORS = (HTTPError, HTTPException, OSError)
_SHA256 = re.compile(r"[0-9a-f]{64}")

Pause = Callable[[float], object]
"""Waits for so many seconds, like ``time.sleep``."""


class HttpStream:
    """An answer whose body has not been read yet; ``route`` leads straight to who gave it."""

    def __init__(
        self,
        answer: HttpAnswer,
        response: urllib3.BaseHTTPResponse,
        route: Route,
        patience: float,
    ) -> None:
        self.answer = answer
        self.route = route
        self._response = response
        self._patience = patience
        self._received = 0
        self._is_aborted = False

    def read_some(self, limit: int) -> bytes:
        """Return what has arrived, 1 to ``limit`` bytes; nothing at the true end of the body.

        A body that ends before its stated length, or stalls, is a BodyCutError; all that arrived
        before was returned by earlier calls. Nothing that comes after ``abort`` is believed.
        """
        try:
            data = self._response.read1(limit)
        except _CONNECTION_ERRORS as error:
            raise cut_error(self.route, error, self._received) from error
        except (ValueError, AttributeError) as error:
            # What ssl meets when TLS is taken away under a read.
            if not self._is_aborted:
                raise
            raise cut_error(self.route, error, self._received) from error
        if self._is_aborted:
            # TLS is off by now: what was read may be ciphertext, and an end is not the true one.
            raise cut_error(self.route, ConnectionAbortedError("ended here"), self._received)
        self._received += len(data)
        return data

    def abort(self) -> None:
        """End the body at once; a thread that waits for more of it goes on, with a failure."""
        self._is_aborted = True
        with suppress(OSError, RuntimeError, ValueError):  # it may have ended by itself meanwhile
            self._response.shutdown()

    def read_all(self, limit: int) -> bytes:
        """Return the whole body; more than ``limit`` bytes is a NetworkError.

        A body that brings next to nothing for as long as a read may last is a BodyCutError.
        """
        parts = []
        with watched(self.abort, self._patience, lambda: self._received) as watch:
            try:
                while data := self.read_some(_SMALL_BODY):
                    parts.append(data)
                    self._require_limit(limit)
            except BodyCutError:
                if not watch.is_late:
                    raise
        if watch.is_late:
            # Without a stated length the end that was forced looks like the true one.
            raise cut_error(self.route, NoAnswerInTime("timed out"), self._received)
        return b"".join(parts)

    def _require_limit(self, limit: int) -> None:
        if self._received > limit:
            raise NetworkError(
                f"`{self.answer.service}` answered with more than {limit} bytes",
                hint="that is no answer to this question: check hosts in config.toml",
                subject=redact(self.answer.url),
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hops:
    """Where a request begins, and how it goes on from there."""

    route: Route
    across_hosts: bool
    pause: Pause


class HttpClient:
    """Speaks to hosts for all threads of one piece of work.

    ``environment`` gives tokens, proxies, HF_ENDPOINT and certificates, as ``os.environ`` does.
    """

    def __init__(
        self,
        hosts: HostSettings,
        environment: Mapping[str, str],
        limits: HttpLimits = HttpLimits(),  # noqa: B008 (a frozen value)
    ) -> None:
        self.limits = limits
        self._routes = Routes(hosts, environment)
        self._connections = Connections(self._routes, environment, hosts.ca_bundle, limits)

    def head(self, url: str) -> HttpAnswer:
        """Ask for the head of ``url``; a redirect to another host *is* the answer (status 3xx).

        A status of 400 or more is a HttpStatusError.
        """
        with self._open(
            self._routes.first(url), Message(method="HEAD"), across_hosts=False
        ) as stream:
            return stream.answer

    def get_json(self, url: str, *, limit: int = JSON_LIMIT) -> object:
        """Fetch and parse JSON of at most ``limit`` bytes."""
        message = Message(method="GET", headers={"Accept": "application/json"})
        with self._open(self._routes.first(url), message) as stream:
            return json_of(stream, limit)

    def post_json(self, url: str, payload: object, *, limit: int = JSON_LIMIT) -> object:
        """Send ``payload`` as JSON and parse the JSON answer; redirects are not followed."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        body = json.dumps(payload).encode()
        message = Message(method="POST", headers=headers, body=body)
        with self._open(self._routes.first(url), message) as stream:
            return json_of(stream, limit)

    @contextmanager
    def stream(
        self,
        place: str | Route,
        headers: Mapping[str, str] | None = None,
        pause: Pause = time.sleep,
    ) -> Iterator[HttpStream]:
        """GET a URL, or again where an earlier answer came from, redirects followed.

        The body is read inside the ``with`` block. ``pause`` waits where the host asks for it.
        """
        route = self._routes.first(place) if isinstance(place, str) else place
        message = Message(method="GET", headers=headers or {})
        with self._open(route, message, pause=pause) as stream:
            yield stream

    def close(self) -> None:
        """Close the kept connections."""
        self._connections.close()

    @contextmanager
    def _open(
        self,
        route: Route,
        message: Message,
        *,
        across_hosts: bool = True,
        pause: Pause = time.sleep,
    ) -> Iterator[HttpStream]:
        hops = _Hops(route=route, across_hosts=across_hosts, pause=pause)
        stream, response = self._follow(hops, message)
        try:
            _require_usable(stream.answer, message)
            yield stream
        finally:
            _leave(response)

    def _follow(self, hops: _Hops, message: Message) -> tuple[HttpStream, urllib3.BaseHTTPResponse]:
        route, linked = hops.route, ""
        for _ in range(self.limits.redirects + 1):
            response = self._answer_at(route, message, hops.pause)
            answer = _answer(route, response)
            linked = linked or answer.linked_sha256
            following = self._next(route, response) if message.method != "POST" else None
            if following is None or not (hops.across_hosts or following.origin == route.origin):
                answer = replace(answer, linked_sha256=linked)
                return HttpStream(answer, response, route, self.limits.read_timeout), response
            _leave(response)
            route = following
        asked = redact(str(hops.route.target))
        raise NetworkError(
            f"`{asked}` redirects more than {self.limits.redirects} times",
            hint="check the address in a browser",
            subject=asked,
        )

    def _next(self, route: Route, response: urllib3.BaseHTTPResponse) -> Route | None:
        location = response.headers.get("Location", "")
        if response.status not in _REDIRECTS or not location:
            return None
        return self._routes.onward(route, location)

    def _answer_at(self, route: Route, message: Message, pause: Pause) -> urllib3.BaseHTTPResponse:
        """Get the answer of one hop, again after a pause where the host asks for one."""
        message = replace(message, headers=_headers(route, message))
        for attempt in range(self.limits.attempts - 1):
            response = self._send(route, message)
            if response.status not in _PAUSES:
                return response
            wished = _wished_pause(response)
            _leave(response)
            wait = self.limits.first_wait * 2**attempt if wished is None else wished
            pause(min(wait, self.limits.longest_wait))
        return self._send(route, message)

    def _send(
        self, route: Route, message: Message, *, again: bool = True
    ) -> urllib3.BaseHTTPResponse:
        """Send once, and once more when a kept connection turns out to be dead."""
        try:
            return self._connections.send(route, message)
        except _CONNECTION_ERRORS as error:
            if again and isinstance(error, ProtocolError) and message.method != "POST":
                return self._send(route, message, again=False)
            raise connection_error(route, error) from error


def may_pass(error: NetworkError) -> bool:
    """Whether the same request may succeed a little later: the connection failed, not the host."""
    passing = (BodyCutError, ProtocolError, NewConnectionError, NoAnswerInTime)
    return isinstance(error, passing) or isinstance(error.__cause__, passing)


def is_unreachable(error: NetworkError) -> bool:
    """Whether nobody answered, so that nothing is known of what was asked for."""
    return not isinstance(error, HttpStatusError) and isinstance(
        error.__cause__, _CONNECTION_ERRORS
    )


def _headers(route: Route, message: Message) -> dict[str, str]:
    return {
        "User-Agent": f"comfydock/{__version__}",
        "Accept-Encoding": "identity",
        **message.headers,
        **route.headers,
    }


def _answer(route: Route, response: urllib3.BaseHTTPResponse) -> HttpAnswer:
    linked = response.headers.get("X-Linked-Etag", "").strip('"').lower()
    return HttpAnswer(
        status=response.status,
        url=str(route.target),
        public=route.public,
        service=route.service,
        headers={name.lower(): value for name, value in response.headers.items()},
        linked_sha256=linked if _SHA256.fullmatch(linked) else "",
        token_place=route.token.place if route.token else "",
    )


def _require_usable(answer: HttpAnswer, message: Message) -> None:
    """Refuse failures, bodies in an encoding nobody asked for, and redirects that lead nowhere."""
    if answer.status >= 400:
        raise status_error(answer)
    if message.method == "HEAD":
        return
    encoding = answer.headers.get("content-encoding", "identity")
    if answer.status not in (200, 206) or encoding.lower() != "identity":
        raise NetworkError(
            f"`{answer.service}` gave an answer that cannot be used for `{redact(answer.url)}`",
            cause=f"HTTP {answer.status}, encoding {encoding[:40]}",
            hint="check the address in a browser",
            subject=redact(answer.url),
        )


def _wished_pause(response: urllib3.BaseHTTPResponse) -> float | None:
    """Seconds that Retry-After asks for, as a number or a date; None where it says nothing."""
    value = response.headers.get("Retry-After", "")
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    with suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None


def _leave(response: urllib3.BaseHTTPResponse) -> None:
    """Keep the connection when little is left to read on it, else close it."""
    left = response.length_remaining
    if left == 0:
        response.drain_conn()
    elif left is not None and left <= _SMALL_BODY:
        with watched(response.shutdown, _SECONDS_TO_LEAVE):
            response.drain_conn()
    response.close()


def json_of(stream: HttpStream, limit: int) -> object:
    """Read a body as JSON of at most ``limit`` bytes; anything else is a NetworkError."""
    body = stream.read_all(limit)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NetworkError(
            f"`{stream.answer.service}` did not answer with JSON",
            cause=str(error)[:200],
            hint="a login page or a proxy may be in between: check the address in a browser",
            subject=redact(stream.answer.url),
        ) from error
