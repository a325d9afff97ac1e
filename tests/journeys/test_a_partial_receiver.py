"""What a receiver has is used; what cannot be had is named, with a command that fixes it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hub.registry import Pack, PackVersion
from tests.journeys.machines import Machine, machine
from tests.journeys.town import MODELS, Town, git, pack_files, tensor_file, write_files

IMPORT = ("--yes", "--trust-code", "--json")


@pytest.fixture
def receiver(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path, town)


def test_a_model_under_another_name_and_folder_is_used(
    bundle: Path, receiver: Machine, town: Town, tmp_path: Path
) -> None:
    renamed = tmp_path / "library/upscale_models/deep/other name.safetensors"
    elsewhere = tmp_path / "library/stuff/vae-file.safetensors"
    places = {
        renamed: "upscale_models/tiny-2x.safetensors",
        elsewhere: "vae/tiny-vae.safetensors",
    }
    for place, path in places.items():
        place.parent.mkdir(parents=True)
        place.write_bytes(tensor_file(path))
    receiver.ok("model", "index", "dir", str(tmp_path / "library"))
    before = len(town.models.served.asked("GET", ""))
    data = receiver.ok("import", str(bundle), *IMPORT).envelope["data"]
    counts = {"downloaded": 1, "found_locally": 2, "failed": []}
    assert data["models"] == {**counts, **dict.fromkeys(("unpacked", "substituted", "skipped"), 0)}
    assert len(town.models.served.asked("GET", "")) - before == 1
    workflows = receiver.place("studio") / "ComfyUI/user/default/workflows"
    upscale = json.loads((workflows / "upscale.json").read_text())
    assert upscale["nodes"][0]["widgets_values"][0] == "deep/other name.safetensors"
    style = json.loads((workflows / "sub/style.json").read_text())
    assert style["nodes"][1]["widgets_values"][0] == "tiny-vae.safetensors"
    linked = tmp_path / "library/vae/tiny-vae.safetensors"
    assert linked.read_bytes() == elsewhere.read_bytes()
    assert renamed.exists()


def test_a_look_alike_is_not_taken_for_the_model(
    bundle: Path, receiver: Machine, town: Town, tmp_path: Path
) -> None:
    fake = tmp_path / "library/upscale_models/tiny-2x.safetensors"
    fake.parent.mkdir(parents=True)
    wrong = bytearray(tensor_file("upscale_models/tiny-2x.safetensors"))
    wrong[-1] ^= 1
    fake.write_bytes(wrong)
    receiver.ok("model", "index", "dir", str(tmp_path / "library"))
    ran = receiver.run("import", str(bundle), *IMPORT)
    assert ran.exit_code == 3
    assert fake.read_bytes() == wrong
    failed = ran.envelope["data"]["models"]["failed"]
    assert [entry["name"] for entry in failed] == ["tiny-2x.safetensors"]


def test_required_models_alone_is_enough(bundle: Path, receiver: Machine) -> None:
    data = receiver.ok("import", str(bundle), "--models", "required", *IMPORT).envelope["data"]
    assert data["models"]["downloaded"] == 1
    assert data["models"]["skipped"] == 2


def test_without_models_it_says_so_and_ends_with_3(bundle: Path, receiver: Machine) -> None:
    ran = receiver.run("import", str(bundle), "--skip-models", *IMPORT)
    assert ran.exit_code == 3
    assert ran.envelope["status"] == "partial"
    assert {error["subject"] for error in ran.envelope["errors"]} == {"tiny-2x.safetensors"}
    (fix,) = ran.envelope["data"]["next_steps"]
    assert fix == "comfydock -e studio workflow resolve upscale"
    unattended = receiver.run(*fix.split()[1:])
    assert unattended.exit_code == 3
    assert unattended.err.endswith(f"next: {fix} --yes\n")
    receiver.ok(*fix.split()[1:], "--yes")
    fetched = receiver.home / "models/upscale_models/tiny-2x.safetensors"
    assert fetched.read_bytes() == tensor_file("upscale_models/tiny-2x.safetensors")


def test_a_node_that_is_gone_is_named_and_can_be_added_later(
    bundle: Path, receiver: Machine, town: Town, tmp_path: Path
) -> None:
    gone = dict(town.variables)
    gone["COMFYDOCK_REGISTRY"] = "http://127.0.0.1:9"
    broken = Machine(home=receiver.home, variables=gone)
    ran = broken.run("import", str(bundle), *IMPORT)
    assert ran.exit_code == 3
    data = ran.envelope["data"]
    assert [entry["name"] for entry in data["nodes"]["failed"]] == ["acme-text"]
    held_up = [(issue["workflow"], issue["blocking"]) for issue in data["issues"]]
    assert held_up == [("upscale", True)]
    fix = data["next_steps"][0]
    assert fix.startswith("comfydock -e studio node add 'acme-text@1.2.0#sha256=")
    receiver.ok(*shlex.split(fix)[1:])
    listed = receiver.ok("workflow", "list", "-e", "studio", "--json").envelope["data"]["workflows"]
    assert [entry["issues"] for entry in listed] == [[], []]


def test_everything_again_needs_no_second_download(
    bundle: Path, receiver: Machine, town: Town
) -> None:
    receiver.ok("import", str(bundle), *IMPORT)
    before = len(town.models.requests)
    again = receiver.ok("import", str(bundle), *IMPORT).envelope["data"]
    assert again["environment"] == "studio-1"
    assert again["models"]["found_locally"] == 3
    assert len(town.models.requests) == before


def test_a_model_host_that_is_away_leaves_a_named_gap(
    bundle: Path, receiver: Machine, town: Town
) -> None:
    away = dict(town.variables)
    away["COMFYDOCK_MIRRORS"] = away["COMFYDOCK_MIRRORS"].replace(
        town.models.url.rstrip("/"), "http://127.0.0.1:9"
    )
    ran = Machine(home=receiver.home, variables=away).run("import", str(bundle), *IMPORT)
    assert ran.exit_code == 3
    assert len(ran.envelope["data"]["models"]["failed"]) == len(MODELS)


def test_a_bad_config_is_one_sentence(receiver: Machine) -> None:
    write_files(receiver.home, {"config.toml": "[models]\ndirectories = 7\n"})
    ran = receiver.run("model", "list", "--json")
    assert ran.exit_code == 1
    assert "models.directories" in ran.envelope["errors"][0]["message"]


@contextmanager
def other_bytes(town: Town) -> Iterator[None]:
    """Let the registry give something else as the version that travels."""
    sent = PackVersion(version="1.2.0", files=pack_files("AcmeText", "tabulate>=0.9"))
    other = PackVersion(version="1.2.0", files={"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"})
    older = PackVersion(version="1.1.0", files=sent.files)
    packs = [
        Pack(node_id="acme-text", versions=(older, v), classes=("AcmeText",)) for v in (other, sent)
    ]
    town.registry.publish(packs[0])
    try:
        yield
    finally:
        town.registry.publish(packs[1])


def test_other_bytes_than_the_senders_are_never_proposed(
    bundle: Path, receiver: Machine, town: Town
) -> None:
    with other_bytes(town):
        ran = receiver.run("import", str(bundle), *IMPORT[:2], "--no-verify")
        assert ran.exit_code == 3
        assert "is not that file" in ran.out
        assert "is not the file that the sender had; ask the sender" in ran.out
        for line in (ran.out + ran.err).splitlines():
            assert not line.strip().removeprefix("next: ").startswith("comfydock")
        looked = receiver.run("workflow", "resolve", "upscale", "-e", "studio")
        assert (looked.exit_code, "next:" in looked.err) == (3, False)
        assert "nobody says which pack has `AcmeText`" in looked.err


def test_comfyui_is_called_what_it_is(bundle: Path, receiver: Machine, town: Town) -> None:
    comfyui = town.repositories / "comfyanonymous/ComfyUI"
    git(comfyui, "tag", "v0.3.74", "v0.3.75^{}")
    git(comfyui, "tag", "-d", "v0.3.75")
    try:
        ran = receiver.ok("import", str(bundle), *IMPORT[:2], "--no-verify")
    finally:
        git(comfyui, "tag", "v0.3.75", "v0.3.74^{}")
        git(comfyui, "tag", "-d", "v0.3.74")
    assert "calls its ComfyUI v0.3.75, in fact it is v0.3.74" in ran.out + ran.err
    assert "v0.3.74" in (receiver.place("studio") / ".cec/pyproject.toml").read_text()
