"""How fast the hosts of models were when something was last downloaded from them.

``cache/download-speeds.json`` holds bytes a second by host.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

from comfydock_core.errors import ComfydockError, StorageError
from comfydock_core.storage.downloads import DownloadRequest, DownloadResult
from comfydock_core.storage.durable_files import write_durably

Outcomes = Generator[tuple[DownloadRequest, DownloadResult | ComfydockError], None, None]

_FILE = "cache/download-speeds.json"
_USEFUL = 8 << 20
"""Fewer bytes tell how fast a host answers, and not how fast it sends."""


def measured(root: Path, outcomes: Outcomes) -> Outcomes:
    """Pass the outcomes of downloads on, and remember how fast their hosts were, however it ends.

    ``root`` is the workspace's; closing this closes ``outcomes``.
    """
    watch = SpeedWatch()
    try:
        with closing(outcomes):
            for request, outcome in outcomes:
                if isinstance(outcome, DownloadResult):
                    watch.add(outcome)
                yield request, outcome
    finally:
        keep_speeds(root, watch.speeds)


class SpeedWatch:
    """Measures what arrives from each host from the moment it is made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._arrived: dict[str, tuple[int, float]] = {}

    def add(self, result: DownloadResult) -> None:
        """Count a download that has just ended."""
        host = urlsplit(result.url).hostname
        if host:
            before, _ = self._arrived.get(host, (0, 0.0))
            seconds = time.perf_counter() - self._begun
            self._arrived[host] = (before + result.size - result.resumed_from, seconds)

    @property
    def speeds(self) -> dict[str, float]:
        """Bytes a second of the hosts that sent enough of them."""
        return {
            host: size / seconds
            for host, (size, seconds) in self._arrived.items()
            if size >= _USEFUL and seconds > 0
        }


def known_speeds(root: Path) -> dict[str, float]:
    """Return the bytes a second that were measured last, by host."""
    # A file that cannot be read measures nothing.
    with suppress(OSError, ValueError, RecursionError):
        kept = json.loads((root / _FILE).read_bytes())
        if isinstance(kept, dict):
            return {host: speed for host, speed in kept.items() if _is_speed(speed)}
    return {}


def _is_speed(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value > 0


def keep_speeds(root: Path, speeds: Mapping[str, float]) -> None:
    """Remember what was measured in the place of what was known."""
    if speeds:
        # Without it the next estimate is missing, and nothing else.
        with suppress(StorageError):
            text = json.dumps({**known_speeds(root), **speeds}, indent=2, sort_keys=True)
            write_durably(root / _FILE, text.encode())
