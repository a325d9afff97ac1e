"""What the tests of downloads share: a host with files, requests for them, a recorder."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

from blake3 import blake3
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import ComfydockError
from comfydock_core.events import Event
from comfydock_core.storage.downloads import Downloader, DownloadLimits, DownloadRequest
from comfydock_core.storage.http import HttpClient, HttpLimits

QUICK = HttpLimits(connect_timeout=5, read_timeout=10, first_wait=0.01, longest_wait=0.05)
IMPATIENT = replace(QUICK, read_timeout=0.3)
LOOPBACK = HostSettings(allowed=frozenset({"127.0.0.1"}))
SIZE = 3_000_000
FILE = random.Random(7).randbytes(SIZE)
SHA256 = hashlib.sha256(FILE).hexdigest()
BLAKE3 = blake3(FILE).hexdigest()
OTHER = b"other" + FILE[5:]
ETAG = f'"{SHA256[:32]}"'
BIG_SIZE = 12_000_000
BIG = random.Random(8).randbytes(BIG_SIZE)
BIG_SHA256 = hashlib.sha256(BIG).hexdigest()
REPOSITORY = Path(__file__).parents[3]


class Recorder:
    """Keeps the events of one test."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


def served_files(root: Path) -> None:
    """Make the files that the host of these tests has."""
    root.mkdir()
    (root / "a.bin").write_bytes(FILE)
    (root / "big.bin").write_bytes(BIG)
    (root / "empty.bin").write_bytes(b"")
    (root / "other.bin").write_bytes(OTHER)
    header = json.dumps({"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    tensors = len(header).to_bytes(8, "little") + header + b"data"
    (root / "whole.safetensors").write_bytes(tensors)
    (root / "short.safetensors").write_bytes(tensors[:-1])


def downloader(
    recorder: Recorder | None = None,
    limits: HttpLimits = QUICK,
    line: DownloadLimits = DownloadLimits(),  # noqa: B008 (a frozen value)
) -> Downloader:
    client = HttpClient(LOOPBACK, {}, limits)
    return Downloader(client, recorder or Recorder(), limits=line)


def wanted(target: Path, *urls: str) -> DownloadRequest:
    return DownloadRequest(urls=urls, target=target, size=SIZE, sha256=SHA256, blake3=BLAKE3)


def unknown(target: Path, *urls: str) -> DownloadRequest:
    return DownloadRequest(urls=urls, target=target)


def big(target: Path, *urls: str) -> DownloadRequest:
    return DownloadRequest(urls=urls, target=target, size=BIG_SIZE, sha256=BIG_SHA256)


def other(target: Path, *urls: str) -> DownloadRequest:
    digest = hashlib.sha256(OTHER).hexdigest()
    return DownloadRequest(urls=urls, target=target, size=SIZE, sha256=digest)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def words(error: ComfydockError) -> str:
    return " ".join((error.sentence, error.cause, error.hint))


def begun(target: Path, data: bytes, **state: object) -> None:
    """Write what a killed run may have left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_name(f"{target.name}.part").write_bytes(data)
    known = {"validator": ETAG, "size": SIZE, "boot": "", "arrived": [[0, len(data)]], **state}
    target.with_name(f"{target.name}.part.json").write_text(json.dumps(known))
