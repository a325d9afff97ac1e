"""Several downloads at once: bounded, each content once, stoppable, also across processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.errors import DiskFullError, DownloadError
from comfydock_core.events import Event, ItemProgress, ItemStarted
from comfydock_core.storage.downloads import DownloadLimits, DownloadRequest, DownloadResult
from comfydock_core.storage.partial_file import PartialFile

from tests.core.storage.downloading import (
    BIG,
    BIG_SIZE,
    FILE,
    REPOSITORY,
    SHA256,
    SIZE,
    Recorder,
    big,
    downloader,
    left_in,
    served_files,
    unknown,
    wanted,
)
from tests.hub.model_host import ModelHost, model_host

ONE = DownloadLimits(connections=1, in_all=1)
"""What a host sends is what was asked for: no connection takes over what another one brings."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ModelHost]:
    served_files(tmp_path / "served")
    with model_host(tmp_path / "served") as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def sizes(outcomes: Iterator[tuple[DownloadRequest, object]]) -> dict[str, int]:
    found = {}
    for request, outcome in outcomes:
        assert isinstance(outcome, DownloadResult), outcome
        found[request.target.name] = outcome.size
    return found


def many(host: ModelHost, folder: Path, count: int, fault: str) -> list[DownloadRequest]:
    return [unknown(folder / f"{n}.bin", f"{host.url}/_/{fault}/a.bin?{n}") for n in range(count)]


def test_connections_are_bounded_per_host_and_in_all(host: ModelHost, folder: Path) -> None:
    line = DownloadLimits(connections=3, in_all=5)
    assert len(sizes(downloader(line=line).fetch_all(many(host, folder, 12, "rtt=0.05")))) == 12
    assert host.most_at_once == 3
    with model_host(folder.parent / "served") as other:
        host.most_at_once = 0
        wishes = [*many(host, folder, 9, "rtt=0.1"), *many(other, folder / "b", 9, "rtt=0.1")]
        for wish in wishes[:9]:
            wish.target.unlink(missing_ok=True)
        sizes(downloader(line=line).fetch_all(wishes))
        assert 4 <= host.most_at_once + other.most_at_once <= 6


def test_a_small_file_is_one_request(host: ModelHost, folder: Path) -> None:
    sizes(downloader().fetch_all(many(host, folder, 20, "redir")))
    assert len(host.requests) == 40


def test_success_and_failure_come_as_they_are_done(host: ModelHost, folder: Path) -> None:
    wishes = [
        wanted(folder / "slow.bin", f"{host.url}/_/hold/a.bin"),
        big(folder / "gone.bin", f"{host.url}/gone"),
    ]
    outcomes = downloader().fetch_all(wishes)
    request, outcome = next(outcomes)
    assert request.target.name == "gone.bin"
    assert isinstance(outcome, DownloadError)
    host.release.set()
    assert sizes(outcomes) == {"slow.bin": SIZE}


def test_events_come_one_at_a_time_from_who_waits(host: ModelHost, folder: Path) -> None:
    threads = set()

    class Watchful(Recorder):
        def report(self, event: Event) -> None:
            threads.add(threading.current_thread())
            super().report(event)

    recorder = Watchful()
    sizes(downloader(recorder).fetch_all(many(host, folder, 4, "slow=10000000")))
    assert threads == {threading.current_thread()}
    started = [event for event in recorder.events if isinstance(event, ItemStarted)]
    assert sorted(event.item for event in started) == [f"{n}.bin" for n in range(4)]
    assert any(isinstance(event, ItemProgress) for event in recorder.events)


TWINS: tuple[Callable[[DownloadRequest], DownloadRequest], ...] = (
    lambda first: replace(first, blake3=""),
    lambda first: replace(first, sha256=SHA256.upper(), size=None, blake3=""),
    lambda first: replace(first, target=first.target.with_name("a.bin")),
)


@pytest.mark.parametrize("changed", TWINS)
def test_one_content_is_fetched_once(
    host: ModelHost, folder: Path, changed: Callable[[DownloadRequest], DownloadRequest]
) -> None:
    first = wanted(folder / "a.bin", f"{host.url}/a.bin")
    second = changed(wanted(folder / "b.bin", f"{host.url}/a.bin?twin"))
    outcomes = dict(downloader().fetch_all([first, second]))
    assert all(isinstance(outcome, DownloadResult) for outcome in outcomes.values())
    assert (folder / "a.bin").read_bytes() == second.target.read_bytes() == FILE
    assert len(host.requests) == 1


def test_a_twin_of_what_failed_has_sources_of_its_own(host: ModelHost, folder: Path) -> None:
    first = wanted(folder / "a.bin", f"{host.url}/gone")
    second = wanted(folder / "b.bin", f"{host.url}/a.bin")
    outcomes = dict(downloader().fetch_all([first, second]))
    assert isinstance(outcomes[first], DownloadError)
    assert isinstance(outcomes[second], DownloadResult)


def test_closing_stops_everything_and_keeps_what_has_arrived(host: ModelHost, folder: Path) -> None:
    slow = big(folder / "big.bin", f"{host.url}/_/slow=2000000/big.bin")
    silent = wanted(folder / "b.bin", f"{host.url}/_/stall=30/a.bin")
    pausing = unknown(folder / "c.bin", f"{host.url}/_/fail=503,after=9/a.bin")
    quick = unknown(folder / "a.bin", f"{host.url}/a.bin")
    outcomes = downloader().fetch_all([slow, silent, pausing, quick])
    next(outcomes)
    host.served.wait_for_requests(4)
    time.sleep(0.3)  # lets some of the slow one arrive: there is no event for that
    begun = time.monotonic()
    outcomes.close()
    assert time.monotonic() - begun < 1.5
    state = PartialFile(folder / "big.bin").state()
    assert state is not None
    assert 0 < state.done < BIG_SIZE
    resumed = downloader(line=ONE).fetch(replace(slow, urls=(f"{host.url}/big.bin",)))
    assert resumed.resumed_from == state.done
    assert (folder / "big.bin").read_bytes() == BIG
    assert host.sent("/big.bin") <= BIG_SIZE - state.done + 1024 * 1024


def test_a_full_disk_ends_them_all(host: ModelHost, folder: Path) -> None:
    huge = replace(wanted(folder / "huge.bin", f"{host.url}/a.bin"), size=10**17)
    slow = wanted(folder / "a.bin", f"{host.url}/_/hold/a.bin")
    with pytest.raises(DiskFullError):
        sizes(downloader().fetch_all([slow, replace(huge, sha256="", blake3="")]))
    assert not (folder / "a.bin").exists()


def test_a_rate_holds_for_all_together(host: ModelHost, folder: Path) -> None:
    line = DownloadLimits(limit_rate=10_000_000)
    begun = time.monotonic()
    sizes(downloader(line=line).fetch_all(many(host, folder, 2, "redir")))
    assert 0.5 < time.monotonic() - begun < 3


def test_several_connections_share_a_file(host: ModelHost, folder: Path) -> None:
    path = "/_/slow=4000000/big.bin"
    begun = time.monotonic()
    line = DownloadLimits(connections=5)
    downloader(line=line).fetch(big(folder / "big.bin", host.url + path))
    assert time.monotonic() - begun < 2.5  # alone, it would take three seconds
    assert (folder / "big.bin").read_bytes() == BIG
    assert 3 <= host.most_at_once <= 8  # a host learns late that a connection was left


def test_a_lame_connection_is_overtaken(host: ModelHost, folder: Path) -> None:
    begun = time.monotonic()
    url = f"{host.url}/_/slow=8000000,lame=100000/big.bin"
    downloader().fetch(big(folder / "big.bin", url))
    assert time.monotonic() - begun < 10  # alone, it would take a minute
    assert (folder / "big.bin").read_bytes() == BIG


SHARED_FAULTS = ("norange", "overrun", "short=2000000", "cut=5000000", "badrange", "noetag")


@pytest.mark.parametrize("fault", SHARED_FAULTS)
def test_a_shared_file_survives_its_host(host: ModelHost, folder: Path, fault: str) -> None:
    url = f"{host.url}/_/slow=16000000,{fault}/big.bin"
    downloader().fetch(big(folder / "big.bin", url, f"{host.url}/big.bin"))
    assert (folder / "big.bin").read_bytes() == BIG


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_changes_meanwhile_is_never_mixed(
    host: ModelHost, folder: Path, known: bool
) -> None:
    url = f"{host.url}/_/slow=8000000,change=3/big.bin"
    request = big(folder / "big.bin", url)
    if known:
        with pytest.raises(DownloadError):
            downloader().fetch(request)
        assert left_in(folder) == []
    else:
        downloader().fetch(unknown(folder / "big.bin", url))
        assert (folder / "big.bin").read_bytes() == BIG[::-1]


_THREE = """
import json, sys
from pathlib import Path
from comfydock_core.storage.downloads import DownloadResult
from tests.core.storage.downloading import big, downloader, other, wanted
folder, url = Path(sys.argv[1]), sys.argv[2]
outcomes = downloader().fetch_all([
    wanted(folder / "a.bin", url + "/_/slow=6000000/a.bin"),
    big(folder / "big.bin", url + "/_/norange,slow=24000000/big.bin"),
    other(folder / "other.bin", url + "/other.bin"),
])
print(json.dumps([isinstance(outcome, DownloadResult) or str(outcome) for _, outcome in outcomes]))
"""


def process(program: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *words]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_two_processes_fetch_three_models_once(host: ModelHost, folder: Path) -> None:
    both = [process(_THREE, str(folder), host.url) for _ in range(2)]
    said = [json.loads(one.communicate(timeout=60)[0]) for one in both]
    assert said == [[True] * 3] * 2
    assert (folder / "big.bin").read_bytes() == BIG
    assert left_in(folder) == ["a.bin", "big.bin", "other.bin"]
    assert host.sent("/_/slow=6000000/a.bin") < 1.5 * SIZE
    assert host.sent("/_/norange,slow=24000000/big.bin") == BIG_SIZE
    assert host.sent("/other.bin") < 1.5 * SIZE


_ONE = """
import sys
from pathlib import Path
from tests.core.storage.downloading import Recorder, big, downloader
class Aloud(Recorder):
    def report(self, event): print(event, flush=True)
downloader(Aloud()).fetch(big(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_download_goes_on_where_it_was(host: ModelHost, folder: Path) -> None:
    target = folder / "big.bin"
    killed = process(_ONE, str(target), f"{host.url}/_/slow=2000000/big.bin")
    assert killed.stdout is not None
    for _ in range(6):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    there = target.with_name("big.bin.part").read_bytes()
    written = sum(
        there[at : at + 10_000] == BIG[at : at + 10_000] for at in range(0, len(there), 10_000)
    )
    result = downloader(line=ONE).fetch(big(target, f"{host.url}/big.bin"))
    assert target.read_bytes() == BIG
    assert host.sent("/big.bin") <= BIG_SIZE - written * 10_000 + 1024 * 1024
    assert result.resumed_from > 0
