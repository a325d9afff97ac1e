"""The bundles of ComfyDock 1.x and ComfyGit become environments, whole or with honest words."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.journeys.foreign_senders import (
    DOCK,
    GIT,
    GIT_DEVELOPMENT,
    MODELS,
    SAMPLES,
    Senders,
    own_models,
    senders,
)
from tests.journeys.interruptions import Moment, watched
from tests.journeys.machines import Machine
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import git

AGREED = ("--yes", "--trust-code", "--torch-backend", "none")
NAMES = {DOCK: "d1", GIT: "e1", GIT_DEVELOPMENT: "e1"}
TOOLS = {DOCK: "ComfyDock 1.x", GIT: "ComfyGit", GIT_DEVELOPMENT: "ComfyGit"}
SUMMARY, LOOKALIKE, PLAN = r"Choice \[Y\]/c: ", r"Choice \[Y\]/d: ", r"Choice \[Y\]/e.*/c: "
MISSING = "my-dev-node: its source is not in the bundle; ask the sender for its folder"
FIX = "comfydock -e e1 node add --dev ./my-dev-node"
KILL_AFTER: tuple[Moment, ...] = (
    ("step-started", "environment", 1),
    ("item-finished", "nodes", 1),
    ("step-finished", "nodes", 1),
    ("step-started", "python", 1),
    ("step-started", "workflows", 1),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Senders]:
    """What the bundles name, on loopback."""
    with senders(tmp_path_factory.mktemp("senders")) as built:
        yield built


@pytest.fixture
def receiver(world: Senders, tmp_path: Path) -> Machine:
    """A machine that has the bundles' models under names of its own."""
    one = Machine(home=tmp_path / "home", variables={**world.variables, "NO_COLOR": "1"})
    own_models(one, tmp_path / "library")
    return one


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """The environment that came of a bundle."""

    one: Machine
    name: str

    @property
    def place(self) -> Path:
        """Its folder."""
        return self.one.place(self.name)

    @property
    def nodes(self) -> list[str]:
        """The node packs that are there."""
        packs = (self.place / "ComfyUI/custom_nodes").iterdir()
        return sorted(path.name for path in packs if path.is_dir() and path.name[0] not in "._")

    @property
    def loaded(self) -> dict[str, list[Any]]:
        """The values of the loaders in its workflow."""
        path = self.place / "ComfyUI/user/default/workflows/main.json"
        nodes = json.loads(path.read_bytes())["nodes"]
        return {n["type"]: n["widgets_values"] for n in nodes if "Loader" in n["type"]}


def check(found: Imported, world: Senders, nodes: int = 3) -> None:
    """Hold an environment against what all of the samples have in common."""
    assert found.nodes == ["acme-git", "acme-text", "my-dev-node"][:nodes]
    assert git(found.place / "ComfyUI", "rev-parse", "HEAD") == world.comfyui_commit
    record = (found.place / ".cec/pyproject.toml").read_text()
    assert f'comfyui_commit = "{world.comfyui_commit}"' in record
    assert not any(word in record for word in ("constraint", "pytorch-cpu", "comfygit", "opencv"))
    for theirs, ours in (("later.py", False), ("__init__.py", True)):
        assert (found.place / "ComfyUI/custom_nodes/acme-git" / theirs).exists() is ours
    names = [values[0] for _, values in sorted(found.loaded.items())]
    assert names == [
        "mine/my sd15_tiny.safetensors",
        "mine/my lora_a.safetensors",
        "mine/my upscale_x4.pth",
        "mine/my vae_x.safetensors",
    ]
    assert found.loaded["LoraLoader"][1:] == [1.0, 1.0]
    assert not list((found.one.home / "models").rglob("*.*"))


@pytest.mark.parametrize("sample", [DOCK, GIT_DEVELOPMENT])
def test_a_bundle_of_another_tool_is_imported(
    sample: str, world: Senders, receiver: Machine
) -> None:
    told = receiver.ok("inspect", str(world.bundles[sample]), "--json").envelope["data"]
    ran = receiver.ok("import", str(world.bundles[sample]), *AGREED)
    found = Imported(one=receiver, name=NAMES[sample])
    check(found, world)
    assert told["dropped"]
    for sentence in told["dropped"]:
        assert f"    • {sentence}\n" in ran.err
    assert f"Exported by: {TOOLS[sample]}\n" in ran.err
    assert "Status: Ready to use" in ran.out
    assert "Custom Nodes: 3/3 installed" in ran.out
    assert "✓ 4 found locally (7.2 MB)" in ran.out
    pack = found.place / "ComfyUI/custom_nodes/my-dev-node"
    assert not {".env", ".venv", "data"} & {path.name for path in pack.iterdir()}


def test_a_node_that_stayed_with_the_sender_is_said_before_and_after(
    world: Senders, receiver: Machine
) -> None:
    bundle = str(world.bundles[GIT])
    before = len(world.git.requests)
    dry = receiver.ok("import", bundle, "--dry-run", *AGREED[:1])
    assert f"⊗ Skip: 1 node (my-dev-node)\n    ⚠ {MISSING}" in dry.out
    assert len(world.git.requests) == before
    ran = receiver.run("import", bundle, *AGREED)
    assert ran.exit_code == 3
    assert "Custom Nodes: 2/3 installed" in ran.out
    assert f"⚠ {MISSING}" in ran.out
    assert f"Fix issues after import:\n  {FIX}\n" in ran.out
    found = Imported(one=receiver, name="e1")
    check(found, world, nodes=2)
    with tarfile.open(SAMPLES / f"{DOCK}.tar.gz") as archive:
        for name in ("__init__.py", "requirements.txt"):
            file = archive.extractfile(f"dev_nodes/my-dev-node/{name}")
            place = receiver.home.parent / "my-dev-node" / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(file.read() if file else b"")
    receiver.ok(*FIX.split()[1:])
    assert receiver.ok("-e", "e1", "status", "--json").envelope["data"]["issues"] == []


@pytest.mark.parametrize("sample", [DOCK, GIT_DEVELOPMENT])
def test_two_questions_and_one_for_all_that_looks_alike(
    sample: str, world: Senders, receiver: Machine
) -> None:
    child = terminal(receiver, "import", str(world.bundles[sample]), "--torch-backend", "none")
    answer(child, SUMMARY, "", "Left out or changed of what")
    answer(child, LOOKALIKE, "a", "same size and short hash; the bundle has no full digest")
    answer(child, PLAN, "", r"Found locally: 4 models")
    child.expect("Status: Ready to use")
    assert exit_code(child) == 0
    check(Imported(one=receiver, name=NAMES[sample]), world)


def answer(child: pexpect.spawn[str], prompt: str, text: str, shown: str) -> None:
    """Wait for a prompt, look for what is shown before it, and type."""
    child.expect(prompt)
    assert shown in (child.before or "")
    child.sendline(text)


@pytest.mark.parametrize("moment", KILL_AFTER, ids=lambda moment: "-".join(map(str, moment)))
def test_a_killed_import_goes_on(moment: Moment, world: Senders, receiver: Machine) -> None:
    with watched(receiver, "import", str(world.bundles[DOCK]), *AGREED) as run:
        run.until(moment)
    (row,) = receiver.ok("list", "--json").envelope["data"]["environments"]
    assert (row["name"], row["state"]) == ("d1", "importing")
    ran = receiver.ok("import", "--resume", "d1")
    assert "Custom Nodes: 3/3 installed" in ran.out
    check(Imported(one=receiver, name="d1"), world)


@pytest.mark.parametrize("sample", [DOCK, GIT, GIT_DEVELOPMENT])
def test_they_can_be_looked_at(sample: str, receiver: Machine) -> None:
    path = str(SAMPLES / f"{sample}.tar.gz")
    told = receiver.ok("inspect", path, "--json").envelope["data"]
    facts = ("tool", "comfydock_version", "timestamp", "environment")
    assert [told["bundle"][fact] for fact in facts] == [TOOLS[sample], "", "", NAMES[sample]]
    assert len(told["nodes"]) == 3
    assert {model["path"] for model in told["models"]} == {model.path for model in MODELS}
    assert told["comfyui"]["version"] == "v0.3.75"
    text = receiver.ok("inspect", path).out
    assert f"\nSource:   {NAMES[sample]}\nBy:       {TOOLS[sample]}\n" in text
    absent = [n["name"] for n in told["nodes"] if n["source"] == "development" and not n["bundled"]]
    assert absent == (["my-dev-node"] if sample == GIT else [])
    for sentence in told["dropped"]:
        assert f"    • {sentence}\n" in text


def test_hosts_that_have_other_files_now_are_not_believed(world: Senders, tmp_path: Path) -> None:
    one = Machine(home=tmp_path / "home", variables=world.variables)
    ran = one.run("import", str(world.bundles[DOCK]), *AGREED, "--name", "mine")
    assert ran.exit_code == 3
    assert "Models: 0/4 available" in ran.out
    assert "• upscale_x4.pth (flexible, 976.6 KB, no source known)" in ran.err
    assert not [path for path in (one.home / "models").rglob("*") if path.is_file()]
