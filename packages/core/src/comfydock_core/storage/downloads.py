"""Downloads that are verified while they arrive, resumed where that is safe, never put over a file.

``download_queue.py`` works on several files at once, ``download_file.py`` on one of them, from the
sources that ``download_attempt.py`` asks over the connections of ``download_lanes.py``. What has
arrived stays in ``<target>.part`` across runs (``partial_file.py``); what is wrong is deleted and
named.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path

from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.errors import ComfydockError
from comfydock_core.events import Reporter
from comfydock_core.storage.download_checks import DownloadRequest, WrongBytesError
from comfydock_core.storage.download_file import DownloadResult
from comfydock_core.storage.download_limits import DownloadLimits
from comfydock_core.storage.download_queue import DownloadQueue
from comfydock_core.storage.foreign_hashes import is_foreign_key
from comfydock_core.storage.http import HttpClient

__all__ = [
    "DownloadLimits",
    "DownloadRequest",
    "DownloadResult",
    "Downloader",
    "WrongBytesError",
    "fetch_file",
    "model_request",
]


def model_request(
    content: ManifestModel | None, *, urls: tuple[str, ...], target: Path, name: str
) -> DownloadRequest:
    """Ask for a model; what is known of its content is held against what arrives."""
    if content is None:
        return DownloadRequest(urls=urls, target=target, name=name)
    proved = content.sha256_hash or content.blake3_hash
    return DownloadRequest(
        urls=urls,
        target=target,
        name=name,
        size=content.size,
        sha256=content.sha256_hash,
        blake3=content.blake3_hash,
        foreign_hash=content.hash if is_foreign_key(content.hash) and not proved else "",
    )


class Downloader:
    """Fetches files within ``limits``; ``step`` is the stage that progress events name."""

    def __init__(
        self,
        client: HttpClient,
        reporter: Reporter,
        step: str = "models",
        limits: DownloadLimits = DownloadLimits(),  # noqa: B008 (a frozen value)
    ) -> None:
        self._client = client
        self._reporter = reporter
        self._step = step
        self._limits = limits

    def fetch(self, request: DownloadRequest) -> DownloadResult:
        """Bring the file to its target, or raise DownloadError with what every source said.

        A target that is there with the digest that is wanted is a success without a request;
        another file there is a StorageError, and so is a disk that cannot take it.
        """
        queue = DownloadQueue(self._client, self._limits, self._step, [request], announced=False)
        with closing(queue.outcomes(self._reporter)) as outcomes:
            _, outcome = next(outcomes)
        if isinstance(outcome, ComfydockError):
            raise outcome
        return outcome

    def fetch_all(
        self, requests: Iterable[DownloadRequest]
    ) -> Generator[tuple[DownloadRequest, DownloadResult | ComfydockError], None, None]:
        """Yield every request with its outcome as soon as it has one, several at work at once.

        ItemStarted is reported as each begins. The same content wanted in two places is fetched
        once. A full disk is raised and ends them all. Closing the iterator stops the rest; what
        has arrived is kept.
        """
        wanted = list(requests)
        queue = DownloadQueue(self._client, self._limits, self._step, wanted, announced=True)
        return queue.outcomes(self._reporter)


def fetch_file(
    client: HttpClient, url: str, target: Path, *, limit_bytes: int, reporter: Reporter
) -> DownloadResult:
    """Fetch a file of which nothing is known but where it is, e.g. a node's archive.

    Its digests are in the result, for the caller to record or compare.
    """
    request = DownloadRequest(urls=(url,), target=target, limit_bytes=limit_bytes)
    return Downloader(client, reporter, "nodes").fetch(request)
