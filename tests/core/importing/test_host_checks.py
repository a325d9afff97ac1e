from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision, ModelAggregate
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.model_sources import ExaminedSource
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import NetworkError
from comfydock_core.importing.host_checks import (
    AskingLimits,
    ask_all,
    check_registry,
    check_sources,
)
from comfydock_core.storage.http import HttpClient
from comfydock_core.storage.model_hosts import ModelHosts
from comfydock_core.storage.node_registry import NodeRegistry

from tests.core.importing.summaries import aggregate, manifest
from tests.core.storage.host_clients import QUICK
from tests.hub.registry import Pack, PackVersion, node_registry
from tests.hub.serving import Exchange, Served, serving

ALLOWED = HostSettings(allowed=frozenset({"127.0.0.1"}))
LOGIN = b"<html>sign in</html>"


@pytest.fixture
def host() -> Iterator[Served]:
    def answer(exchange: Exchange) -> None:
        match exchange.path_asked:
            case "/good" | "/good2":
                exchange.reply(200, b"12345", {"Content-Type": "application/octet-stream"})
            case "/longer":
                exchange.reply(200, b"123456", {"Content-Type": "application/octet-stream"})
            case "/page":
                exchange.reply(200, LOGIN, {"Content-Type": "text/html"})
            case "/token":
                exchange.reply(401)
            case _:
                exchange.reply(404)

    with serving(answer) as served:
        yield served


def nobody() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def plan_for(*aggregates: ModelAggregate) -> ImportPlan:
    return ImportPlan(
        environment="studio",
        bundle="0" * 64,
        manifest=manifest(),
        aggregates={each.key: each for each in aggregates},
        nodes=(),
        models=tuple(
            ModelAcquisitionDecision(
                key=each.key, model=each.model, action="download", source_url=each.sources[0]
            )
            for each in aggregates
        ),
    )


def wanted(number: int, *urls: str) -> ModelAggregate:
    return aggregate(key=f"{number:016}", sources=urls)


@pytest.mark.parametrize(
    ("sources", "size", "said", "unreachable"),
    [
        (("/good",), 5, "", False),
        (("/gone",), None, "` has no `", False),
        (("/token",), None, "", False),
        (("/page",), None, "is a web page, not a file", False),
        (("/longer",), None, "6 bytes instead of 5", False),
        (("/gone", "/good"), 5, "", False),
        (("/gone", "!/x", "/good"), 5, "", False),
        (("/gone", "/longer"), None, "` has no `", False),
        (("!/x",), None, "", True),
        (("!/x", "/gone"), None, "` has no `", False),
        (("/gone", "!/x"), None, "` has no `", False),
    ],
)
def test_a_source_is_asked_before_it_is_needed(
    host: Served, sources: tuple[str, ...], size: int | None, said: str, unreachable: bool
) -> None:
    away = nobody()
    urls = [away + path[1:] if path[0] == "!" else host.url + path for path in sources]
    plan = plan_for(wanted(1, *urls))
    examine = ModelHosts(HttpClient(ALLOWED, {}, QUICK)).examine
    (check,) = check_sources(plan, examine).values()
    assert (check.size, bool(check.unreachable)) == (size, unreachable)
    assert said in check.sentence
    assert bool(check.sentence) == (size is None and not unreachable)
    assert {seen.method for seen in host.requests} <= {"HEAD"}


def test_one_address_is_asked_once_for_all_who_want_it(host: Served) -> None:
    plan = plan_for(wanted(1, f"{host.url}/good"), wanted(2, f"{host.url}/good"))
    checks = check_sources(plan, ModelHosts(HttpClient(ALLOWED, {}, QUICK)).examine)
    assert [check.size for check in checks.values()] == [5, 5]
    assert len(host.requests) == 1


def test_a_host_is_not_stormed() -> None:
    now, most, lock = 0, 0, threading.Lock()
    all_in = threading.Barrier(6)

    def examine(url: str) -> ExaminedSource:
        nonlocal now, most
        with lock:
            now += "a.org" in url
            most = max(most, now)
        all_in.wait(5)
        with lock:
            now -= "a.org" in url
        return ExaminedSource(url=url, original=url, kind="custom")

    urls = [f"https://a.org/{number}" for number in range(6)]
    urls += [f"https://b.org/{number}" for number in range(6)]
    limits = AskingLimits(per_host=3, in_all=8)
    answers = ask_all(urls, examine, limits, time.monotonic() + 30)
    assert len(answers) == 12
    assert most == 3


def test_what_answers_too_late_is_unreachable_and_nothing_more_is_asked() -> None:
    asked: list[str] = []
    over = threading.Event()

    def examine(url: str) -> ExaminedSource:
        asked.append(url)
        over.wait(30)
        return ExaminedSource(url=url, original=url, kind="custom")

    plan = plan_for(wanted(1, "https://a.org/1"), wanted(2, "https://a.org/2"))
    checks = check_sources(plan, examine, AskingLimits(per_host=1, seconds=0.1))
    over.set()
    assert [check.unreachable for check in checks.values()] == ["a.org", "a.org"]
    assert asked == ["https://a.org/1"]


PACKS = (
    Pack(
        node_id="pack",
        versions=(
            PackVersion(version="1.0.0"),
            PackVersion(version="2.0.0", status="Banned"),
            PackVersion(version="3.0.0", status="Flagged"),
        ),
    ),
)


@pytest.mark.parametrize(
    ("node_id", "version", "said"),
    [
        ("pack", "1.0.0", ""),
        ("pack", "2.0.0", "was banned from the registry"),
        ("pack", "3.0.0", "was flagged by the registry"),
        ("pack", "4.0.0", "the registry does not know `pack@4.0.0`"),
        ("gone", "1.0.0", "the registry does not know `gone@1.0.0`"),
        ("no+id", "1.0.0", "is not a name that a registry node can have"),
    ],
)
def test_all_nodes_are_one_question_to_the_registry(node_id: str, version: str, said: str) -> None:
    good = NodeInfo(name="good", source="registry", version="1.0.0", registry_id="pack")
    node = NodeInfo(name="N", source="registry", version=version, registry_id=node_id)
    with node_registry(PACKS) as served:
        hosts = replace(ALLOWED, registry=served.url)
        registry = NodeRegistry(HttpClient(hosts, {}, QUICK), hosts)
        found = check_registry([good, node], registry)
        assert len(served.requests) == 1
    assert [problem.subject for problem in found.problems] == ["N"] * bool(said)
    assert all(said in problem.sentence for problem in found.problems)
    assert found.unreachable == ()


def test_a_registry_that_nobody_answers_for_is_named_once() -> None:
    hosts = replace(ALLOWED, registry=nobody())
    registry = NodeRegistry(HttpClient(hosts, {}, QUICK), hosts)
    node = NodeInfo(name="N", source="registry", version="1.0.0", registry_id="pack")
    found = check_registry([node], registry)
    assert (found.problems, found.unreachable) == ((), (hosts.registry.removeprefix("http://"),))
    assert check_registry([], registry).unreachable == ()


@pytest.mark.parametrize(("heard", "asked"), [(False, 1), (True, 5)])
def test_a_silent_host_is_not_asked_for_each_address(heard: bool, asked: int) -> None:
    seen: list[str] = []

    def examine(url: str) -> ExaminedSource:
        seen.append(url)
        if heard and url.endswith("0"):
            return ExaminedSource(url=url, original=url, kind="custom")
        raise NetworkError(f"`{url}` does not answer") from TimeoutError()

    urls = [f"https://a.org/{number}" for number in range(5)]
    limits = AskingLimits(per_host=1)
    answers = ask_all(urls, examine, limits, time.monotonic() + 30)
    assert answers.keys() == set(urls)
    assert len(seen) == asked
