"""A sender exports, a receiver who has nothing imports, and everything is there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.journeys.machines import machine
from tests.journeys.town import MODELS, Town, tensor_file


def test_a_receiver_gets_everything(bundle: Path, town: Town, tmp_path: Path) -> None:
    receiver = machine(tmp_path, town)
    ran = receiver.run("import", str(bundle), "--yes", "--trust-code", "--json")
    assert ran.exit_code == 0
    data = ran.envelope["data"]
    assert data["nodes"]["installed"] == 3
    assert data["models"]["downloaded"] == 3
    assert data["workflows"]["complete"] == 2
    for path in MODELS:
        assert (receiver.home / "models" / path).read_bytes() == tensor_file(path)
    custom_nodes = receiver.place("studio") / "ComfyUI/custom_nodes"
    assert {p.name for p in custom_nodes.iterdir()} >= {"acme-text", "acme-git", "my-dev"}
    assert not (custom_nodes / "my-dev/scratch").exists()
    assert not (receiver.place("studio") / "import.json").exists()


def test_what_a_person_said_of_a_model_travels_along(
    bundle: Path, town: Town, tmp_path: Path
) -> None:
    receiver = machine(tmp_path, town)
    receiver.ok("import", str(bundle), "--yes", "--trust-code")
    saved = receiver.place("studio") / "ComfyUI/user/default/workflows/sub/style.json"
    moved = json.loads(saved.read_text())
    for node in moved["nodes"]:
        node["pos"] = [7, 7]
    saved.write_text(json.dumps(moved))
    receiver.ok("commit", "-m", "looked at it")
    listed = receiver.ok("workflow", "list", "--json").envelope["data"]["workflows"]
    found = {
        model["filename"]: model["criticality"]
        for workflow in listed
        if workflow["name"] == "sub/style"
        for model in workflow["models"]
    }
    assert found["tiny-vae.safetensors"] == "optional"
    assert found["tiny-style.safetensors"] == "flexible"
    assert receiver.run("commit", "-m", "again").out.startswith("Nothing to commit")


def test_the_receiver_can_share_it_on(bundle: Path, town: Town, tmp_path: Path) -> None:
    second = machine(tmp_path / "second", town)
    second.ok("import", str(bundle), "--yes", "--trust-code")
    onward = tmp_path / "onward.tar.gz"
    second.ok("export", "studio", "--output", str(onward))
    third = machine(tmp_path / "third", town)
    data = third.ok("import", str(onward), "--yes", "--trust-code", "--json").envelope["data"]
    assert data["workflows"]["complete"] == 2
