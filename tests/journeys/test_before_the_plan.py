"""A bundle by its address, and what a plan says of this machine before anything is downloaded."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comfydock_core.errors import DiskFullError
from comfydock_core.services.import_service import ImportOptions, ImportService
from comfydock_core.storage.machine import FileSystem, Hardware, ThisMachine
from comfydock_core.workspace.workspace import Workspace

from tests.hub.hugging_face import READER
from tests.hub.model_host import ModelHost, model_host
from tests.journeys.desks import Desk
from tests.journeys.machines import Machine, machine
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import GATED, UNSORTED, Town, tensor_file

YES = ("--yes", "--trust-code", "--json")


@pytest.fixture
def receiver(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path / "receiver", town)


@pytest.fixture
def host(bundle: Path) -> Iterator[ModelHost]:
    with model_host(bundle.parent) as served:
        yield served


def fetched(one: Machine) -> list[str]:
    folder = one.home / "cache/downloads"
    return sorted(path.name for path in folder.glob("*") if path.suffix != ".lock")


def requests_seen(town: Town) -> int:
    return len(town.git.requests) + len(town.registry.requests) + len(town.models.requests)


def test_a_bundle_is_imported_from_its_address(
    host: ModelHost, bundle: Path, receiver: Machine, town: Town
) -> None:
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    url = f"{host.url}/_/redir/studio.tar.gz#sha256={digest}"
    before = requests_seen(town)
    waiting = receiver.run("import", url, "--json")
    assert waiting.exit_code == 4
    assert requests_seen(town) == before
    assert fetched(receiver)
    sent = host.sent("/studio.tar.gz")
    ran = receiver.ok("import", url, *YES)
    assert ran.envelope["data"]["workflows"]["complete"] == 2
    assert host.sent("/studio.tar.gz") == sent
    assert fetched(receiver) == []


def test_a_cut_address_goes_on(host: ModelHost, bundle: Path, receiver: Machine) -> None:
    data = bundle.read_bytes()
    host.break_off_after(len(data) // 2)
    url = f"{host.url}/studio.tar.gz"
    cut = receiver.run("import", url, *YES, "--dry-run")
    assert cut.exit_code == 1
    assert "studio.tar.gz" in cut.envelope["errors"][0]["message"]
    host.break_off_after(None)
    receiver.ok("import", url, *YES, "--dry-run")
    assert host.sent("/studio.tar.gz") <= len(data) + 2
    assert receiver.ok("list", "--json").envelope["data"]["environments"] == []


@pytest.mark.parametrize(
    ("path", "exit_of", "said"),
    [
        ("studio.tar.gz#sha256=" + "0" * 64, 1, "is not that file"),
        ("studio.tar.gz#sha256=abc", 2, "no digest"),
        ("_/html/studio.tar.gz", 1, "web page"),
        ("_/fail=404/studio.tar.gz", 1, "404"),
    ],
)
def test_an_address_without_a_bundle_is_refused(
    host: ModelHost, receiver: Machine, path: str, exit_of: int, said: str
) -> None:
    ran = receiver.run("import", f"{host.url}/{path}", *YES)
    assert ran.exit_code == exit_of
    assert said in json.dumps(ran.envelope["errors"])
    assert fetched(receiver) == []


def test_a_private_host_is_refused_unless_it_is_allowed(host: ModelHost, receiver: Machine) -> None:
    ran = receiver.run("import", f"{host.url}/studio.tar.gz", *YES, COMFYDOCK_ALLOWED_HOSTS="")
    assert ran.exit_code == 1
    assert "hosts.allowed" in ran.envelope["errors"][0]["hint"]
    assert host.requests == ()


@pytest.fixture
def gated_bundle(desk: Desk, town: Town) -> Path:
    """A bundle with a model that only people with a token get."""
    place = desk.library / "vae" / desk.name / "gated.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(tensor_file(UNSORTED))
    desk.one.ok("model", "index", "scan")
    desk.save("gated", f"{desk.name}/gated.safetensors")
    desk.one.ok(
        "model", "add-source", f"vae/{desk.name}/gated.safetensors",
        town.model_url(UNSORTED, GATED),
    )  # fmt: skip
    desk.commit()
    ran = desk.export("--yes")
    assert ran.exit_code == 0, ran.err
    return desk.bundle


def problems(one: Machine, bundle: Path, *words: str, **more: str) -> list[dict[str, Any]]:
    ran = one.ok("import", str(bundle), *YES, "--dry-run", *words, folder=None, **more)
    told: list[dict[str, Any]] = ran.envelope["data"]["preflight"]["problems"]
    return told


def test_a_missing_token_is_in_the_plan(gated_bundle: Path, receiver: Machine, town: Town) -> None:
    sent = len(town.storage.requests)
    (problem,) = problems(receiver, gated_bundle)
    assert problem["subject"] == "gated.safetensors"
    assert "accepted its licence" in problem["sentence"]
    assert "HF_TOKEN" in problem["hint"]
    assert not problem["blocking"]
    assert len(town.storage.requests) == sent
    assert problems(receiver, gated_bundle, HF_TOKEN=READER) == []
    assert problems(receiver, gated_bundle, "--models", "skip") == []


def test_a_dry_run_that_nobody_agreed_to_asks_no_host(
    gated_bundle: Path, receiver: Machine, town: Town
) -> None:
    before = requests_seen(town)
    ran = receiver.ok("import", str(gated_bundle), "--dry-run", "--json")
    assert ran.envelope["data"]["preflight"]["problems"] == []
    assert requests_seen(town) == before


def test_a_person_sees_it_beside_the_plan(gated_bundle: Path, receiver: Machine) -> None:
    child = terminal(receiver, "import", str(gated_bundle), "--models", "all", "--skip-nodes")
    child.expect(r"Choice \[Y\]")
    child.sendline("")
    child.expect("This machine:")
    child.expect(r"Python: 3\.\d+ \(on this machine\)")
    child.expect("gated.safetensors: `huggingface.co`")
    child.expect(r"Choice \[Y\]")
    child.sendline("c")
    assert exit_code(child) == 1
    assert not list((receiver.home / "environments").glob("*-*"))


class SmallDisk:
    """This machine with a disk of 1 MB."""

    def hardware(self) -> Hardware:
        return ThisMachine({}).hardware()

    def file_system(self, place: Path) -> FileSystem:
        return FileSystem(device=ThisMachine({}).file_system(place).device, free=1 << 20)


def test_too_little_disk_is_refused_before_anything_is_downloaded(
    bundle: Path, receiver: Machine, town: Town
) -> None:
    workspace = Workspace.open(receiver.home, receiver.environment())
    service = ImportService(workspace, machine=SmallDisk())
    sent = len(town.storage.requests)
    with pytest.raises(DiskFullError) as refused:
        service.import_bundle(bundle, options=ImportOptions(trust_code=True))
    assert f"`{receiver.home / 'models'}` has 1.0 MB left" in refused.value.sentence
    assert "and 16.0 MB to spare" in refused.value.sentence
    assert "--models required" not in refused.value.hint
    assert workspace.environment_names() == ()
    assert len(town.storage.requests) == sent


def test_a_python_that_nobody_has_is_refused_with_a_choice(bundle: Path, receiver: Machine) -> None:
    ran = receiver.run("import", str(bundle), *YES, "--python", "3.99")
    (error,) = ran.envelope["errors"]
    assert ran.exit_code == 1
    assert error["message"] == "Python 3.99 is not on this machine and uv cannot fetch it"
    assert "--python VERSION (on this machine: 3." in error["hint"]
    assert receiver.run("import", str(bundle), *YES, "--python", "/bin/sh").exit_code == 2
    assert not receiver.place("studio").exists()


def test_a_bundle_of_a_newer_comfydock_is_pointed_out(
    bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    newer = rewritten(bundle, tmp_path / "newer.tar.gz", comfydock_version="99.1")
    told = receiver.ok("import", str(newer), *YES, "--dry-run").envelope["data"]["warnings"]
    assert any("newer comfydock (99.1 > " in warning for warning in told)
    odd = rewritten(bundle, tmp_path / "odd.tar.gz", comfydock_version="9" * 6000)
    told = receiver.ok("import", str(odd), *YES, "--dry-run").envelope["data"]["warnings"]
    assert any("unknown comfydock" in warning and len(warning) < 200 for warning in told)
    later = rewritten(bundle, tmp_path / "later.tar.gz", format_version=2)
    told = receiver.ok("import", str(later), *YES, "--dry-run").envelope["data"]["warnings"]
    assert any("has format 2" in warning for warning in told)


def rewritten(bundle: Path, target: Path, **changes: object) -> Path:
    """Copy a bundle with other values in its manifest.json."""
    out = io.BytesIO()
    with (
        tarfile.open(bundle) as old,
        tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in old:
            file = old.extractfile(member)
            data = file.read() if file else b""
            if member.name == "manifest.json":
                data = json.dumps(json.loads(data) | changes).encode()
                member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    target.write_bytes(gzip.compress(out.getvalue()))
    return target


def test_a_machine_without_a_network_still_gets_its_plan(bundle: Path, receiver: Machine) -> None:
    away = {
        "COMFYDOCK_MIRRORS": "https://huggingface.co/=http://127.0.0.1:9/",
        "COMFYDOCK_REGISTRY": "http://127.0.0.1:9",
    }
    (problem,) = problems(receiver, bundle, **away)
    assert problem["sentence"].startswith("`127.0.0.1:9`, `huggingface.co` could not be asked")
    assert not problem["blocking"]
