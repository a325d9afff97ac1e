"""A part of an environment, or all of it with its model files, works on another machine."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfydock_cli.demo.running_comfyui import RunningComfyui

from tests.journeys.desks import Desk, members
from tests.journeys.machines import Machine, machine
from tests.journeys.test_resume_an_import import kill_after
from tests.journeys.town import MODELS, Town, tensor_file
from tests.real.comfyui_process import free_port

IMPORT = ("--yes", "--trust-code", "--json")
UPSCALER = "upscale_models/tiny-2x.safetensors"
PHOTO = b"\x89PNG\r\n\x1a\n" + bytes(4000)
PARTS: tuple[tuple[str, list[tuple[str, int]], list[str]], ...] = (
    ("UpscaleModelLoader", [], ["tiny-2x.safetensors"]),
    ("LoadImage", [], ["face.png"]),
    ("AcmeText", [("image", 2)], []),
    ("ImageUpscaleWithModel", [("upscale_model", 1), ("image", 3)], []),
    ("SaveImage", [("images", 4)], ["portrait"]),
)


def portrait() -> dict[str, Any]:
    """Return a workflow that really makes a picture out of an input file."""
    nodes: list[dict[str, Any]] = []
    links: list[list[Any]] = []
    for number, (kind, inputs, values) in enumerate(PARTS, start=1):
        slots = []
        for slot, (name, origin) in enumerate(inputs):
            links.append([len(links) + 1, origin, 0, number, slot, "*"])
            slots.append({"name": name, "type": "*", "link": len(links)})
        nodes.append({"id": number, "type": kind, "pos": [0, 0], "mode": 0, "inputs": slots,
                      "outputs": [], "properties": {}, "widgets_values": values})  # fmt: skip
    return {"nodes": nodes, "links": links, "groups": [], "config": {}, "extra": {}, "version": 0.4}


@pytest.fixture
def sent(desk: Desk) -> Desk:
    """A desk with a portrait beside the studio's workflows, and its photo."""
    photo = desk.one.place(desk.name) / "ComfyUI/input/face.png"
    photo.parent.mkdir(parents=True, exist_ok=True)
    photo.write_bytes(PHOTO)
    desk.save_content("portrait", portrait())
    desk.commit()
    return desk


@pytest.fixture
def receiver(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path / "receiver", town)


@pytest.fixture
def offline(receiver: Machine, town: Town) -> Machine:
    """A receiver who cannot reach any model host."""
    variables = dict(town.variables)
    nowhere = variables["COMFYDOCK_MIRRORS"].replace(town.models.url.rstrip("/"), "http://[::1]:9")
    return replace(receiver, variables={**variables, "COMFYDOCK_MIRRORS": nowhere})


def inspected(one: Machine, bundle: Path, *words: str) -> dict[str, Any]:
    """Inspect a bundle; its text for people must come out too."""
    assert "Identity:" in one.ok("inspect", str(bundle), *words).out
    data: dict[str, Any] = one.ok("inspect", str(bundle), *words, "--json").envelope["data"]
    return data


def packages(environment: Path) -> set[str]:
    """Return which of the town's Python packages a virtual environment has."""
    found = {path.name for path in environment.glob(".venv/**/site-packages/*")}
    return found & {"tabulate.py", "tabulate", "colorama", "humanize"}


def picture(one: Machine, environment: str) -> bytes:
    """Run the portrait in an environment's ComfyUI and return what it saved."""
    port = free_port()
    words = ("-e", environment, "run", "--", "--port", str(port), "--cpu")
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(
            one.command(words), env=one.environment(), stdout=nowhere, stderr=nowhere, text=True
        )
    comfyui = RunningComfyui(process, port)
    try:
        comfyui.wait()
        saved = one.place(environment) / "ComfyUI/user/default/workflows/portrait.json"
        (made,) = comfyui.pictures(json.loads(saved.read_text()))
    finally:
        comfyui.stop()
    return made.content


def test_one_workflow_travels_with_what_it_needs_and_runs_there(
    sent: Desk, receiver: Machine
) -> None:
    assert sent.export("--workflows", "portrait.json").exit_code == 0
    found = inspected(receiver, sent.bundle)
    assert [workflow["name"] for workflow in found["workflows"]] == ["portrait"]
    assert [node["name"] for node in found["nodes"]] == ["acme-text"]
    assert [model["path"] for model in found["models"]] == [UPSCALER]
    assert not receiver.place(sent.name).exists()
    data = receiver.ok("import", str(sent.bundle), *IMPORT).envelope["data"]
    assert data["workflows"] == {"complete": 1, "all": ["portrait"]}
    place = receiver.place(sent.name)
    nodes = {path.name for path in (place / "ComfyUI/custom_nodes").iterdir() if path.is_dir()}
    assert nodes - {"__pycache__"} == {"acme-text"}
    assert packages(place) == packages(sent.one.place(sent.name)) - {"colorama", "humanize"}
    assert (place / "ComfyUI/input/face.png").read_bytes() == PHOTO
    fetched = (path for path in (receiver.home / "models").rglob("*") if path.is_file())
    assert [path.name for path in fetched] == ["tiny-2x.safetensors"]
    assert picture(receiver, sent.name) == picture(sent.one, sent.name)


def test_a_full_bundle_needs_no_model_host(sent: Desk, offline: Machine, town: Town) -> None:
    plain = sent.out / "plain.tar.gz"
    sent.one.ok("export", sent.name, "--output", str(plain))
    assert sent.export("--profile", "full").exit_code == 0
    inside = members(sent.bundle)
    beside = {path: data for path, data in inside.items() if not path.startswith("models/")}
    models = {f"models/{path}": tensor_file(path) for path in MODELS}
    assert {path: inside[path] for path in inside.keys() - beside.keys()} == models
    assert {**beside, "manifest.json": b""} == {**members(plain), "manifest.json": b""}
    found = inspected(offline, sent.bundle)
    assert [model["inside"] for model in found["models"]] == [True] * 3
    before = len(town.models.requests)
    planned = offline.ok("import", str(sent.bundle), "--dry-run", *IMPORT).envelope["data"]
    assert {model["action"] for model in planned["models"]} == {"unpack"}
    data = offline.ok("import", str(sent.bundle), *IMPORT).envelope["data"]
    assert (data["models"]["unpacked"], data["models"]["downloaded"]) == (3, 0)
    assert data["workflows"]["complete"] == 3
    for path in MODELS:
        assert (offline.home / "models" / path).read_bytes() == tensor_file(path)
    assert len(town.models.requests) == before
    assert not list((offline.home / "environments/.staging").iterdir())
    known = inspected(offline, sent.bundle, "--against", sent.name)["difference"]
    alike = ("versions", "nodes_new", "nodes_missing", "workflows_new", "models_new")
    assert [known[key] for key in alike] == [[]] * len(alike)


def test_a_cut_import_of_a_full_bundle_needs_the_bundle(
    sent: Desk, offline: Machine, tmp_path: Path
) -> None:
    assert sent.export("--profile", "full").exit_code == 0
    words = ("import", str(sent.bundle), "--yes", "--trust-code", "--json-stream")
    assert kill_after(offline, words, ("item-finished", "models", 1))
    moved = sent.bundle.rename(tmp_path / "moved.tar.gz")
    ran = offline.run("import", "--resume", sent.name, "--json")
    assert ran.exit_code == 1
    assert "is gone" in ran.envelope["errors"][0]["message"]
    data = offline.ok("import", str(moved), *IMPORT).envelope["data"]
    assert (data["environment"], data["models"]["unpacked"]) == (sent.name, 3)


def test_a_file_in_a_models_place_stays(sent: Desk, offline: Machine) -> None:
    other = offline.home / "models" / UPSCALER
    other.parent.mkdir(parents=True)
    other.write_bytes(tensor_file("another one"))
    assert sent.export("--profile", "full").exit_code == 0
    ran = offline.run("import", str(sent.bundle), *IMPORT)
    assert ran.exit_code == 3
    assert other.read_bytes() == tensor_file("another one")
    (failed,) = ran.envelope["data"]["models"]["failed"]
    assert failed["name"] == "tiny-2x.safetensors"
    assert "another file" in failed["reason"]


def test_references_alone(sent: Desk, receiver: Machine) -> None:
    assert sent.export("--profile", "workflow-only").exit_code == 0
    folders = {path.partition("/")[0] for path in sent.members()}
    assert folders == {"manifest.json", "pyproject.toml", "uv.lock", ".python-version", "workflows"}
    found = inspected(receiver, sent.bundle)
    assert [node["name"] for node in found["nodes"]] == ["acme-git", "acme-text"]
    assert found["missing_inputs"] == ["face.png"]
    ran = receiver.run("import", str(sent.bundle), *IMPORT)
    assert ran.exit_code == 3
    assert {error["subject"] for error in ran.envelope["errors"]} == {"MyDev"}


def test_an_input_over_the_budget_is_named_everywhere(sent: Desk, receiver: Machine) -> None:
    exported = sent.export("--workflows", "portrait", "--inputs", "1KB")
    assert "face.png does not travel" in exported.err
    assert inspected(receiver, sent.bundle)["missing_inputs"] == ["face.png"]
    planned = receiver.ok("import", str(sent.bundle), "--dry-run", *IMPORT).envelope["data"]
    assert [text for text in planned["warnings"] if "face.png" in text]
    ran = receiver.ok("import", str(sent.bundle), "--yes", "--trust-code")
    assert "input file `face.png` is not here" in ran.out


def test_what_the_sender_left_open_is_in_the_plan(desk: Desk, receiver: Machine) -> None:
    desk.save("open", "nowhere.safetensors")
    desk.commit()
    assert desk.export("--allow-issues", "--workflows", "open").exit_code == 0
    (issue,) = inspected(receiver, desk.bundle)["issues"]
    assert issue["subject"] == "nowhere.safetensors"
    planned = receiver.ok("import", str(desk.bundle), "--dry-run", "--yes").out
    assert f"⚠ the sender left this open: open: {issue['sentence']}" in planned
