"""Environments, nodes, models, workflows and history, day by day."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.machines import UPSCALE, Machine, machine, save_workflow
from tests.journeys.town import Town, pack_files, tensor_file, write_files


@pytest.fixture
def one(town: Town, tmp_path: Path) -> Machine:
    """A machine with an environment `work`."""
    made = machine(tmp_path, town)
    made.ok("create", "work")
    return made


def blocks(folders: list[Path]) -> Iterator[int]:
    """Return the disk that each folder adds, in bytes; a hard link is counted once."""
    seen: set[tuple[int, int]] = set()
    for folder in folders:
        total = 0
        for root, _, names in os.walk(folder):
            for name in names:
                status = Path(root, name).lstat()
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    total += status.st_size
        yield total


def test_the_second_environment_borrows_from_the_first(one: Machine, town: Town) -> None:
    asked = len(town.git.requests)
    one.ok("create", "second", "--comfyui", town.comfyui_commit)
    assert len(town.git.requests) == asked
    work, second = one.place("work") / "ComfyUI", one.place("second") / "ComfyUI"
    first_git, second_git = blocks([work / ".git", second / ".git"])
    assert second_git < 100_000
    assert first_git < 100_000
    venvs = list(blocks([one.place("work") / ".venv", one.place("second") / ".venv"]))
    assert venvs[1] < 0.05 * venvs[0] + 200_000


def test_a_conflict_names_both_sides_and_changes_nothing(one: Machine, tmp_path: Path) -> None:
    development = write_files(tmp_path / "my-dev", pack_files("MyDev", "humanize>=4"))
    one.ok("node", "add", "--dev", str(development))
    cec = one.place("work") / ".cec"
    before = {path: path.read_bytes() for path in cec.iterdir() if path.is_file()}
    ran = one.run("node", "add", "acme-clash", "--json")
    assert ran.exit_code == 1
    (error,) = ran.envelope["errors"]
    assert error["code"] == "conflict"
    for side in ("my-dev", "acme-clash", "humanize"):
        assert side in error["message"]
    assert {path: path.read_bytes() for path in cec.iterdir() if path.is_file()} == before
    assert not (one.place("work") / "ComfyUI/custom_nodes/acme-clash").exists()


def test_a_removed_node_takes_its_packages_along(one: Machine) -> None:
    one.ok("node", "add", "acme-text")
    packages = one.place("work") / ".venv/lib"
    assert list(packages.glob("*/site-packages/tabulate.py")) or list(
        packages.glob("*/site-packages/tabulate")
    )
    one.ok("node", "remove", "acme-text")
    assert not list(packages.glob("*/site-packages/tabulate*"))
    assert one.ok("node", "list", "--json").envelope["data"]["nodes"] == []


def test_a_removed_development_node_keeps_its_source(one: Machine, tmp_path: Path) -> None:
    development = write_files(tmp_path / "my-dev", pack_files("MyDev", "humanize>=4"))
    one.ok("node", "add", "--dev", str(development))
    place = one.place("work") / "ComfyUI/custom_nodes/my-dev/__init__.py"
    place.write_text(place.read_text() + "# edited\n")
    kept = Path(one.ok("node", "remove", "my-dev", "--json").envelope["data"]["kept"])
    assert (kept / "__init__.py").read_text().endswith("# edited\n")


@pytest.mark.parametrize(
    ("words", "exit_code", "named"),
    [
        (["node", "add", "no-such-node"], 1, "no-such-node"),
        (["node", "add", "acme-text@9.9.9"], 1, "9.9.9"),
        (["node", "add", "https://github.com/acme/nothing"], 1, "acme/nothing"),
        (["node", "add", "http://example.com/acme/x"], 1, "example.com"),
        (["node", "add", "--dev", "/no/such/folder"], 2, "/no/such/folder"),
        (["node", "remove", "nothing"], 2, "nothing"),
        (["use", "nothing"], 2, "nothing"),
        (["delete", "nothing"], 2, "nothing"),
        (["create", "work"], 2, "work"),
        (["create", "../x"], 2, "../x"),
        (["create", "other", "--comfyui", "v9.9.9"], 1, "v9.9.9"),
        (["model", "add-source", "nothing", "https://example.com/x"], 2, "nothing"),
        (["workflow", "resolve", "nothing"], 2, "nothing"),
        (["status", "-e", "nothing"], 2, "nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_sentence(
    words: list[str], exit_code: int, named: str, one: Machine
) -> None:
    ran = one.run(*words, "--json")
    assert ran.exit_code == exit_code, ran.err
    (error,) = ran.envelope["errors"]
    assert named in error["message"]
    assert one.ok("list", "--json").envelope["data"]["environments"][0]["state"] == "ready"


def test_criticality_survives_commits_and_a_cosmetic_save(one: Machine, tmp_path: Path) -> None:
    library = tmp_path / "library"
    model = library / "upscale_models/tiny-2x.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(tensor_file("tiny"))
    one.ok("model", "index", "dir", str(library))
    one.ok("node", "add", "acme-text")
    save_workflow(one, "work", "upscale", UPSCALE)
    one.ok("workflow", "model", "upscale", model.name, "--criticality", "optional")
    one.ok("commit", "-m", "one")
    moved = json.loads(json.dumps(UPSCALE))
    moved["nodes"][0]["pos"] = [500, 500]
    save_workflow(one, "work", "upscale", moved)
    changes = one.ok("status", "--json").envelope["data"]
    assert changes["workflows"] == {"new": [], "modified": [], "deleted": []}
    moved["nodes"][0]["mode"] = 4
    save_workflow(one, "work", "upscale", moved)
    assert one.ok("status", "--json").envelope["data"]["workflows"]["modified"] == ["upscale"]
    one.ok("commit", "-m", "two")
    (listed,) = one.ok("workflow", "list", "--json").envelope["data"]["workflows"]
    assert [entry["criticality"] for entry in listed["models"]] == ["optional"]
    log = one.ok("log", "--json").envelope["data"]["commits"]
    assert [entry["message"] for entry in log] == ["two", "one", "Create environment"]


def test_run_passes_options_and_signals_on(one: Machine) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ("run", "--", "--listen", "127.0.0.1", "--port", str(port))
    process = subprocess.Popen(
        one.command(words),
        env=one.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        stats = answer(f"http://127.0.0.1:{port}/system_stats")
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert "comfyui_version" in stats
    assert process.returncode == 0, out


def answer(url: str) -> str:
    """Ask until the server is up, at most half a minute."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                text: str = reply.read().decode()
                return text
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")
