from __future__ import annotations

import time
from pathlib import Path

import pytest
from comfydock_core.errors import DownloadError
from comfydock_core.storage.downloads import DownloadRequest, DownloadResult
from comfydock_core.workspace.download_speeds import (
    Outcomes,
    SpeedWatch,
    keep_speeds,
    known_speeds,
    measured,
)

MIB = 1 << 20


def arrived(url: str, size: int, resumed_from: int = 0) -> DownloadResult:
    return DownloadResult(
        path=Path("/m/a.sft"), size=size, sha256="", blake3="", url=url, resumed_from=resumed_from
    )


def test_only_what_arrived_now_and_was_enough_is_a_measurement() -> None:
    before = time.perf_counter()
    watch = SpeedWatch()
    watch.add(arrived("https://two.org/a", 5 * MIB))
    watch.add(arrived("https://two.org:8443/b", 5 * MIB))
    watch.add(arrived("https://small.org/a", 7 * MIB))
    watch.add(arrived("https://resumed.org/a", 90 * MIB, resumed_from=83 * MIB))
    watch.add(arrived("", 90 * MIB))
    watch.add(arrived("file:///home/a.sft", 90 * MIB))
    slowest = 10 * MIB / (time.perf_counter() - before)
    assert watch.speeds.keys() == {"two.org"}
    assert watch.speeds["two.org"] >= slowest


def outcomes(closed: list[bool]) -> Outcomes:
    """Two files of one host, one that failed in between."""
    request = DownloadRequest(urls=("https://a.org/a",), target=Path("/m/a.sft"))
    try:
        yield request, arrived("https://a.org/a", 9 * MIB)
        yield request, DownloadError("gone")
        yield request, arrived("https://b.org/b", 9 * MIB)
    finally:
        closed.append(True)


@pytest.mark.parametrize(("taken", "hosts"), [(3, {"a.org", "b.org"}), (1, {"a.org"}), (0, set())])
def test_what_came_before_the_end_is_remembered(
    taken: int, hosts: set[str], tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    closed: list[bool] = []
    arriving = measured(tmp_path, outcomes(closed))
    seen = [outcome for _, (_, outcome) in zip(range(taken), arriving, strict=False)]
    arriving.close()
    assert len(seen) == taken
    assert known_speeds(tmp_path).keys() == hosts
    assert closed == [True] * bool(taken)


def test_a_later_measurement_replaces_an_earlier_one(tmp_path: Path) -> None:
    assert known_speeds(tmp_path) == {}
    (tmp_path / "cache").mkdir()
    keep_speeds(tmp_path, {"a.org": 5.0, "b.org": 6.0})
    keep_speeds(tmp_path, {"b.org": 7.5})
    keep_speeds(tmp_path, {})
    assert known_speeds(tmp_path) == {"a.org": 5.0, "b.org": 7.5}


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{", "\xff", '{"h": "fast"}', '{"h": -1.0}', '{"h": Infinity}', '{"h": null}',
     "[" * 100_000],
)  # fmt: skip
def test_what_is_no_measurement_is_passed_over(text: str, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/download-speeds.json").write_text(text, encoding="latin-1")
    assert known_speeds(tmp_path) == {}
    keep_speeds(tmp_path, {"a.org": 5.0})
    assert known_speeds(tmp_path) == {"a.org": 5.0}


def test_a_measurement_that_cannot_be_kept_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder belongs")
    keep_speeds(tmp_path, {"a.org": 5.0})
    assert known_speeds(tmp_path) == {}
