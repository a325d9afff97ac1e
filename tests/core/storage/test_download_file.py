from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from comfydock_core.errors import StorageError
from comfydock_core.events import Event, Notice
from comfydock_core.storage.downloads import DownloadResult

from tests.core.storage.downloading import FILE, Recorder, downloader, served_files, unknown
from tests.hub.model_host import ModelHost, model_host

SLOW = "/_/slow=3000000,norange/a.bin"
SMALL = "/_/hold/small.bin"


class Watch(Recorder):
    """Says when a download waits for another process."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Event()

    def report(self, event: Event) -> None:
        super().report(event)
        if isinstance(event, Notice) and "another process" in event.text:
            self.waiting.set()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ModelHost]:
    served_files(tmp_path / "served")
    (tmp_path / "served/small.bin").write_bytes(FILE[:200_000])
    with model_host(tmp_path / "served") as served:
        yield served


def second_of_two(host: ModelHost, target: Path, begun: str, path: str) -> Future[DownloadResult]:
    """Ask for ``path`` while another download, of ``begun``, is under way to the same target."""
    watch = Watch()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(downloader(watch).fetch, unknown(target, host.url + begun))
        host.served.wait_for_requests(1)
        second = pool.submit(downloader(watch).fetch, unknown(target, host.url + path))
        assert watch.waiting.wait(10)
        host.release.set()
        assert first.result(20).url == host.url + begun
        second.exception(20)
    return second


@pytest.mark.parametrize(("path", "size"), [(SLOW, len(FILE)), (SMALL, 200_000)])
def test_what_another_process_brings_from_the_same_address_is_taken(
    host: ModelHost, tmp_path: Path, path: str, size: int
) -> None:
    target = tmp_path / "models/a.bin"
    assert second_of_two(host, target, path, path).result().size == size
    assert target.read_bytes() == FILE[:size]
    assert len(host.served.asked("GET", Path(path).name)) == 1


@pytest.mark.parametrize("path", [SLOW, SMALL])
def test_what_it_brings_from_elsewhere_is_not(host: ModelHost, tmp_path: Path, path: str) -> None:
    second = second_of_two(host, tmp_path / "models/a.bin", path, "/other.bin")
    with pytest.raises(StorageError, match="may be another file"):
        second.result()
