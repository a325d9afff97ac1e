"""A sender exports, a receiver who has nothing imports, and everything is there."""

from __future__ import annotations

from pathlib import Path

from tests.journeys.machines import machine
from tests.journeys.town import MODELS, Town, tensor_file


def test_a_receiver_gets_everything(bundle: Path, town: Town, tmp_path: Path) -> None:
    receiver = machine(tmp_path, town)
    ran = receiver.run("import", str(bundle), "--yes", "--trust-code", "--json")
    print(ran.out, ran.err)
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
