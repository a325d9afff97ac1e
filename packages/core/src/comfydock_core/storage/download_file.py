"""One wanted file: recognised if it is there, else brought from its sources in turn, and placed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.errors import DownloadError, NetworkError, StorageError
from comfydock_core.events import ItemProgress, Notice
from comfydock_core.storage.download_asking import Line
from comfydock_core.storage.download_attempt import Brought, SourceAttempt
from comfydock_core.storage.download_checks import (
    DownloadRequest,
    WrongBytesError,
    require_space,
    wrong_bytes,
    wrong_form,
)
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.hashing import FullHashes, full_hashes
from comfydock_core.storage.http_addresses import redact
from comfydock_core.storage.part_lock import PartLock
from comfydock_core.storage.partial_file import PartialFile

_LOCK_LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadResult:
    """A file in its place. ``url`` is the source it came from, empty when it was there already;
    ``resumed_from`` is the number of bytes that an earlier attempt had brought.
    """

    path: Path
    size: int
    sha256: str
    blake3: str
    url: str = ""
    resumed_from: int = 0


class FileDownload:
    """Brings one file to its target; its sources are tried in turn.

    Where size and digest are known, a source goes on with what another one has brought. If that
    turns out to be wrong, each of those sources gets one chance to bring all of it alone.
    """

    def __init__(self, line: Line, request: DownloadRequest) -> None:
        self._line = line
        self._request = request
        self._part = PartialFile(request.target)
        self._lock = PartLock(request.target.with_name(f"{request.target.name}.part.lock"))
        self._waiting = deque(request.urls)
        self._broken_off: list[str] = []
        self._brought_meanwhile = False

    def run(self) -> DownloadResult:
        """Return the file in its place, or raise DownloadError with what every source said."""
        there = self.present()
        if there:
            return there
        with self._alone():
            return self.present() or self._fetch()

    def present(self) -> DownloadResult | None:
        """Recognise a target that is there already by its digest, or because another process was
        seen to bring it from one of these sources; refuse any other file there."""
        request = self._request
        if not os.path.lexists(request.target):
            return None
        if (request.provable or self._brought_meanwhile) and request.target.is_file():
            hashes = full_hashes(request.target, lambda _: self._line.stop.require_going())
            if wrong_bytes(request, hashes, "this machine") is None:
                self._part.discard()
                return _result(request, hashes)
        certainty = "is" if request.provable else "may be"
        raise StorageError(
            f"`{request.target}` is there already and {certainty} another file",
            hint="rename it or move it away, then try again",
            subject=str(request.target),
        )

    def _fetch(self) -> DownloadResult:
        request = self._request
        if request.size is not None:
            require_space(request, request.size)
        failures: list[NetworkError] = []
        while self._waiting:
            url = self._waiting.popleft()
            try:
                return self._from_source(url)
            except NetworkError as error:
                failures.append(error)
                if not isinstance(error, WrongBytesError):
                    self._broken_off.append(url)
                if self._waiting:
                    text = f"{error.sentence}; trying the next source"
                    self._line.report(Notice(text=text, hint=error.hint))
        raise _no_source_left(request, failures)

    def _from_source(self, url: str) -> DownloadResult:
        self._lock.note(self._one_source(url))
        attempt = SourceAttempt(self._line, self._request, url, self._part, self._tell)
        brought = attempt.bring()
        problem = self._problem(brought, attempt.host)
        if problem and brought.kept:
            self._waiting.extend(self._broken_off)
            self._broken_off = []
            brought = attempt.bring()
            problem = self._problem(brought, attempt.host)
        if problem:
            raise problem
        self._part.place(brought.hashes.size)
        return _result(self._request, brought.hashes, url, brought.kept)

    def _problem(self, brought: Brought, host: str) -> WrongBytesError | None:
        """Hold what came against what is known; wrong bytes do not stay."""
        request, path = self._request, self._part.path
        problem = wrong_bytes(request, brought.hashes, host) or wrong_form(request, path, host)
        if problem:
            self._part.discard()
        return problem

    def _tell(self, done: int, total: int | None) -> None:
        line, item = self._line, self._request.shown
        line.report(ItemProgress(step=line.step, item=item, done=done, total=total))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the target's lock; its folder is there then."""
        folder = self._request.target.parent
        try:
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                if not self._lock.take():
                    self._wait()
            yield
        finally:
            self._lock.give_back()

    def _wait(self) -> None:
        shown = self._request.shown
        text = f"`{shown}` is being downloaded by another process: waiting for it"
        self._line.report(Notice(text=text))
        while not self._lock.take():
            self._see_source()
            self._line.stop.pause(_LOCK_LOOK_SECONDS)
        self._see_source()

    def _see_source(self) -> None:
        """Note whether what arrives comes from one of the sources that are wanted here.

        The lock tells it of the smallest file, the state where no system's lock is to be had; what
        a former run left may lie there for a moment, so that both have to agree.
        """
        state = self._part.state()
        seen = {self._lock.noted or None, state.url if state else None} - {None}
        if seen:
            self._brought_meanwhile = seen <= set(map(redact, self._request.urls))

    def _one_source(self, url: str) -> str:
        """Name the one source of all bytes, which it is not if it goes on with those of others."""
        state = self._part.state() if self._request.provable else None
        return redact(url) if state is None or state.url == redact(url) else ""


def _result(
    request: DownloadRequest, hashes: FullHashes, url: str = "", kept: int = 0
) -> DownloadResult:
    return DownloadResult(
        path=request.target,
        size=hashes.size,
        sha256=hashes.sha256,
        blake3=hashes.blake3,
        url=url,
        resumed_from=kept,
    )


def _no_source_left(request: DownloadRequest, failures: list[NetworkError]) -> DownloadError:
    if not failures:
        return DownloadError(
            f"`{request.shown}` has no source to download it from",
            hint="add one with `comfydock model add-source`",
            subject=request.shown,
        )
    causes = (f"{f.sentence} ({f.cause})" if f.cause else f.sentence for f in failures)
    hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
    error = DownloadError(
        f"`{request.shown}` could not be downloaded",
        cause="; ".join(causes),
        hint="; or ".join(hints),
        subject=request.shown,
    )
    error.__cause__ = failures[-1]
    return error
