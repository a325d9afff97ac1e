"""What `--use` and `--run` do after an import, and that they wait for it to be whole."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from comfydock_cli.demo.running_comfyui import RunningComfyui

from tests.journeys.machines import Machine, machine
from tests.journeys.town import Town

COMFYUI_PORT = 8188
"""ComfyUI's own, which `--run` does not change."""
IMPORT = ("--yes", "--trust-code")


@pytest.fixture
def receiver(tmp_path: Path, town: Town) -> Machine:
    return machine(tmp_path / "receiver", town)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_environment_is_made_active_only_after_success(bundle: Path, receiver: Machine) -> None:
    receiver.ok("create", "before", "--torch-backend", "none")
    receiver.ok("use", "before")
    ran = receiver.run("import", str(bundle), *IMPORT, "--skip-nodes", "--use", "--no-verify")
    assert ran.exit_code == 3
    assert not receiver.ok("use", "before", "--json").envelope["data"]["changed"]
    shutil.rmtree(receiver.place("studio"))
    receiver.ok("import", str(bundle), *IMPORT, "--use", "--no-verify")
    assert not receiver.ok("use", "studio", "--json").envelope["data"]["changed"]
    assert receiver.ok("workflow", "list", "--json").envelope["data"]["workflows"]


def test_comfyui_runs_after_the_import(bundle: Path, receiver: Machine) -> None:
    assert is_free(COMFYUI_PORT), f"something else is using port {COMFYUI_PORT}"
    process = subprocess.Popen(
        receiver.command(("import", str(bundle), *IMPORT, "--run", "--json")),
        env=receiver.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        RunningComfyui(process, COMFYUI_PORT).wait()
        with urllib.request.urlopen(f"http://127.0.0.1:{COMFYUI_PORT}/object_info") as reply:
            classes = json.load(reply)
        assert not (receiver.place("studio") / "import.json").exists()
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert {"AcmeText", "AcmeGit", "MyDev"} <= classes.keys()
    assert "Import Complete!" in err
    envelope = json.loads(out)
    assert (envelope["status"], envelope["data"]["comfyui_exit_code"]) == ("success", 0)
    assert process.returncode == 0


def test_an_import_that_is_not_whole_runs_nothing(bundle: Path, receiver: Machine) -> None:
    ran = receiver.run("import", str(bundle), *IMPORT, "--skip-nodes", "--run", "--json")
    assert ran.exit_code == 3
    assert "comfyui_exit_code" not in ran.envelope["data"]
