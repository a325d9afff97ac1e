"""Every model gets addresses that lead to it, and none that lead elsewhere."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
)
from comfydock_core.events import Event, ItemFinished, Notice
from comfydock_core.exporting.enrichment import with_index
from comfydock_core.exporting.sources import settle_sources, without_sources
from comfydock_core.importing.host_checks import AskingLimits
from comfydock_core.storage.model_hosts import ModelHosts
from comfydock_core.workspace.workspace import Workspace

from tests.core.storage.host_clients import QUICK, client_for
from tests.core.workspace.workspaces import SMALL, workspace_at
from tests.hub.civitai import Civitai, CivitaiFile, civitai
from tests.hub.hugging_face import COMMIT, HuggingFace, hugging_face
from tests.hub.serving import Exchange, serving
from tests.hub.signed_storage import signed_storage

OURS, OTHERS = b"ours" * 900, b"another" * 500
SHA256 = hashlib.sha256(OURS).hexdigest()
HUB = "https://huggingface.co/o/r/resolve"
PINNED = f"{HUB}/{COMMIT}/ours.safetensors"
MAIN = f"{HUB}/main/ours.safetensors"
OTHER = f"{HUB}/main/other.safetensors"
ABSENT = f"{HUB}/main/absent.safetensors"
SILENT_HOST = "https://models.example"
SILENT = f"{SILENT_HOST}/ours.safetensors"
BY_HASH = "https://civitai.com/api/download/models/5?fileId=8"


class Told:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)

    def detail(self, url: str) -> str:
        """What was said of an address."""
        told = [e.detail for e in self.events if isinstance(e, ItemFinished) and e.item == url]
        return "; ".join(told)

    @property
    def notices(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Notice))


@dataclass(kw_only=True)
class Person:
    """Answers questions about sources from a list; without one nobody is there."""

    answers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def ask(self, model: ManifestModel, problem: str) -> str | None:
        assert model.filename == "ours.safetensors"
        self.problems.append(problem)
        return self.answers.pop(0) if self.answers else None


@dataclass(frozen=True, kw_only=True)
class World:
    """A workspace with one model, and hosts on loopback."""

    workspace: Workspace
    told: Told
    hub: HuggingFace
    civitai: Civitai

    @property
    def model(self) -> ManifestModel:
        [here] = self.workspace.tools.models.all()
        return ManifestModel(
            hash=here.hash,
            filename="ours.safetensors",
            size=here.size,
            relative_path=here.relative_path,
            category="loras",
            blake3_hash=here.blake3_hash,
            sha256_hash=here.sha256_hash,
        )

    def naming(self, *urls: str) -> Manifest:
        model = replace(self.model, sources=urls)
        return replace(SMALL, models={model.hash: model})

    def settled(self, *urls: str, person: Person | None = None) -> tuple[str, ...]:
        """Return the sources of the model after a run, in their order."""
        given = self.naming(*urls)
        wrong = settle_sources(self.workspace, given, (person or Person()).ask)
        [found] = without_sources(with_index(self.workspace, given), wrong).models.values()
        return found.sources

    def beside(self, content: Mapping[str, object]) -> None:
        """Put a sidecar beside the model."""
        folder = self.workspace.root / "models/loras"
        (folder / "ours.civitai.info").write_text(json.dumps(content))


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def reach(workspace: Workspace, mirrors: Mapping[str, str]) -> None:
    """Let a workspace reach public hosts at these addresses."""
    workspace.tools.http = client_for(mirrors)
    workspace.tools.hurried_model_hosts = ModelHosts(workspace.tools.http)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    told = Told()
    workspace = workspace_at(tmp_path, told)
    place = workspace.root / "models/loras/ours.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(OURS)
    workspace.scan_models()
    list(workspace.tools.models.digest_many(m.hash for m in workspace.tools.models.all()))
    with ExitStack() as stack:
        storage = stack.enter_context(signed_storage({}))
        files = {"ours.safetensors": OURS, "other.safetensors": OTHERS}
        hub = stack.enter_context(hugging_face({"o/r": files}, storage))
        versions = {"5": [CivitaiFile(file_id=8, name="x.sft", sha256=SHA256, size_kb=1)]}
        site = stack.enter_context(civitai(versions, storage))
        mirrors = {
            "https://huggingface.co": hub.url,
            "https://civitai.com": site.url,
            "https://civitai.red": site.url,
            SILENT_HOST: f"http://127.0.0.1:{unused_port()}",
        }
        reach(workspace, mirrors)
        yield World(workspace=workspace, told=told, hub=hub, civitai=site)


@pytest.mark.parametrize(
    ("declared", "expected", "said"),
    [
        ((MAIN,), (PINNED, MAIN), "confirmed"),
        ((PINNED,), (PINNED,), "confirmed"),
        ((OTHER, MAIN), (PINNED, MAIN), "another file lies there"),
        ((ABSENT, MAIN), (PINNED, MAIN), "absent.safetensors"),
        ((SILENT,), (SILENT,), "could not be reached"),
        ((SILENT, MAIN), (PINNED, MAIN, SILENT), "could not be reached"),
        ((OTHER,), (BY_HASH, PINNED, MAIN), "lies there: 3,500 bytes instead of 3,600"),
        ((ABSENT,), (BY_HASH, PINNED, MAIN), "absent.safetensors"),
        ((), (BY_HASH,), ""),
    ],
)
def test_declared_addresses_are_held_against_their_hosts(
    world: World, declared: tuple[str, ...], expected: tuple[str, ...], said: str
) -> None:
    assert world.settled(*declared) == expected
    assert said in world.told.detail(declared[0] if declared else "")


def test_a_host_that_says_nothing_is_not_asked_for_each_address(world: World) -> None:
    urls = [f"{SILENT_HOST}/{number}.safetensors" for number in range(30)]
    with serving(Exchange.cut) as silent:
        only(world, models_example=silent.url)
        assert set(world.settled(*urls)) == set(urls)
        assert 0 < len(silent.requests) <= 2 * AskingLimits().per_host * QUICK.attempts
    assert all("could not be reached" in world.told.detail(url) for url in urls)


def test_what_was_found_out_is_not_asked_again(world: World) -> None:
    first = world.settled(MAIN)
    asked = len(world.hub.requests)
    assert world.settled(*first) == first
    assert len(world.hub.requests) == asked
    assert world.civitai.requests == ()


def only(world: World, **hosts: str) -> None:
    """Let the workspace reach these hosts and no other."""
    nobody = f"http://127.0.0.1:{unused_port()}"
    silent = dict.fromkeys((SILENT_HOST, "https://civitai.com", "https://civitai.red"), nobody)
    reached = {f"https://{name.replace('_', '.')}": url for name, url in hosts.items()}
    reach(world.workspace, {**silent, **reached})


def test_an_unreachable_look_up_is_said_and_stops_nothing(world: World) -> None:
    only(world)
    assert world.settled() == ()
    assert "not everything was looked up" in world.told.notices
    assert "could not be reached" in world.told.notices


@pytest.mark.parametrize(
    ("said", "urls"),
    [
        ({"SHA256": SHA256.upper()}, (PINNED, MAIN)),
        ({}, (PINNED, MAIN)),
        ({"SHA256": "0" * 64}, (BY_HASH,)),
    ],
    ids=["equal", "claimed", "of another file"],
)
def test_a_sidecar_is_taken_where_its_host_proves_it(
    world: World, said: Mapping[str, str], urls: tuple[str, ...]
) -> None:
    world.beside({"files": [{"downloadUrl": MAIN, "hashes": said}]})
    assert world.settled() == urls


@pytest.mark.parametrize(
    ("said", "urls"), [({"SHA256": SHA256}, (SILENT,)), ({}, ())], ids=["equal", "claimed"]
)
def test_where_the_host_states_nothing_the_sidecar_must(
    world: World, said: Mapping[str, str], urls: tuple[str, ...]
) -> None:
    world.beside({"files": [{"downloadUrl": SILENT, "hashes": said}]})
    with serving(lambda exchange: exchange.reply(200, OURS)) as served:
        only(world, models_example=served.url)
        assert world.settled() == urls


_WRONG = (
    ("C:/models/x", "is no http or https address"),
    ("https://me:pw@models.example/x", "carries a user name or password"),
    (OTHER, "another file lies there"),
    (ABSENT, "absent.safetensors"),
)


@pytest.mark.parametrize(("typed", "problem"), _WRONG)
def test_a_wrong_address_is_asked_again_with_what_is_wrong(
    world: World, typed: str, problem: str
) -> None:
    only(world, huggingface_co=world.hub.url)
    person = Person(answers=[typed, MAIN])
    assert world.settled(person=person) == (PINNED, MAIN)
    first, again = person.problems
    assert first == ""
    assert problem in again


def test_an_address_that_does_not_answer_is_kept_and_that_is_said(world: World) -> None:
    only(world)
    assert world.settled(person=Person(answers=[SILENT])) == (SILENT,)
    assert f"`{SILENT}` is kept without having been checked" in world.told.notices


def test_nobody_knowing_one_is_recorded_and_not_asked_again(world: World) -> None:
    only(world)
    person = Person(answers=["", "never given"])
    assert world.settled(person=person) == ()
    assert world.settled(person=person) == ()
    assert person.problems == [""]


def test_giving_up_after_a_wrong_address_is_recorded_too(world: World) -> None:
    only(world, huggingface_co=world.hub.url)
    assert world.settled(person=Person(answers=[OTHER, ""])) == ()
    assert world.workspace.tools.models.is_source_unknown(world.model.hash)


def test_nobody_being_there_is_not_recorded(world: World) -> None:
    only(world, huggingface_co=world.hub.url)
    assert world.settled() == ()
    assert not world.workspace.tools.models.is_source_unknown(world.model.hash)
    person = Person(answers=[MAIN])
    assert world.settled(person=person) == (PINNED, MAIN)


def test_a_typed_token_is_not_kept(world: World) -> None:
    only(world)
    typed = f"{SILENT}?token=5ecret5ecret&type=Model"
    assert world.settled(person=Person(answers=[typed])) == (f"{SILENT}?type=Model",)
    assert f"`{SILENT}?type=Model` is kept" in world.told.notices
    assert "5ecret5ecret" not in repr(world.told.events)


def test_what_leads_elsewhere_leaves_workflows_too(world: World) -> None:
    flow = ManifestWorkflow(
        name="w",
        path="workflows/w.json",
        models=(
            ManifestWorkflowModel(
                filename="ours.safetensors",
                category="loras",
                criticality="required",
                status="resolved",
                sources=(OTHER, MAIN),
            ),
        ),
    )
    given = replace(world.naming(OTHER), workflows={"w": flow})
    left = without_sources(given, frozenset({OTHER}))
    assert [model.sources for model in left.models.values()] == [()]
    assert left.workflows["w"].models[0].sources == (MAIN,)
    assert without_sources(given, frozenset()) == given
