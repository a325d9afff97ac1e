"""Several files at once: a thread for each of them, and one stream of events for who waits."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

from comfydock_core.errors import ComfydockError, DiskFullError, DownloadError
from comfydock_core.events import Event, ItemStarted, Reporter
from comfydock_core.storage.download_asking import Line
from comfydock_core.storage.download_checks import DownloadRequest, wrong_bytes
from comfydock_core.storage.download_file import DownloadResult, FileDownload
from comfydock_core.storage.download_limits import (
    ConnectionBudget,
    DownloadLimits,
    Stop,
    TransferRate,
)
from comfydock_core.storage.hashing import FullHashes
from comfydock_core.storage.http import HttpClient
from comfydock_core.storage.model_links import link_model

Outcome = DownloadResult | ComfydockError

_LOOK_SECONDS = 0.2
_SECONDS_TO_STOP = 1.0
_AHEAD = 8
"""So many files begin or end on the disk while others have all the connections."""


class DownloadQueue:
    """Works on ``requests`` until each has its outcome; ``announced`` says each as it begins."""

    def __init__(
        self,
        client: HttpClient,
        limits: DownloadLimits,
        step: str,
        requests: Sequence[DownloadRequest],
        *,
        announced: bool,
    ) -> None:
        self._outbox: SimpleQueue[Event | tuple[DownloadRequest, Outcome] | None] = SimpleQueue()
        self._line = Line(
            client=client,
            budget=ConnectionBudget(limits),
            rate=TransferRate(limits.limit_rate),
            stop=Stop(),
            report=self._outbox.put,
            step=step,
        )
        self._announced = announced
        self._twins: SimpleQueue[list[DownloadRequest]] = SimpleQueue()
        groups = twins_of(requests)
        for group in groups:
            self._twins.put(group)
        self._left = len(requests)
        count = min(len(groups), max(limits.connections, limits.in_all) + _AHEAD)
        self._threads = [
            threading.Thread(target=self._work, name="download-file", daemon=True)
            for _ in range(count)
        ]

    def outcomes(
        self, reporter: Reporter
    ) -> Generator[tuple[DownloadRequest, Outcome], None, None]:
        """Yield each request when it is done; a DiskFullError ends them all.

        All events are reported from the thread that iterates. Closing the iterator stops
        everything within about a second; what has arrived is kept.
        """
        working = len(self._threads)
        for thread in self._threads:
            thread.start()
        try:
            while self._left and working:
                item = self._next()
                if item is None:
                    working -= 1
                elif not isinstance(item, tuple):
                    reporter.report(item)
                elif isinstance(item[1], DiskFullError):
                    raise item[1]
                else:
                    self._left -= 1
                    yield item
            if self._left:
                raise DownloadError("a download ended without an outcome")
        finally:
            self._line.stop.set()
            for thread in self._threads:
                thread.join(_SECONDS_TO_STOP / len(self._threads))

    def _next(self) -> Event | tuple[DownloadRequest, Outcome] | None:
        """Wait in small steps: on Windows nothing else lets Ctrl-C through."""
        while True:
            try:
                return self._outbox.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue

    def _work(self) -> None:
        try:
            while not self._line.stop.is_set:
                self._fetch_twins(self._twins.get_nowait())
        except Empty:
            pass
        finally:
            self._outbox.put(None)

    def _fetch_twins(self, group: list[DownloadRequest]) -> None:
        """Fetch the first; the others are the same content, unless that one failed."""
        done: list[DownloadResult] = []
        for request in group:
            outcome = self._fetch(request, done)
            if isinstance(outcome, DownloadResult):
                done.append(outcome)
            self._outbox.put((request, outcome))

    def _fetch(self, request: DownloadRequest, done: list[DownloadResult]) -> Outcome:
        if self._announced:
            started = ItemStarted(step=self._line.step, item=request.shown, size=request.size)
            self._outbox.put(started)
        download = FileDownload(self._line, request)
        try:
            for twin in done:
                if _is_twin(request, twin):
                    return _placed(request, twin, download)
            return download.run()
        except ComfydockError as error:
            return error


def twins_of(requests: Sequence[DownloadRequest]) -> list[list[DownloadRequest]]:
    """Group the requests that want one content or one place, in the order of their first."""
    groups: list[list[DownloadRequest]] = []
    known: dict[object, list[DownloadRequest]] = {}
    for request in requests:
        digests = (request.sha256.lower(), request.blake3.lower())
        keys = [os.path.normcase(request.target), *filter(None, digests)]
        group = next((known[key] for key in keys if key in known), None)
        if group is None:
            group = []
            groups.append(group)
        group.append(request)
        known.update(dict.fromkeys(keys, group))
    return groups


def _is_twin(request: DownloadRequest, result: DownloadResult) -> bool:
    """Whether what was fetched is proved to be what is wanted, too."""
    hashes = FullHashes(blake3=result.blake3, sha256=result.sha256, size=result.size)
    proved = request.provable or request.target == result.path
    return proved and wrong_bytes(request, hashes, "this machine") is None


def _placed(
    request: DownloadRequest, twin: DownloadResult, download: FileDownload
) -> DownloadResult:
    """Make what was fetched appear where it is wanted, too; nothing else that is there goes."""
    if request.target != twin.path and download.present() is None:
        link_model(twin.path, request.target)
    return replace(twin, path=request.target, url="", resumed_from=0)
