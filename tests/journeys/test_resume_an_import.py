"""An import that is killed at any step is finished by the same command, and can be deleted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journeys.machines import Machine, machine
from tests.journeys.town import MODELS, Town, tensor_file

IMPORT = ("--yes", "--trust-code", "--json-stream")
KILL_AFTER = (
    ("step-started", "environment", 1),
    ("item-started", "environment", 1),
    ("item-finished", "environment", 1),
    ("item-started", "nodes", 1),
    ("item-finished", "nodes", 1),
    ("item-started", "nodes", 3),
    ("step-finished", "nodes", 1),
    ("item-started", "models", 1),
    ("item-finished", "models", 2),
    ("step-started", "python", 1),
    ("item-finished", "python", 1),
    ("step-started", "workflows", 1),
    ("step-finished", "workflows", 1),
)


def kill_after(one: Machine, words: Sequence[str], moment: tuple[str, str, int]) -> bool:
    """Start an import and kill -9 it when its ``moment`` comes; False when it came too late."""
    kind, step, count = moment
    process = subprocess.Popen(
        one.command(words),
        env=one.environment(),
        cwd=one.home.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout as lines:
        for line in lines:
            event = json.loads(line)
            if event.get("event") == kind and event.get("step") == step:
                count -= 1
                if count == 0:
                    process.kill()
                    return True
    return False


@pytest.mark.parametrize("moment", KILL_AFTER, ids=lambda moment: "-".join(map(str, moment)))
def test_the_same_command_again_finishes_the_work(
    moment: tuple[str, str, int], bundle: Path, town: Town, tmp_path: Path
) -> None:
    receiver = machine(tmp_path, town)
    assert kill_after(receiver, ("import", str(bundle), *IMPORT), moment)
    states = receiver.ok("list", "--json").envelope["data"]["environments"]
    assert [row["state"] for row in states] == ["importing"]
    assert receiver.run("status", "-e", "studio", "--json").envelope["errors"][0]["hint"] == (
        "comfydock import --resume studio"
    )
    ran = receiver.ok("import", str(bundle), "--yes", "--trust-code", "--json")
    assert ran.envelope["data"]["workflows"]["complete"] == 2
    assert receiver.ok("list", "--json").envelope["data"]["environments"][0]["state"] == "ready"
    for path in MODELS:
        assert (receiver.home / "models" / path).read_bytes() == tensor_file(path)
    assert not list((receiver.home / "environments").glob(".staging/*"))
    log = receiver.ok("log", "-e", "studio", "--json").envelope["data"]["commits"]
    assert [entry["message"] for entry in log] == ["Initial import from bundle"]


@pytest.mark.parametrize("moment", [KILL_AFTER[0], KILL_AFTER[5], KILL_AFTER[9]], ids=str)
def test_a_killed_import_can_be_deleted_and_resumed_by_name(
    moment: tuple[str, str, int], bundle: Path, town: Town, tmp_path: Path
) -> None:
    receiver = machine(tmp_path, town)
    assert kill_after(receiver, ("import", str(bundle), *IMPORT), moment)
    receiver.ok("import", "--resume", "studio", "--json")
    receiver.ok("delete", "studio", "--yes")
    assert kill_after(receiver, ("import", str(bundle), *IMPORT), moment)
    receiver.ok("delete", "studio", "--yes")
    assert receiver.ok("list", "--json").envelope["data"]["environments"] == []
    assert not receiver.place("studio").exists()


def test_a_renamed_import_is_found_again_by_the_name_that_was_asked_for(
    bundle: Path, town: Town, tmp_path: Path
) -> None:
    receiver = machine(tmp_path, town)
    receiver.ok("create", "mine")
    words = ("import", str(bundle), "--name", "mine", *IMPORT)
    assert kill_after(receiver, words, KILL_AFTER[5])
    assert receiver.place("mine-1").exists()
    ran = receiver.ok("import", str(bundle), "--name", "mine", "--yes", "--trust-code", "--json")
    assert ran.envelope["data"]["environment"] == "mine-1"
    states = receiver.ok("list", "--json").envelope["data"]["environments"]
    assert {row["name"]: row["state"] for row in states} == {"mine": "ready", "mine-1": "ready"}
