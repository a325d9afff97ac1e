"""Downloads that are verified while they arrive, resumed where that is safe, never put over a file.

One request goes through its sources in turn. What has arrived stays in ``<target>.part`` across
runs (``partial_file.py``); what is wrong is deleted and named.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.errors import DownloadError, NetworkError, StorageError
from comfydock_core.events import ItemProgress, Notice, Reporter
from comfydock_core.storage.arriving_digests import ArrivingDigests
from comfydock_core.storage.download_checks import (
    DownloadRequest,
    WrongBytesError,
    continues,
    require_limit,
    require_model_answer,
    require_model_start,
    require_space,
    validator_of,
    whole_size,
    wrong_bytes,
    wrong_form,
)
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.hashing import FullHashes, full_hashes
from comfydock_core.storage.http import (
    BodyCutError,
    HttpClient,
    HttpStatusError,
    HttpStream,
    redact,
)
from comfydock_core.storage.http_addresses import origin_of, parsed
from comfydock_core.storage.partial_file import READ_SIZE, PartialFile, PartState

__all__ = [
    "DownloadRequest",
    "DownloadResult",
    "Downloader",
    "WrongBytesError",
    "fetch_file",
    "model_request",
]

_TRIES_WITHOUT_GAIN = 2
_SECONDS_BETWEEN_EVENTS = 0.1


def model_request(
    content: ManifestModel | None, *, urls: tuple[str, ...], target: Path, name: str
) -> DownloadRequest:
    """Ask for a model; what is known of its content is held against what arrives."""
    if content is None:
        return DownloadRequest(urls=urls, target=target, name=name)
    return DownloadRequest(
        urls=urls,
        target=target,
        name=name,
        size=content.size,
        sha256=content.sha256_hash,
        blake3=content.blake3_hash,
    )


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """One of the places that are tried for one request."""

    url: str
    request: DownloadRequest
    part: PartialFile


@dataclass(frozen=True, kw_only=True, slots=True)
class _Brought:
    hashes: FullHashes
    resumed_from: int


class Downloader:
    """Fetches files one by one; ``step`` is the stage that progress events name."""

    def __init__(self, client: HttpClient, reporter: Reporter, step: str = "models") -> None:
        self._client = client
        self._reporter = reporter
        self._step = step

    def fetch(self, request: DownloadRequest) -> DownloadResult:
        """Bring the file to its target, or raise DownloadError with what every source said.

        A target that is there with the digest that is wanted is a success without a request;
        another file there is a StorageError, and so is a disk that cannot take it.
        """
        there = _present(request)
        if there:
            return there
        with self._alone(request):
            return _present(request) or self._fetch_alone(request)

    def _fetch_alone(self, request: DownloadRequest) -> DownloadResult:
        part = PartialFile(request.target)
        if request.size is not None:
            require_space(request, request.size, part.size())
        failures: list[NetworkError] = []
        for url in request.urls:
            try:
                return self._from_source(_Source(url=url, request=request, part=part))
            except NetworkError as error:
                failures.append(error)
                if len(failures) < len(request.urls):
                    text = f"{error.sentence}; trying the next source"
                    self._reporter.report(Notice(text=text, hint=error.hint))
        raise _no_source_left(request, failures)

    def _from_source(self, source: _Source) -> DownloadResult:
        """Go on after broken connections for as long as each attempt gains something."""
        part = source.part
        best, tries = part.size(), 0
        while True:
            failure: NetworkError | None
            try:
                brought = self._bring(source)
            except BodyCutError as error:
                failure = error
            else:
                failure = _problem(source, brought.hashes)
                if failure is None:
                    part.place()
                    return _result(source.request, brought, source.url)
                part.discard()
                if not brought.resumed_from:
                    raise failure
            gained = part.size() - best
            best, tries = max(best, part.size()), 0 if gained >= READ_SIZE else tries + 1
            if tries >= _TRIES_WITHOUT_GAIN:
                raise failure

    def _bring(self, source: _Source) -> _Brought:
        """Fetch the rest where that is safe, else all of it."""
        state, arrived = source.part.state(), source.part.size()
        if state and arrived and state.url == redact(source.url) and state.validator:
            if arrived == state.size and source.request.provable:
                return _Brought(hashes=full_hashes(source.part.path), resumed_from=arrived)
            rest = self._bring_rest(source, state, arrived)
            if rest:
                return rest
        with self._client.stream(source.url) as stream:
            return self._receive(stream, 0, source)

    def _bring_rest(self, source: _Source, state: PartState, offset: int) -> _Brought | None:
        """Ask for what is missing; None when the host does not give exactly that."""
        headers = {"Range": f"bytes={offset}-"}
        if state.validator.startswith('"'):
            headers["If-Range"] = state.validator
        try:
            with self._client.stream(source.url, headers) as stream:
                if continues(stream.answer, offset, state):
                    return self._receive(stream, offset, source)
                if stream.answer.status == 200:
                    return self._receive(stream, 0, source)
        except HttpStatusError as error:
            if error.answer.status != 416:
                raise
        return None

    def _receive(self, stream: HttpStream, offset: int, source: _Source) -> _Brought:
        """Write and hash the body from ``offset``; bytes that cannot be right are deleted."""
        answer, request = stream.answer, source.request
        require_model_answer(request, answer, offset)
        size = whole_size(request, answer, offset)
        if offset == 0:
            require_space(request, size or 0, source.part.size())
            state = PartState(url=redact(source.url), validator=validator_of(answer), size=size)
            source.part.start(state)
        try:
            hashes = self._write_body(stream, offset, size, source)
        except WrongBytesError:
            source.part.discard()
            raise
        if size is not None and hashes.size < size:
            raise BodyCutError(
                f"`{answer.service}` sent {hashes.size} of {size} bytes",
                hint="try again: what has arrived is kept",
            )
        return _Brought(hashes=hashes, resumed_from=offset)

    def _write_body(
        self, stream: HttpStream, offset: int, size: int | None, source: _Source
    ) -> FullHashes:
        arrived, told = offset, 0.0
        request, part = source.request, source.part
        with ArrivingDigests() as digests, part.appending(offset, digests) as descriptor:
            while chunk := stream.read_some(READ_SIZE):
                if arrived == 0:
                    require_model_start(request, stream.answer, chunk)
                arrived += len(chunk)
                require_limit(request, arrived)
                digests.feed(chunk)
                part.write(descriptor, chunk)
                if time.monotonic() - told >= _SECONDS_BETWEEN_EVENTS:
                    told = time.monotonic()
                    self._tell(request, arrived, size)
            return digests.result()

    def _tell(self, request: DownloadRequest, done: int, total: int | None) -> None:
        progress = ItemProgress(step=self._step, item=request.shown, done=done, total=total)
        self._reporter.report(progress)

    @contextmanager
    def _alone(self, request: DownloadRequest) -> Iterator[None]:
        """Hold the target's lock. Its file goes while the lock is held, which filelock allows for:
        whoever waited on the old file notices and starts over with a new one."""
        path = request.target.with_name(request.target.name + ".part.lock")
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                text = f"`{request.shown}` is being downloaded by another process: waiting for it"
                self._reporter.report(Notice(text=text))
                lock.acquire()
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
            lock.release()


def fetch_file(
    client: HttpClient, url: str, target: Path, *, limit_bytes: int, reporter: Reporter
) -> DownloadResult:
    """Fetch a file of which nothing is known but where it is, e.g. a node's archive.

    Its digests are in the result, for the caller to record or compare.
    """
    request = DownloadRequest(urls=(url,), target=target, limit_bytes=limit_bytes)
    return Downloader(client, reporter, "nodes").fetch(request)


def _present(request: DownloadRequest) -> DownloadResult | None:
    """Recognise a target that is there already by its digest; refuse any other file there."""
    target = request.target
    if not os.path.lexists(target):
        return None
    if request.provable and target.is_file():
        hashes = full_hashes(target)
        if wrong_bytes(request, hashes, "this machine") is None:
            leftover = PartialFile(target)
            if leftover.size():
                leftover.discard()
            return _result(request, _Brought(hashes=hashes, resumed_from=0), "")
    certainty = "is" if request.provable else "may be"
    raise StorageError(
        f"`{target}` is there already and {certainty} another file",
        hint="rename it or move it away, then try again",
        subject=str(target),
    )


def _problem(source: _Source, found: FullHashes) -> WrongBytesError | None:
    host = origin_of(parsed(source.url)).shown
    wrong = wrong_bytes(source.request, found, host)
    return wrong or wrong_form(source.request, source.part.path, host)


def _result(request: DownloadRequest, brought: _Brought, url: str) -> DownloadResult:
    hashes = brought.hashes
    return DownloadResult(
        path=request.target,
        size=hashes.size,
        sha256=hashes.sha256,
        blake3=hashes.blake3,
        url=url,
        resumed_from=brought.resumed_from,
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
