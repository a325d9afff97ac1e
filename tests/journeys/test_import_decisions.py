"""One import decided at a terminal, by flags, by a saved plan and by a library: the same result."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from comfydock_core.domain.acquisition import ModelAcquisitionDecision
from comfydock_core.domain.criticality import Criticality
from comfydock_core.domain.manifest import ManifestWorkflowModel
from comfydock_core.interaction import ImportModelContext
from comfydock_core.services.import_service import ImportOptions, ImportService
from comfydock_core.workspace.workspace import Workspace

from tests.hub.hugging_face import COMMIT
from tests.hub.model_host import model_host
from tests.journeys.deciding import (
    CUSTOM,
    LOCAL,
    MODELS,
    NODES,
    PICK,
    PLAN,
    REQUIRED,
    START,
    STYLE,
    TO_MODELS,
    URL,
    Route,
    clear,
    every_way_gives_the_same,
    result,
    type_in,
)
from tests.journeys.machines import Machine, machine
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import MODELS as TOWN_MODELS
from tests.journeys.town import Town, tensor_file

VAE = "tiny-vae.safetensors"
FAILED, STILL = r"Choice \[r\]/s/q: ", r"Choice r/\[s\]/q: "
ELSEWHERE = (
    "https://huggingface.co/town/models/resolve/refs/pr/3/upscale_models/tiny-2x.safetensors"
)
ROUTES = {
    "all, without another word": Route(typed=START, flags=()),
    "all": Route(typed=(*TO_MODELS, (MODELS, "")), flags=("--models", "all")),
    "required": Route(typed=(*TO_MODELS, (MODELS, "r")), flags=("--models", "required")),
    "flexible, after a look at the list": Route(
        typed=(*TO_MODELS, (MODELS, "v"), (r"Used by: sub/style.json", ""), (MODELS, "f")),
        flags=("--models", "flexible"),
    ),
    "each, one skipped and one from elsewhere": Route(
        typed=(
            *TO_MODELS,
            (MODELS, "c"),
            (CUSTOM, "u"),
            (URL, ELSEWHERE),
            (CUSTOM, ""),
            (r"workflow works without this", ""),
            (CUSTOM, "x"),
        ),
        flags=(
            *("--models", "all", "--model-url", f"{REQUIRED}={ELSEWHERE}"),
            *("--skip-model", VAE),
        ),
    ),
    "each, one substituted": Route(
        typed=(
            *TO_MODELS,
            (MODELS, "c"),
            (CUSTOM, ""),
            (CUSTOM, "s"),
            (r"\[1\] loras/my-style.safetensors .*a similar name", ""),
            (PICK, "1"),
            (CUSTOM, ""),
        ),
        flags=("--models", "all", "--substitute", f"{STYLE}={LOCAL}"),
    ),
    "a node left out": Route(
        typed=(
            *(*START, (PLAN, "n"), (NODES, "i"), (r"Install 'acme-git'\? \[Y/n\]: ", "n")),
            ("may not function properly", ""),
            (r"Install 'acme-text'\? \[Y/n\]: ", "y"),
            (r"Skip: 1 node \(acme-git\)", ""),
            *((PLAN, "m"), (MODELS, "r")),
        ),
        flags=("--models", "required", "--skip-node", "acme-git"),
        code=3,
    ),
    "edited": Route(
        typed=(*START, (PLAN, "e"), (r"Skip: 1 model", "")),
        flags=("--models", "all", "--skip-model", VAE),
    ),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, town: Town) -> Machine:
    folder = tmp_path_factory.mktemp("receiver")
    editor = folder / "my editor"
    editor.write_text("#!/bin/sh\nsed -i 's/^download  *tiny-vae/skip tiny-vae/' \"$1\"\n")
    editor.chmod(0o755)
    one = machine(folder, town)
    variables = {**one.variables, "VISUAL": "", "EDITOR": f"'{editor}'"}
    return Machine(home=one.home, variables=variables)


@pytest.fixture
def receiver(shared: Machine) -> Machine:
    """A machine with warm caches, one model of its own and no environment."""
    clear(shared)
    return shared


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaky:
    """A machine whose model host lacks the VAE until ``mend``."""

    machine: Machine
    folder: Path

    def mend(self) -> None:
        """Have the host serve it."""
        for revision in ("main", COMMIT):
            place = self.folder / f"town/models/resolve/{revision}/vae/{VAE}"
            place.parent.mkdir(parents=True)
            place.write_bytes(tensor_file(f"vae/{VAE}"))


@pytest.fixture
def flaky(receiver: Machine, town: Town, tmp_path: Path) -> Iterator[Flaky]:
    """A machine whose model host serves all models but one."""
    for path in TOWN_MODELS.keys() - {f"vae/{VAE}"}:
        for revision in ("main", COMMIT):
            place = tmp_path / "town/models/resolve" / revision / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(tensor_file(path))
    with model_host(tmp_path) as host:
        mirrors = receiver.variables["COMFYDOCK_MIRRORS"]
        mirrors = mirrors.replace(town.models.url.rstrip("/"), host.url.rstrip("/"))
        variables = {**receiver.variables, "COMFYDOCK_MIRRORS": mirrors}
        yield Flaky(machine=Machine(home=receiver.home, variables=variables), folder=tmp_path)


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES.keys())
def test_every_way_to_decide_gives_the_same(
    route: Route, bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    every_way_gives_the_same(route, bundle, receiver, tmp_path)


def test_the_default_path_asks_two_questions(bundle: Path, receiver: Machine) -> None:
    child = terminal(receiver, "import", str(bundle), "--dry-run")
    seen = child.logfile_read = io.StringIO()
    type_in(child, START)
    assert exit_code(child) == 0
    assert seen.getvalue().count("Choice ") == 1
    child = terminal(receiver, "import", str(bundle))
    seen = child.logfile_read = io.StringIO()
    type_in(child, (*START, (PLAN, ""), ("Import Complete!", "")))
    assert exit_code(child) == 0
    assert seen.getvalue().count("Choice ") == 2


class Strategy:
    """A library's own decisions: one substituted, one skipped, the rest downloaded."""

    def acquire_model(
        self,
        model: ManifestWorkflowModel,
        criticality: Criticality,
        workflows_using: Sequence[str],
        context: ImportModelContext,
    ) -> ModelAcquisitionDecision | None:
        if criticality == "optional":
            return ModelAcquisitionDecision(model=model, action="skip")
        if criticality == "flexible":
            [best, *_] = context.similar(context.aggregate)
            return ModelAcquisitionDecision(model=model, action="substitute", substitute=best.model)
        return ModelAcquisitionDecision(model=model, action="download")


def test_a_library_decides_the_same(bundle: Path, receiver: Machine) -> None:
    workspace = Workspace.open(receiver.home, receiver.environment())
    service = ImportService(workspace, models=Strategy())
    done = service.import_bundle(bundle, options=ImportOptions(trust_code=True))
    assert (done.success, done.models_substituted, done.models_skipped) == (True, 1, 1)
    by_library = result(receiver)
    clear(receiver)
    flags = ("--models", "all", "--substitute", f"{STYLE}={LOCAL}", "--skip-model", VAE)
    receiver.ok("import", str(bundle), *flags, "--yes", "--trust-code")
    assert result(receiver) == by_library
    workflow = by_library["environments/studio/.cec/workflows/sub/style.json"]
    assert b"my-style.safetensors" in workflow
    assert b"substituted_for" in by_library["environments/studio/.cec/pyproject.toml"]


def test_a_substitution_for_one_workflow(bundle: Path, receiver: Machine) -> None:
    own = receiver.home / "models/upscale_models/mine.safetensors"
    own.parent.mkdir()
    own.write_bytes(tensor_file("another own"))
    flags = (
        "--substitute",
        f"{REQUIRED}=mine.safetensors",
        "--per-workflow",
        f"{REQUIRED}=upscale",
    )
    ran = receiver.ok("import", str(bundle), *flags, "--yes", "--trust-code")
    assert "tiny-2x.safetensors → upscale_models/mine.safetensors (only in upscale)" in ran.err
    assert "tiny-2x.safetensors → mine.safetensors (only in upscale)" in ran.err
    tracked = receiver.place("studio") / ".cec/workflows"
    assert b"mine.safetensors" in (tracked / "upscale.json").read_bytes()
    assert b"mine.safetensors" not in (tracked / "sub/style.json").read_bytes()
    assert b"tiny-2x.safetensors" in (tracked / "sub/style.json").read_bytes()
    assert (receiver.home / "models/upscale_models" / REQUIRED).exists()


def test_quitting_changes_nothing(bundle: Path, receiver: Machine) -> None:
    child = terminal(receiver, "import", str(bundle))
    type_in(child, (*TO_MODELS, (MODELS, "q"), ("nothing was changed", "")))
    assert exit_code(child) == 1
    assert not receiver.place("studio").exists()


def test_a_failed_download_is_tried_again(bundle: Path, flaky: Flaky) -> None:
    child = terminal(flaky.machine, "import", str(bundle), "--models", "all")
    type_in(child, (*START, (PLAN, "")))
    type_in(child, ((r"\[s\] Skip failed and continue", ""), (FAILED, "r"), (STILL, "q")))
    child.expect("import --resume studio")
    assert exit_code(child) == 1
    ran = flaky.machine.run("import", "--resume", "studio", "--on-failure", "quit")
    assert ran.exit_code == 1
    assert "comfydock import --resume studio" in ran.err
    flaky.mend()
    flaky.machine.ok("import", "--resume", "studio", "--on-failure", "retry")
    fetched = flaky.machine.home / "models/vae" / VAE
    assert fetched.read_bytes() == tensor_file(f"vae/{VAE}")


def test_a_retry_that_succeeds(bundle: Path, flaky: Flaky) -> None:
    child = terminal(flaky.machine, "import", str(bundle), "--models", "all")
    type_in(child, (*START, (PLAN, "")))
    child.expect(FAILED)
    flaky.mend()
    child.sendline("r")
    child.expect("Import Complete!")
    assert exit_code(child) == 0


def test_nobody_there_goes_on_without_what_failed(bundle: Path, flaky: Flaky) -> None:
    ran = flaky.machine.ok("import", str(bundle), "--yes", "--trust-code")
    assert f"✗ {VAE}" in ran.out


def test_a_dry_run_asks_nobody_and_saves_its_plan(
    bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.txt"
    words = ("import", str(bundle), "--dry-run", "--json")
    shown = receiver.ok(*words, "--save-plan", str(plan)).envelope["data"]
    assert not receiver.place("studio").exists()
    again = receiver.ok(*words, "--plan", str(plan)).envelope["data"]
    assert [again[what] for what in ("nodes", "models")] == [shown["nodes"], shown["models"]]
    text = plan.read_text()
    plan.write_text(text.replace("# bundle: ", "# bundle: 0", 1)[: len("# bundle: 0") + 63] + "\n")
    refused = receiver.run("import", str(bundle), "--dry-run", "--plan", str(plan))
    assert refused.exit_code == 2
    assert "made for another bundle" in refused.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--plan", "{plan}", "--models", "all"), "`--models` has nothing to say"),
        (("--plan", "{plan}"), "line 1: `install` is no decision"),
        (("--plan", "{missing}"), "is no file"),
        (("--skip-model", "nope.sft", "--models", "all"), "the bundle has no model `nope.sft`"),
        (("--substitute", STYLE, "--models", "all"), "`--substitute MODEL=LOCAL`"),
        (("--per-workflow", "a=b", "--models", "all"), "limits nothing"),
        (("--save-plan", "{plan}", "--models", "all"), "exists and is no plan"),
        (("--save-plan", "{missing}/x"), "is no folder, so the plan cannot be saved there"),
    ],
)
def test_a_wrong_flag_is_named(
    words: tuple[str, ...], names: str, bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.txt"
    plan.write_text("install everything\n")
    given = [word.format(plan=plan, missing=tmp_path / "missing") for word in words]
    ran = receiver.run("import", str(bundle), *given, "--dry-run")
    assert ran.exit_code in (1, 2)
    assert names in ran.err
    assert plan.read_text() == "install everything\n"


@pytest.mark.parametrize(
    ("editor", "says"),
    [("/nowhere/editor", "could not be started"), ("false", "exit code 1"), ("'", "no command")],
)
def test_a_failing_editor_leaves_the_plan_as_it_was(
    editor: str, says: str, bundle: Path, receiver: Machine
) -> None:
    broken = Machine(home=receiver.home, variables={**receiver.variables, "EDITOR": editor})
    child = terminal(broken, "import", str(bundle), "--models", "all", "--skip-nodes")
    type_in(child, (*START, (PLAN, "e"), (says, ""), (PLAN, "c")))
    assert exit_code(child) == 1
    assert not receiver.place("studio").exists()


def test_a_wrong_line_is_shown_and_edited_again(
    bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text(
        "#!/bin/sh\ngrep -q '^skip tiny' \"$1\" && exec sed -i 's/^oops/skip/' \"$1\"\n"
        "sed -i -e 's/^download  *tiny-2x/oops tiny-2x/' -e 's/^download  *tiny-vae/skip tiny-vae/'"
        ' "$1"\n'
    )
    editor.chmod(0o755)
    one = Machine(home=receiver.home, variables={**receiver.variables, "EDITOR": str(editor)})
    child = terminal(one, "import", str(bundle), "--models", "all", "--skip-nodes")
    type_in(child, (*START, (PLAN, "e"), (r"line \d+: `oops` is no decision", "")))
    type_in(child, ((r"Edit it again\? \[Y/n\]: ", "y"), ("Skip: 2 models", ""), (PLAN, "c")))
    assert exit_code(child) == 1
