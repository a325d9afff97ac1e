"""Connections that share a file, and their end."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.errors import CancelledError
from comfydock_core.storage.download_asking import Line
from comfydock_core.storage.download_attempt import SourceAttempt
from comfydock_core.storage.download_limits import (
    ConnectionBudget,
    DownloadLimits,
    Stop,
    TransferRate,
)
from comfydock_core.storage.http import HttpClient
from comfydock_core.storage.partial_file import PartialFile

from tests.core.storage.downloading import LOOPBACK, QUICK, Recorder, big, served_files
from tests.hub.model_host import model_host


@pytest.mark.timeout(30)
def test_no_connection_is_added_to_what_was_stopped_meanwhile(tmp_path: Path) -> None:
    served_files(tmp_path / "served")
    stop = Stop()
    line = Line(
        client=HttpClient(LOOPBACK, {}, QUICK),
        budget=ConnectionBudget(DownloadLimits()),
        rate=TransferRate(None),
        stop=stop,
        report=Recorder().report,
        step="models",
    )

    def stop_before_more_are_invited(done: int, _: int | None) -> None:
        if done:
            stop.set()

    target = tmp_path / "big.bin"
    with model_host(tmp_path / "served") as host:
        url = f"{host.url}/_/slow=2000000/big.bin"
        request = big(target, url)
        attempt = SourceAttempt(
            line, request, url, PartialFile(target), stop_before_more_are_invited
        )
        with pytest.raises(CancelledError):
            attempt.bring()
        assert host.most_at_once == 1
