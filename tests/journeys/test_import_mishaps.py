"""Imports that get in each other's way, are broken off at a question, or lose a host half-way."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hub.model_host import ModelHost, model_host
from tests.journeys.deciding import CUSTOM, MODELS, NODES, PLAN, START, TO_MODELS, Typed, type_in
from tests.journeys.desks import Desk
from tests.journeys.interruptions import bodies, targets_asked
from tests.journeys.machines import Machine, machine
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import Town, tensor_file

AGREED = ("--yes", "--trust-code", "--no-verify", "--json")
MIB = 1024 * 1024
BIG_REPEATS = 8 * MIB // 32


@pytest.fixture
def receiver(town: Town, tmp_path: Path) -> Machine:
    one = machine(tmp_path / "receiver", town)
    return replace(one, variables={**one.variables, "NO_COLOR": "1"})


def test_two_imports_of_one_bundle_at_once(bundle: Path, town: Town, receiver: Machine) -> None:
    """One wins the name; the other gets the next, or says who is busy; nothing comes twice."""
    words = receiver.command(("import", str(bundle), *AGREED))
    before = bodies(targets_asked(town))
    both = [
        subprocess.Popen(
            words,
            env=receiver.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=120) for process in both]
    assert not any("Traceback" in errors for _, errors in told)
    answers = [json.loads(out) for out, _ in told]
    asked = bodies(targets_asked(town))
    made = [one["data"]["environment"] for one in answers if one["exit_code"] == 0]
    assert sorted(made) in (["studio"], ["studio", "studio-1"])
    for lost in answers:
        if lost["exit_code"] == 0:
            continue
        (error,) = lost["errors"]
        assert (lost["exit_code"], error["code"]) == (1, "busy")
        assert "run the same command again" in error["hint"]
        again = receiver.ok("import", str(bundle), *AGREED).envelope
        assert again["data"]["environment"] == "studio-1"
    assert {asked[name] - before[name] for name in asked if name.endswith("s")} == {1}
    rows = receiver.ok("list", "--json").envelope["data"]["environments"]
    assert {row["name"]: row["state"] for row in rows} == {"studio": "ready", "studio-1": "ready"}


QUESTIONS: dict[str, tuple[Typed, str]] = {
    "the summary": ((), START[0][0]),
    "the plan": (START, PLAN),
    "the nodes": ((*START, (PLAN, "n")), NODES),
    "one node": ((*START, (PLAN, "n"), (NODES, "i")), r"Install 'acme-git'\? \[Y/n\]: "),
    "the models": (TO_MODELS, MODELS),
    "one model": ((*TO_MODELS, (MODELS, "c")), CUSTOM),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_ctrl_c_at_a_question(question: str, bundle: Path, receiver: Machine) -> None:
    typed, prompt = QUESTIONS[question]
    child = terminal(receiver, "import", str(bundle))
    type_in(child, typed)
    child.expect(prompt)
    child.sendintr()
    child.expect("error: `comfydock import` was interrupted")
    child.expect("hint: the same command asks again, and goes on with what was begun")
    assert exit_code(child) == 130
    assert not receiver.place("studio").exists()
    assert list((receiver.home / "environments/.staging").iterdir()) == []


@pytest.fixture
def two_hosts(tmp_path: Path) -> Iterator[tuple[ModelHost, ModelHost]]:
    """Two hosts with the same model of 8 MiB."""
    folder = tmp_path / "hosted"
    folder.mkdir()
    (folder / "big.safetensors").write_bytes(tensor_file("big", BIG_REPEATS))
    with model_host(folder) as first, model_host(folder) as second:
        yield first, second


def test_ctrl_c_when_a_download_failed(
    desk: Desk, receiver: Machine, two_hosts: tuple[ModelHost, ModelHost]
) -> None:
    export_big(desk, two_hosts)
    for host in two_hosts:
        host.break_off_after(0)
    one = mirrored(receiver, two_hosts)
    child = terminal(one, "import", str(desk.bundle), "--models", "all", "--name", "big")
    type_in(child, (*START, (PLAN, "")))
    child.expect(r"Choice \[r\]/s/q: ")
    child.sendintr()
    child.expect("was interrupted")
    assert exit_code(child) == 130
    for host in two_hosts:
        host.break_off_after(None)
    one.ok("import", "--resume", "big", "--no-verify")
    assert fetched(one) == tensor_file("big", BIG_REPEATS)


def test_a_host_that_dies_in_the_middle_of_a_model(
    desk: Desk, receiver: Machine, two_hosts: tuple[ModelHost, ModelHost]
) -> None:
    export_big(desk, two_hosts)
    first, second = two_hosts
    first.break_off_after(3 * MIB)
    one = mirrored(receiver, two_hosts)
    ran = one.ok("import", str(desk.bundle), "--name", "big", *AGREED)
    assert ran.envelope["data"]["models"]["downloaded"] == 1
    assert fetched(one) == tensor_file("big", BIG_REPEATS)
    assert first.sent("/big.safetensors") == 3 * MIB
    twice = 3 * MIB + second.sent("/big.safetensors") - len(fetched(one))
    assert 0 <= twice <= MIB


def mirrored(one: Machine, hosts: tuple[ModelHost, ModelHost]) -> Machine:
    """Return a machine that reaches two public hosts at ``hosts``."""
    names = ("https://one.example/", "https://two.example/")
    mirrors = (f"{name}={host.url}/" for name, host in zip(names, hosts, strict=True))
    known = one.variables["COMFYDOCK_MIRRORS"]
    variables = {**one.variables, "COMFYDOCK_MIRRORS": " ".join((known, *mirrors))}
    return replace(one, variables=variables)


def export_big(desk: Desk, hosts: tuple[ModelHost, ModelHost]) -> None:
    """Export the desk with one more model, which two hosts have."""
    place = desk.model("big.safetensors")
    place.write_bytes(tensor_file("big", BIG_REPEATS))
    one = mirrored(desk.one, hosts)
    one.ok("model", "index", "scan")
    path = f"vae/{desk.name}/big.safetensors"
    for name in ("one", "two"):
        one.ok("model", "add-source", path, f"https://{name}.example/big.safetensors")
    desk.save("big", f"{desk.name}/big.safetensors")
    desk.commit()
    one.ok("export", desk.name, "--output", str(desk.bundle), "--workflows", "big", "--yes")


def fetched(one: Machine) -> bytes:
    """Return the one model that the library has."""
    (place,) = (one.home / "models").rglob("*.safetensors")
    return place.read_bytes()
