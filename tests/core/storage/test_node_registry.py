"""The registry's client against a registry on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import NetworkError, NodeError
from comfydock_core.events import SilentReporter
from comfydock_core.storage.downloads import fetch_file
from comfydock_core.storage.http import HttpClient, HttpLimits
from comfydock_core.storage.node_registry import NodeRegistry, UnknownNodeError

from tests.hub.registry import Pack, PackVersion, Registry, node_registry, zip_of
from tests.hub.serving import serving

QUICK = HttpLimits(connect_timeout=5, read_timeout=10, first_wait=0.01, longest_wait=0.05)
FILES = {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n", "pyproject.toml": "[project]\n"}
PACKS = (
    Pack(
        node_id="acme-pack",
        name="Acme Pack",
        repository="https://github.com/acme/pack",
        classes=("AcmeUpscale", "Acme/Odd Name"),
        versions=(
            PackVersion(version="1.0.0", files=FILES),
            PackVersion(version="1.1.0", files=FILES, dependencies=("numpy>=1.26", "pillow")),
            PackVersion(version="1.2.0", status="Pending"),
            PackVersion(version="1.3.0", status="Flagged"),
            PackVersion(version="1.4.0", status="Banned"),
            PackVersion(version="1.5.0", status="Deleted"),
        ),
    ),
    Pack(node_id="empty-pack"),
    Pack(node_id="banned-pack", banned=True),
)


@pytest.fixture
def hub() -> Iterator[Registry]:
    with node_registry(PACKS, downloads="https://cdn.comfy.org") as served:
        yield served


def registry_at(url: str) -> NodeRegistry:
    hosts = HostSettings(registry=url)
    return NodeRegistry(HttpClient(hosts, {}, QUICK), hosts)


def test_a_node_is_described(hub: Registry) -> None:
    node = registry_at(hub.url).node("acme-pack")
    assert (node.node_id, node.name, node.author) == ("acme-pack", "Acme Pack", "Acme")
    assert (node.repository, node.description) == ("https://github.com/acme/pack", "")
    assert node.latest_version == "1.1.0"


def test_an_id_is_normalised_by_the_registry(hub: Registry) -> None:
    assert registry_at(hub.url).node("Acme_Pack").node_id == "acme-pack"


def test_only_active_versions_are_listed(hub: Registry) -> None:
    versions = registry_at(hub.url).versions("acme-pack")
    assert [version.version for version in versions] == ["1.1.0", "1.0.0"]


@pytest.mark.parametrize(("asked", "found"), [("1.0.0", "1.0.0"), (None, "1.1.0")])
def test_a_version_has_its_archive_and_requirements(
    hub: Registry, asked: str | None, found: str
) -> None:
    version = registry_at(hub.url).version("acme-pack", asked)
    assert (version.node_id, version.version, version.status) == ("acme-pack", found, "Active")
    assert version.download_url == f"https://cdn.comfy.org/acme-pack/{found}/node.zip"
    assert version.dependencies == (("numpy>=1.26", "pillow") if asked is None else ())
    assert hub.installs == ()


def test_an_installation_is_counted(hub: Registry) -> None:
    assert registry_at(hub.url).install("acme-pack", "1.1.0").version == "1.1.0"
    assert hub.installs == ("/nodes/acme-pack/install?version=1.1.0",)


STATES = (
    ("1.2.0", "is still being checked"),
    ("1.3.0", "was flagged"),
    ("1.4.0", "was banned"),
    ("1.5.0", "was deleted"),
)


@pytest.mark.parametrize(("version", "said"), STATES)
def test_a_version_that_is_not_active_is_refused_by_its_state(
    hub: Registry, version: str, said: str
) -> None:
    registry = registry_at(hub.url)
    for ask in (registry.version, registry.install):
        with pytest.raises(NodeError, match=f"`acme-pack@{version}` {said}"):
            ask("acme-pack", version)


UNKNOWN: tuple[tuple[Callable[[NodeRegistry], object], str], ...] = (
    (lambda registry: registry.node("no-such-pack"), "`no-such-pack`"),
    (lambda registry: registry.versions("no-such-pack"), "`no-such-pack`"),
    (lambda registry: registry.version("acme-pack", "9.9.9"), "`acme-pack@9.9.9`"),
    (lambda registry: registry.install("acme-pack", "9.9.9"), "`acme-pack@9.9.9`"),
    (lambda registry: registry.version("empty-pack"), "`empty-pack` has no version"),
)


@pytest.mark.parametrize(("ask", "said"), UNKNOWN)
def test_what_is_not_there_is_named(
    hub: Registry, ask: Callable[[NodeRegistry], object], said: str
) -> None:
    with pytest.raises(UnknownNodeError, match=said):
        ask(registry_at(hub.url))


def test_a_banned_node_is_named(hub: Registry) -> None:
    with pytest.raises(NodeError, match="`banned-pack` was banned"):
        registry_at(hub.url).node("banned-pack")


NAMES = ("", "../x", "a/b", "a?b", "-x", "a..b", "a b", "ä", "x" * 101, "a\n")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_checked_before_they_become_a_path(hub: Registry, name: str) -> None:
    registry = registry_at(hub.url)
    with pytest.raises(NodeError, match="is not a name"):
        registry.node(name)
    with pytest.raises(NodeError, match="is not a version"):
        registry.install("acme-pack", name)
    with pytest.raises(NodeError, match="is not a"):
        registry.check_versions([("acme-pack", name)])
    assert hub.requests == ()


def test_search_finds_at_most_what_was_asked_for(hub: Registry) -> None:
    registry = registry_at(hub.url)
    assert [node.node_id for node in registry.search("acme & co?", 5)] == []
    assert [node.node_id for node in registry.search("PACK", 2)] == ["acme-pack", "empty-pack"]


CLASSES = (("AcmeUpscale", "acme-pack"), ("Acme/Odd Name", ""), ("KSampler", ""))


@pytest.mark.parametrize(("class_name", "node_id"), CLASSES)
def test_a_class_leads_to_its_node(hub: Registry, class_name: str, node_id: str) -> None:
    node = registry_at(hub.url).node_of_class(class_name)
    assert (node.node_id if node else "") == node_id
    assert " " not in hub.requests[0].target
    assert hub.requests[0].target.count("/") == 3


def test_many_versions_are_checked_a_hundred_at_a_time(hub: Registry) -> None:
    absent = [("absent-pack", f"1.0.{number}") for number in range(150)]
    wanted = [("acme-pack", "1.0.0"), ("acme-pack", "1.3.0"), *absent]
    found = registry_at(hub.url).check_versions(wanted)
    assert tuple(found) == tuple(wanted)
    states = [version.status if version else "" for version in found.values()]
    assert states == ["Active", "Flagged", *([""] * 150)]
    assert len(hub.requests) == 2


ODD = (
    (b"[]", "`id` in `the registry's answer` is missing"),
    (b'{"id": 5}', "`id`"),
    (b'{"id": "../x"}', "`id`"),
    (b'{"id": "a", "latest_version": {"version": ["1"]}}', "`latest_version.version`"),
    (b'{"id": "a", "publisher": "x"}', "`publisher`"),
    (b"5", "table"),
    (b'{"a":' * 400 + b"1" + b"}" * 400, "`id`"),
)


@pytest.mark.parametrize(("body", "said"), ODD)
def test_an_odd_answer_is_refused_with_its_key(body: bytes, said: str) -> None:
    with serving(lambda exchange: exchange.reply(200, body)) as served:
        with pytest.raises(NetworkError, match="not a node registry's") as caught:
            registry_at(served.url).node("acme-pack")
        assert said in caught.value.cause


def test_an_archive_comes_from_the_address_that_the_registry_names(tmp_path: Path) -> None:
    with node_registry(PACKS, downloads="https://cdn.comfy.org") as hub:
        mirrors = {"https://cdn.comfy.org": f"{hub.url}/zips", "https://api.comfy.org": hub.url}
        hosts = HostSettings(mirrors=mirrors)
        client = HttpClient(hosts, {}, QUICK)
        version = NodeRegistry(client, hosts).install("acme-pack", "1.1.0")
        result = fetch_file(
            client,
            version.download_url,
            tmp_path / "node.zip",
            limit_bytes=10_000,
            reporter=SilentReporter(),
        )
        assert result.sha256 == hashlib.sha256(zip_of(FILES)).hexdigest()
        assert result.url == "https://cdn.comfy.org/acme-pack/1.1.0/node.zip"
