"""A model that nobody knows an address of: each answer to its prompt, and by other ways."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from comfydock_core.domain.acquisition import ModelAcquisitionDecision
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.manifest import ManifestWorkflowModel
from comfydock_core.interaction import ImportModelContext
from comfydock_core.services.import_service import ImportOptions, ImportService
from comfydock_core.workspace.workspace import Workspace

from tests.hub.model_host import ModelHost, model_host
from tests.journeys.deciding import (
    CUSTOM,
    LOCAL,
    MODELS,
    PICK,
    PLAN,
    START,
    TO_MODELS,
    URL,
    Route,
    clear,
    every_way_gives_the_same,
    result,
    type_in,
)
from tests.journeys.desks import Desk
from tests.journeys.machines import Machine, machine, workflow
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import Town, tensor_file

ORPHAN = "orphan.safetensors"
SOURCELESS = r"Choice \[s\]/x/u: "
PUBLIC = f"https://models.example/{ORPHAN}"
# Large enough to tell how fast its host is.
CONTENT = tensor_file("a model of one person", 300_000)
FLAGS = ("--models", "all")
# Required ones are asked about by name: `orphan` comes before `tiny-2x`.
TO_ORPHAN = (*TO_MODELS, (MODELS, "c"), (r"Source: None \(must provide or substitute\)", ""))
REST = ((CUSTOM, ""), (CUSTOM, ""), (CUSTOM, ""))
ROUTES = {
    "s": Route(
        typed=(
            *TO_ORPHAN,
            *((SOURCELESS, "s"), (PICK, "b"), (SOURCELESS, "s"), (PICK, "1")),
            *REST,
            (r"orphan.safetensors → loras/my-style.safetensors", ""),
        ),
        flags=(*FLAGS, "--substitute", f"{ORPHAN}={LOCAL}"),
    ),
    "x": Route(
        typed=(*TO_ORPHAN, (SOURCELESS, "x"), *REST, (r"required, .*no source known", "")),
        flags=(*FLAGS, "--skip-model", ORPHAN),
        code=3,
    ),
    "u": Route(
        typed=(
            *TO_ORPHAN,
            *((SOURCELESS, "u"), (URL, "ftp://h.org/x"), ("is no http or https address", "")),
            *((URL, f"{PUBLIC}?token=abcdef123456"), ("carries a token", "")),
            (URL, PUBLIC),
            *REST,
        ),
        flags=(*FLAGS, "--model-url", f"{ORPHAN}={PUBLIC}"),
    ),
}


class Strategy:
    """A library's decision about the model without a source; the rest is downloaded."""

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def acquire_model(
        self,
        model: ManifestWorkflowModel,
        criticality: Criticality,
        workflows_using: Sequence[str],
        context: ImportModelContext,
    ) -> ModelAcquisitionDecision | None:
        if model.filename != ORPHAN:
            return ModelAcquisitionDecision(model=model, action="download")
        assert (criticality, model.sources) == ("required", ())
        if self._answer == "x":
            return ModelAcquisitionDecision(model=model, action="skip")
        if self._answer == "u":
            return ModelAcquisitionDecision(model=model, action="download", source_url=PUBLIC)
        [best, *_] = context.similar(context.aggregate)
        return ModelAcquisitionDecision(model=model, action="substitute", substitute=best.model)


@pytest.fixture
def orphaned(desk: Desk) -> Iterator[Path]:
    """A bundle with a required model of which only the content is known."""
    place = desk.library / "loras" / ORPHAN
    place.write_bytes(CONTENT)
    desk.one.ok("model", "index", "scan")
    desk.save_content("alone", workflow([("LoraLoaderModelOnly", ORPHAN, "loras")], []))
    desk.commit()
    desk.one.ok(
        *("-e", desk.name, "workflow", "model", "alone", ORPHAN, "--criticality", "required")
    )
    desk.commit()
    ran = desk.export("--yes")
    assert ran.exit_code == 0, ran.err
    yield desk.bundle
    place.unlink()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ModelHost]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / ORPHAN).write_bytes(CONTENT)
    with model_host(folder) as served:
        yield served


@pytest.fixture
def receiver(tmp_path: Path, town: Town, host: ModelHost) -> Machine:
    one = machine(tmp_path / "receiver", town)
    mirrors = f"{one.variables['COMFYDOCK_MIRRORS']} https://models.example/={host.url}/"
    one = Machine(home=one.home, variables={**one.variables, "COMFYDOCK_MIRRORS": mirrors})
    clear(one)
    return one


@pytest.mark.parametrize("answer", ROUTES)
def test_each_answer_gives_the_same_by_every_way(
    answer: str, orphaned: Path, receiver: Machine, tmp_path: Path
) -> None:
    route = ROUTES[answer]
    typed = every_way_gives_the_same(route, orphaned, receiver, tmp_path)
    clear(receiver)
    workspace = Workspace.open(receiver.home, receiver.environment())
    service = ImportService(workspace, models=Strategy(answer))
    done = service.import_bundle(orphaned, options=ImportOptions(trust_code=True))
    assert (done.success, route.code) in ((True, 0), (False, 3))
    assert result(receiver) == typed
    fetched = receiver.home / "models/loras" / ORPHAN
    assert fetched.is_file() == (answer == "u")
    [environment] = (receiver.home / "environments").glob("[!.]*")
    tracked = (environment / ".cec/workflows/alone.json").read_bytes()
    assert (b"my-style.safetensors" in tracked) == (answer == "s")


def test_what_comes_from_a_typed_address_is_held_to_its_digest(
    orphaned: Path, receiver: Machine, host: ModelHost, tmp_path: Path
) -> None:
    other = tensor_file("another file of that size", 300_000)
    assert len(other) == len(CONTENT)
    (tmp_path / "served" / ORPHAN).write_bytes(other)
    flags = (*FLAGS, "--model-url", f"{ORPHAN}={PUBLIC}", "--no-verify")
    ran = receiver.run("import", str(orphaned), *flags, "--yes", "--trust-code")
    assert ran.exit_code == 3
    assert hashlib.sha256(CONTENT).hexdigest()[:8] in ran.err + ran.out
    assert not (receiver.home / "models/loras" / ORPHAN).exists()
    assert host.sent(f"/{ORPHAN}")


def test_the_next_import_knows_how_fast_that_host_was(orphaned: Path, receiver: Machine) -> None:
    words = ("import", str(orphaned), "--model-url", f"{ORPHAN}={PUBLIC}")
    before = receiver.ok(*words, "--dry-run", "--json").envelope["data"]["preflight"]
    receiver.ok(*words, "--yes", "--trust-code", "--no-verify")
    clear(receiver)
    after = receiver.ok(*words, "--dry-run", "--json").envelope["data"]["preflight"]
    assert (before["speeds"], after["speeds"].keys()) == ({}, {"models.example"})
    shown = receiver.ok(*words, "--dry-run").out
    assert "/s measured from models.example; more for huggingface.co, never measured here" in shown


def test_the_usual_plan_says_that_it_will_be_missing(orphaned: Path, receiver: Machine) -> None:
    child = terminal(receiver, "import", str(orphaned))
    type_in(
        child, (*START, (r"orphan.safetensors \(required, .*no source known\)", ""), (PLAN, "c"))
    )
    assert exit_code(child) == 1
