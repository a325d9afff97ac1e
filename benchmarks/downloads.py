"""Downloads against a bare stream, sha256 alone, the cap of the line, and aria2.

Everything is written to memory where the system has a folder for that: it is the line that is
measured, not the disk. aria2 is a peer only; without it its rows say so.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec

import urllib3
from comfydock_core.domain.settings import HostSettings
from comfydock_core.events import SilentReporter
from comfydock_core.storage.arriving_digests import ArrivingDigests
from comfydock_core.storage.download_pieces import PIECE, Pieces
from comfydock_core.storage.downloads import (
    Downloader,
    DownloadLimits,
    DownloadRequest,
    DownloadResult,
)
from comfydock_core.storage.http import HttpClient

from benchmarks.download_host import Conditions, download_host
from benchmarks.rows import Row, medians

P = ParamSpec("P")

ROUNDS = 5
CAP = 20_000_000
RTT = 0.05
SMALL_FILES = 60
_MIB = 1024 * 1024
_LARGE = 512 * _MIB
_MEDIUM = 100 * _MIB
_READ = _MIB
_ALLOWED = HostSettings(allowed=frozenset({"127.0.0.1"}))
_MEMORY = Path("/dev/shm")


def run() -> list[Row]:
    """Measure speed and memory."""
    base = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="comfydock-bench-", dir=base) as folder:
        root = Path(folder) / "served"
        root.mkdir()
        digest = _make(root)
        place = Path(folder) / "arrived"
        return [
            *_one_stream(root, place, digest),
            *_capped(root, place),
            _small_files(root, place),
            _memory(root, place),
        ]


def _make(root: Path) -> str:
    block = os.urandom(_MIB)
    for name, size in [("large", _LARGE), *((f"m{n}", _MEDIUM) for n in range(8))]:
        with (root / name).open("wb") as file:
            for _ in range(size // _MIB):
                file.write(block)
    for number in range(SMALL_FILES):
        (root / f"s{number}").write_bytes(block[: 50_000 + number])
    return _sha256(root / "large")


def _one_stream(root: Path, place: Path, digest: str) -> Iterator[Row]:
    with download_host(root, Conditions()) as url:
        taken = medians(
            ROUNDS,
            {
                "bare": lambda: _bare(f"{url}/large"),
                "client": lambda: _client(f"{url}/large"),
                "sha256": lambda: _sha256(root / "large"),
                "digests": lambda: _digests(f"{url}/large", digest),
                "download": lambda: _download(f"{url}/large", place, _LARGE, digest),
            },
        )
    yield _row("one stream, read only", _LARGE, taken, ("client", "bare"), ">= 0.9")
    yield _row(
        "one stream with digests, not written", _LARGE, taken, ("digests", "sha256"), ">= 0.75"
    )
    yield _row(
        "one download with digests, written", _LARGE, taken, ("download", "sha256"), ">= 0.75"
    )


def _row(name: str, size: int, taken: dict[str, float], pair: tuple[str, str], target: str) -> Row:
    ours, floor = (taken[which] for which in pair)
    return Row(
        name=name,
        figure=_rate(size / ours),
        floor=f"{_rate(size / floor)} ({pair[1]})",
        ratio=f"{floor / ours:.2f}",
        target=target,
    )


def _capped(root: Path, place: Path) -> Iterator[Row]:
    for name, file, slow, targets in (
        ("8 connections of 20 MB/s, 50 ms", "large", 0, (">= 0.9", ">= 1.15")),
        ("the same, a file of 100 MiB", "m0", 0, ("", ">= 1.15")),
        ("512 MiB, one connection in 5 has 1 MB/s", "large", 5, ("", ">= 1.5")),
    ):
        size, digest = (root / file).stat().st_size, _sha256(root / file)
        ours, peers = [], []
        for _ in range(3):
            # a host of its own for each: which connections are slow starts anew
            with download_host(root, Conditions(cap=CAP, rtt=RTT, slow=slow)) as url:
                ours.append(_seconds(_download, f"{url}/{file}", place, size, digest))
            if shutil.which("aria2c"):
                with download_host(root, Conditions(cap=CAP, rtt=RTT, slow=slow)) as url:
                    peers.append(_seconds(_aria2, f"{url}/{file}", place))
        taken = {"ours": statistics.median(ours), "cap": size / (8 * CAP)}
        yield _row(name, size, taken, ("ours", "cap"), targets[0])
        if peers:
            taken["aria2c -x8 -s8"] = statistics.median(peers)
            yield _row(name, size, taken, ("ours", "aria2c -x8 -s8"), targets[1])
        else:
            yield Row(name=name, figure="", floor="aria2c is not installed", target=targets[1])


def _small_files(root: Path, place: Path) -> Row:
    limits = DownloadLimits(connections=16)
    with download_host(root, Conditions(rtt=RTT)) as url:
        seconds = statistics.median(_seconds(_many, url, place, limits) for _ in range(5))
    return Row(
        name=f"{SMALL_FILES} small files, 50 ms, 16 connections to the host",
        figure=f"{seconds:.2f} s",
        floor=f"{RTT:.2f} s (RTT)",
        ratio=f"{seconds / RTT:.1f}",
        target="<= 5",
    )


def _many(url: str, place: Path, limits: DownloadLimits) -> None:
    requests = [
        DownloadRequest(urls=(f"{url}/s{number}",), target=place / f"s{number}")
        for number in range(SMALL_FILES)
    ]
    _fetch_all(requests, limits)


def _memory(root: Path, place: Path) -> Row:
    with download_host(root, Conditions()) as url:
        command = [sys.executable, "-m", "benchmarks.downloads", url, str(place)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    megabytes = int(done.stdout) / 1000
    return Row(
        name="peak memory of 8 files at once",
        figure=f"{megabytes:.0f} MB",
        floor="120 MB",
        ratio=f"{megabytes / 120:.2f}",
        target="<= 1",
    )


def _print_peak(url: str, place: Path) -> None:
    """Fetch eight files in this process and print the most memory it had, in kB.

    What getrusage says of a child counts the peak of its parent, too.
    """
    requests = [DownloadRequest(urls=(f"{url}/m{n}",), target=place / f"m{n}") for n in range(8)]
    with _cleared(place):
        _fetch_all(requests, DownloadLimits())
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(status.partition("VmHWM:")[2].split()[0])


def _fetch_all(requests: list[DownloadRequest], limits: DownloadLimits) -> None:
    downloader = Downloader(HttpClient(_ALLOWED, {}), SilentReporter(), limits=limits)
    with _cleared(requests[0].target.parent):
        for _, outcome in downloader.fetch_all(requests):
            assert isinstance(outcome, DownloadResult), outcome


def _download(url: str, place: Path, size: int, digest: str) -> None:
    target = place / "model.safetensors.bin"
    request = DownloadRequest(urls=(url,), target=target, size=size, sha256=digest)
    _fetch_all([request], DownloadLimits())


def _aria2(url: str, place: Path) -> None:
    with _cleared(place):
        command = ["aria2c", "-q", "-x8", "-s8", "-d", str(place), "-o", "model.bin", url]
        subprocess.run(command, check=True)


def _bare(url: str) -> None:
    pool = urllib3.PoolManager()
    with pool.request("GET", url, preload_content=False) as response:
        while response.read1(_READ):
            pass


def _client(url: str) -> None:
    with HttpClient(_ALLOWED, {}).stream(url) as stream:
        while stream.read_some(_READ):
            pass


def _digests(url: str, digest: str) -> None:
    """Take a file in as a download does, all but the file."""
    with (
        ArrivingDigests(lambda _, __: 0) as digests,
        HttpClient(_ALLOWED, {}).stream(url) as stream,
    ):
        pieces = Pieces(_LARGE, (), digests, lambda _: None)
        while run := pieces.claim(PIECE, 0.0):
            while left := run.end - run.at:
                chunk = stream.read_some(min(_READ, left))
                pieces.take_in(run, chunk, lambda _, __: None)
            pieces.release(run)
        assert digests.result().sha256 == digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _cleared(place: Path) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    try:
        yield
    finally:
        for path in place.iterdir():
            path.unlink()


def _seconds(act: Callable[P, object], *words: P.args, **named: P.kwargs) -> float:
    begun = time.perf_counter()
    act(*words, **named)
    return time.perf_counter() - begun


def _rate(value: float) -> str:
    return f"{value / 1e6:,.0f} MB/s"


if __name__ == "__main__":
    _print_peak(sys.argv[1], Path(sys.argv[2]))
