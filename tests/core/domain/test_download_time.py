from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_core.domain.acquisition import ModelAggregate
from comfydock_core.domain.download_time import DownloadTime, download_time, source_host
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.preflight import Preflight
from comfydock_core.importing.plan import PlanChoices, make_plan

from tests.core.importing.summaries import aggregate, summary

SIZES = {"https://a.org/1": 600, "https://A.org:8443/2": 400, "https://b.org/3": 50}


def models(sizes: dict[str, int]) -> dict[str, ModelAggregate]:
    return {
        str(number) * 16: aggregate(key=str(number) * 16, sources=(url,), size=size)
        for number, (url, size) in enumerate(sizes.items(), start=1)
    }


@pytest.mark.parametrize(
    ("sizes", "speeds", "expected"),
    [
        (SIZES, {"a.org": 10.0, "b.org": 5.0, "c.org": 1.0}, (110.0, ("a.org", "b.org"), ())),
        (SIZES, {"a.org": 10.0}, (100.0, ("a.org",), ("b.org",))),
        (SIZES, {}, (0.0, (), ("a.org", "b.org"))),
        ({"https://a.org/1": 0}, {"a.org": 10.0}, None),
        ({"https://a.org/1": 0, "https://b.org/3": 50}, {"b.org": 5.0}, (10.0, ("b.org",), ())),
        ({}, {"a.org": 10.0}, None),
    ],
)
def test_the_time_of_a_plan(
    sizes: dict[str, int],
    speeds: dict[str, float],
    expected: tuple[float, tuple[str, ...], tuple[str, ...]] | None,
) -> None:
    plan = make_plan(summary(aggregates=models(sizes)), LocalModels(), PlanChoices())
    found = download_time(replace(plan, preflight=Preflight(speeds=speeds)))
    if expected is None:
        assert found is None
    else:
        seconds, hosts, unmeasured = expected
        known = {host: speeds[host] for host in hosts}
        assert found == DownloadTime(seconds=seconds, speeds=known, unmeasured=unmeasured)


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://H.org:80/x", "h.org"), ("file:///x", ""), ("https://[::1", ""), ("", "")],
)
def test_the_host_of_a_source(url: str, host: str) -> None:
    assert source_host(url) == host
