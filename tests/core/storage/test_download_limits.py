"""Limits that all downloads of a run share."""

from __future__ import annotations

import threading
import time

import pytest
from comfydock_core.errors import CancelledError
from comfydock_core.storage.download_limits import (
    ConnectionBudget,
    DownloadLimits,
    Stop,
    TransferRate,
)


def test_a_spare_connection_is_one_that_nobody_waits_for() -> None:
    budget = ConnectionBudget(DownloadLimits(connections=2, in_all=3))
    stop = Stop()
    assert [budget.take_spare("a") for _ in range(3)] == [True, True, False]
    assert [budget.take_spare("b") for _ in range(2)] == [True, False]
    waiting = threading.Thread(target=budget.take, args=("c", stop))
    waiting.start()
    while not budget.is_wanted("a"):
        time.sleep(0.001)
    assert budget.is_wanted("b")
    budget.give_back("b")
    waiting.join()
    assert not budget.is_wanted("a")


def test_who_waits_for_a_connection_can_be_stopped() -> None:
    budget, stop = ConnectionBudget(DownloadLimits(connections=1, in_all=1)), Stop()
    budget.take("a", stop)
    stop.set()
    with pytest.raises(CancelledError):
        budget.take("a", stop)
    with pytest.raises(CancelledError):
        stop.pause(60)


def test_who_waits_longest_gets_the_next_connection() -> None:
    budget, stop, came = ConnectionBudget(DownloadLimits(connections=1, in_all=1)), Stop(), []
    budget.take("a", stop)

    def wait(number: int) -> None:
        budget.take("a", stop)
        came.append(number)
        budget.give_back("a")

    threads = []
    for number in range(3):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        time.sleep(0.05)  # lets it wait: nothing says how many do
    budget.give_back("a")
    for thread in threads:
        thread.join()
    assert came == [0, 1, 2]


def test_what_is_to_end_is_ended_by_whoever_stops() -> None:
    stop, ended = Stop(), []
    with stop.ending(lambda: ended.append("over before")):
        pass
    with stop.ending(lambda: ended.append("under way")):
        stop.set()
    with stop.ending(lambda: ended.append("too late")):
        pass
    assert ended == ["under way", "too late"]


def test_a_rate_is_kept() -> None:
    rate, begun = TransferRate(1_000_000), time.monotonic()
    for _ in range(4):
        rate.spend(50_000, Stop())
    assert 0.2 <= time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("limit", "size"),
    [(None, 1024 * 1024), (8_000, 4096), (800_000, 100_000), (10**9, 1024 * 1024)],
)
def test_reads_are_as_large_as_the_rate_allows(limit: int | None, size: int) -> None:
    assert TransferRate(limit).read_size == size
