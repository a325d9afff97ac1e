"""What a workflow lacks is asked about, once, and every answer is saved as it is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.journeys.machines import Machine, machine, save_workflow, workflow
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import Town, tensor_file

NEEDY = workflow(
    [
        ("UpscaleModelLoader", "tiny-2X-v2.safetensors", "upscale_models"),
        ("VAELoader", "tiny-vae.safetensors", "vae"),
        ("LoraLoaderModelOnly", "gone.safetensors", "loras"),
    ],
    ["AcmeText", "NobodyHasThis"],
)


@pytest.fixture
def one(town: Town, tmp_path: Path) -> Machine:
    """A machine with one upscaler and a workflow that wants more than there is."""
    made = machine(tmp_path, town)
    made.ok("create", "work")
    place = made.home / "models/upscale_models/tiny-2x.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(tensor_file("upscaler"))
    save_workflow(made, "work", "needy", NEEDY)
    return made


def test_each_answer_is_taken_and_saved(one: Machine, town: Town) -> None:
    child = terminal(one, "workflow", "resolve", "needy")
    child.expect("Node class AcmeText")
    child.expect(r"\[1\] Install acme-text")
    child.expect(r"Choice .*: ")
    child.sendline("1")
    child.expect("Node class NobodyHasThis")
    child.expect(r"Choice .*: ")
    child.sendline("x")
    child.expect("tiny-2X-v2.safetensors")
    child.expect(r"\[1\] upscale_models/tiny-2x.safetensors")
    child.expect(r"Choice .*: ")
    child.sendline("1")
    child.expect("tiny-vae.safetensors")
    child.expect(r"Choice .*: ")
    child.sendline("u")
    child.expect("Enter download URL: ")
    child.sendline(town.model_url("vae/tiny-vae.safetensors"))
    child.expect("gone.safetensors")
    child.expect(r"Choice .*: ")
    child.sendline("o")
    child.expect("next:")
    assert exit_code(child) == 0
    saved = one.place("work") / "ComfyUI/user/default/workflows/needy.json"
    nodes = json.loads(saved.read_text())["nodes"]
    assert nodes[0]["widgets_values"][0] == "tiny-2x.safetensors"
    vae = one.home / "models/vae/tiny-vae.safetensors"
    assert vae.read_bytes() == tensor_file("vae/tiny-vae.safetensors")
    again = one.ok("workflow", "resolve", "needy", "--json").envelope
    assert {model["filename"]: model["criticality"] for model in again["data"]["models"]} == {
        "tiny-2x.safetensors": "flexible",
        "tiny-vae.safetensors": "required",
        "gone.safetensors": "optional",
    }
    one.ok("commit", "-m", "resolved")


def test_quitting_keeps_what_was_answered(one: Machine) -> None:
    child = terminal(one, "workflow", "resolve", "needy")
    child.expect("Node class AcmeText")
    child.expect(r"Choice .*: ")
    child.sendline("1")
    child.expect("Node class NobodyHasThis")
    child.expect(r"Choice .*: ")
    child.sendline("q")
    child.expect("tiny-2X-v2.safetensors")
    child.expect(r"Choice .*: ")
    child.sendline("q")
    assert exit_code(child) == 3
    nodes = one.ok("node", "list", "--json").envelope["data"]["nodes"]
    assert [node["name"] for node in nodes] == ["acme-text"]


def test_without_a_person_it_lists_what_is_open(one: Machine) -> None:
    ran = one.run("workflow", "resolve", "needy", "--no-interactive", "--json")
    assert ran.exit_code == 3
    assert {error["subject"] for error in ran.envelope["errors"]} == {
        "AcmeText",
        "NobodyHasThis",
        "tiny-2X-v2.safetensors",
        "tiny-vae.safetensors",
        "gone.safetensors",
    }


def test_show_says_who_asks_for_what(one: Machine) -> None:
    out = one.ok("workflow", "show", "needy").out
    assert "asked for by VAELoader #2: tiny-vae.safetensors" in out
    assert "required because: a model of `vae` that a running node loads" in out
    assert "NobodyHasThis" in out
