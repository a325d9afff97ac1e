"""Asking for a file or a part of it, and the answer while it is being read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from comfydock_core.errors import NetworkError
from comfydock_core.events import Event
from comfydock_core.storage.download_checks import DownloadRequest
from comfydock_core.storage.download_limits import ConnectionBudget, Stop, TransferRate
from comfydock_core.storage.download_pieces import ENDLESS
from comfydock_core.storage.http import HttpClient, HttpStream
from comfydock_core.storage.http_routes import Route
from comfydock_core.storage.local_source import LocalStream
from comfydock_core.storage.partial_file import PartState


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What all downloads of a run share."""

    client: HttpClient
    budget: ConnectionBudget
    rate: TransferRate
    stop: Stop
    report: Callable[[Event], None]
    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One of the places of one file; ``host`` is whose connections it takes."""

    url: str
    host: str
    request: DownloadRequest


Stream = HttpStream | LocalStream


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """An answer that is being read, maybe by another thread than the one that asked."""

    stream: Stream
    stack: ExitStack


class StartOverError(NetworkError):
    """What has arrived cannot be gone on with; ``answered`` is the whole file, where it came."""

    def __init__(self, sentence: str, answered: Answered | None = None) -> None:
        super().__init__(sentence, hint="try again, or add another source of the same file")
        self.answered = answered


def opened(line: Line, place: str | Route, headers: dict[str, str]) -> Answered:
    """Ask, and hand over the answer; whoever reads it closes the stack."""
    with ExitStack() as stack:
        stream = stack.enter_context(line.client.stream(place, headers, line.stop.pause))
        line.stop.require_going()
        return Answered(stream=stream, stack=stack.pop_all())


def range_headers(start: int, end: int, state: PartState) -> dict[str, str]:
    """Ask for the bytes ``start`` to ``end`` of exactly what ``state`` describes."""
    last = "" if end in (state.size, ENDLESS) else end - 1
    headers = {"Range": f"bytes={start}-{last}"}
    if state.validator.startswith('"'):
        headers["If-Range"] = state.validator
    return headers
