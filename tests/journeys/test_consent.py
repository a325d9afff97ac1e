"""Nothing is asked of the network and nothing is installed before somebody agreed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.machines import Machine, machine
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import Town


@pytest.fixture
def receiver(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path, town)


def requests_seen(town: Town) -> int:
    return len(town.git.requests) + len(town.registry.requests) + len(town.models.requests)


def test_without_an_answer_it_stops_and_names_the_flag(
    bundle: Path, receiver: Machine, town: Town
) -> None:
    before = requests_seen(town)
    ran = receiver.run("import", str(bundle), "--json")
    assert ran.exit_code == 4
    assert "--yes" in ran.envelope["errors"][0]["hint"]
    assert requests_seen(town) == before
    assert not receiver.place("studio").exists()


def test_yes_does_not_agree_to_code_that_nobody_vouches_for(
    bundle: Path, receiver: Machine, town: Town
) -> None:
    before = requests_seen(town)
    ran = receiver.run("import", str(bundle), "--yes", "--json")
    assert ran.exit_code == 4
    error = ran.envelope["errors"][0]
    assert "acme-git" in error["message"]
    assert "my-dev" in error["message"]
    assert "acme-text" not in error["message"]
    assert "--trust-code" in error["hint"]
    assert requests_seen(town) == before
    assert not receiver.place("studio").exists()


def test_a_dry_run_shows_the_plan_and_does_nothing(bundle: Path, receiver: Machine) -> None:
    ran = receiver.ok("import", str(bundle), "--yes", "--dry-run", "--json")
    data = ran.envelope["data"]
    assert {node["name"]: node["action"] for node in data["nodes"]} == {
        "acme-git": "install",
        "acme-text": "install",
        "my-dev": "install",
    }
    assert {model["action"] for model in data["models"]} == {"download"}
    assert receiver.ok("list", "--json").envelope["data"]["environments"] == []


def test_a_person_agrees_on_the_terminal(bundle: Path, receiver: Machine) -> None:
    child = terminal(receiver, "import", str(bundle), "--name", "mine")
    child.expect("Import Summary")
    child.expect("Will contact: github.com")
    child.expect(r"Choice \[Y\]/c: ")
    child.sendline("")
    child.expect("Acquisition Plan Summary")
    child.expect("development node my-dev")
    child.expect(r"Choice \[Y\]/e/n/m/c: ")
    child.sendline("n")
    child.expect("Custom Nodes Required")
    child.expect("Choose node installation strategy:")
    child.expect(r"Choice \[a\]/i: ")
    child.sendline("")
    child.expect(r"Choice \[Y\]/e/n/m/c: ")
    child.sendline("m")
    child.expect("Model Acquisition Overview")
    child.expect(r"Choice \[a\]/r/f/c/q: ")
    child.sendline("r")
    child.expect("Skip: 2 models")
    child.expect(r"Choice \[Y\]/e/n/m/c: ")
    child.sendline("y")
    child.expect("Import Complete")
    child.expect("Ready to use")
    assert exit_code(child) == 0
    models = receiver.home / "models"
    assert [path.name for path in models.rglob("*.safetensors")] == ["tiny-2x.safetensors"]


def test_a_no_changes_nothing(bundle: Path, receiver: Machine, town: Town) -> None:
    before = requests_seen(town)
    child = terminal(receiver, "import", str(bundle))
    child.expect(r"Choice \[Y\]/c: ")
    child.sendline("c")
    child.expect("nothing was changed")
    assert exit_code(child) == 1
    assert requests_seen(town) == before
    assert not receiver.place("studio").exists()


def test_a_host_of_a_saved_plan_is_told_before_it_is_asked(
    bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.txt"
    receiver.ok("import", str(bundle), "--dry-run", "--save-plan", str(plan))
    word, elsewhere = "download     tiny-vae.safetensors", "http://127.0.0.1:9/evil"
    assert word in plan.read_text()
    plan.write_text(plan.read_text().replace(word, f"{word} {elsewhere}"))
    child = terminal(receiver, "import", str(bundle), "--plan", str(plan))
    child.expect(r"Will contact: [^\r\n]*127\.0\.0\.1:9")
    child.expect(r"Choice \[Y\]/c: ")
    child.sendline("")
    child.expect(r"tiny-vae\.safetensors \([^\r\n]*from 127\.0\.0\.1\)")
    child.expect(r"Choice \[Y\]/e/c: ")
    child.sendline("c")
    assert exit_code(child) == 1
