"""Models are indexed where they lie, found, known and verified; nothing is taken for another."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from comfydock_cli.demo.running_comfyui import RunningComfyui
from comfydock_core.storage.hashing import short_hash

from tests.journeys.machines import Machine, machine, save_workflow, workflow
from tests.journeys.town import MODELS, TWIN, TWIN_REPEATS, Town, tensor_file
from tests.real.comfyui_process import free_port

VAE = "vae/tiny-vae.safetensors"
FOREIGN = {
    "webui/webui.py": "",
    "webui/models/Stable-diffusion/of-webui.safetensors": "checkpoints",
    "webui/models/Lora/of-webui.safetensors": "loras",
    "matrix/Data/Models/StableDiffusion/of-matrix.safetensors": "checkpoints",
    "matrix/Data/Models/VAE/of-matrix.safetensors": "vae",
    "ComfyUI/main.py": "",
    "ComfyUI/custom_nodes/readme.txt": "",
    "ComfyUI/models/checkpoints/deep/of-comfyui.safetensors": "checkpoints",
    "disk/weights/of-yaml.safetensors": "upscale_models",
}
LOADERS = {
    "checkpoints": ("CheckpointLoaderSimple", "ckpt_name"),
    "loras": ("LoraLoaderModelOnly", "lora_name"),
    "vae": ("VAELoader", "vae_name"),
    "upscale_models": ("UpscaleModelLoader", "model_name"),
}


@pytest.fixture
def one(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path, town)


def put(place: Path, content: bytes) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def library(folder: Path) -> Path:
    for path in MODELS:
        put(folder / path, tensor_file(path))
    return folder


def listed(one: Machine) -> dict[str, str]:
    """The hash of each model by its path in the library."""
    models = one.ok("model", "list", "--json").envelope["data"]["models"]
    return {model["relative_path"]: model["hash"] for model in models}


def test_a_folder_is_indexed_listed_and_searched(one: Machine, tmp_path: Path) -> None:
    folder = library(tmp_path / "library")
    added = one.ok("model", "index", "dir", str(folder), "--json").envelope["data"]
    assert (added["added"], added["directories"]) == (len(MODELS), [str(folder)])
    assert sorted(listed(one)) == sorted(MODELS)
    found = one.ok("model", "find", "STYLE")
    assert found.out.splitlines()[-1] == f"1 model with `STYLE`, 8.1 KB, in {folder}"
    put(folder / "vae/half.safetensors", b"x")
    put(folder / "vae/half.safetensors.aria2", b"x")
    (folder / VAE).unlink()
    scanned = one.ok("model", "index", "scan", "--json").envelope["data"]
    assert [scanned[word] for word in ("added", "changed", "removed", "unchanged")] == [0, 0, 1, 2]
    assert [Path(left["path"]).name for left in scanned["skipped"]] == ["half.safetensors"]


def test_what_is_known_of_a_model_is_shown(one: Machine, town: Town, tmp_path: Path) -> None:
    one.ok("model", "index", "dir", str(library(tmp_path / "library")))
    before = one.ok("model", "info", "tiny-vae.safetensors").out
    assert "sha256   not calculated: comfydock model verify vae/tiny-vae.safetensors" in before
    assert "source   none known" in before
    one.ok("model", "add-source", VAE, town.model_url(VAE))
    first = one.ok("model", "verify", "--all").out
    assert first.startswith("✓ 3 of 3 files whole, 3 of them for the first time")
    assert one.ok("model", "verify", VAE).out == "✓ 1 of 1 file whole\n"
    data = one.ok("model", "info", "tiny-vae.safetensors", "--json").envelope["data"]
    assert (len(data["sha256"]), len(data["blake3"])) == (64, 64)
    assert town.model_url(VAE) in data["sources"]
    status = one.ok("model", "index", "status", "--json").envelope["data"]
    assert (status["models"], status["with_digests"], status["with_source"]) == (3, 3, 1)


@pytest.mark.parametrize("name", ["-dash.pt", "new\nline.pt", "it's ü.pt"])
def test_what_is_said_to_be_typed_means_the_model(one: Machine, tmp_path: Path, name: str) -> None:
    put(tmp_path / "library" / name, tensor_file(name))
    one.ok("model", "index", "dir", str(tmp_path / "library"))
    told = one.ok("model", "info", "--", name).out
    command = next(line for line in told.splitlines() if "model verify" in line)
    words = shlex.split(command.partition("comfydock ")[2])
    assert "1 of 1 file whole" in one.ok(*words).out


def test_of_many_models_some_are_named(one: Machine, tmp_path: Path) -> None:
    for number in range(9):
        put(tmp_path / f"library/vae/{number}.pt", tensor_file(str(number)))
    one.ok("model", "index", "dir", str(tmp_path / "library"))
    ran = one.run("model", "info", ".pt")
    assert ran.exit_code == 2
    assert "`vae/4.pt` and 4 more\n" in ran.err
    assert "9 models" in one.ok(*shlex.split(ran.err.partition("hint: comfydock ")[2])).out


def test_a_file_that_changed_behind_its_dates_is_named(one: Machine, tmp_path: Path) -> None:
    place = library(tmp_path / "library") / VAE
    one.ok("model", "index", "dir", str(tmp_path / "library"))
    one.ok("model", "verify", "--all")
    status = place.stat()
    place.write_bytes(tensor_file("something else"))
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    ran = one.run("model", "verify", "--all", "--json")
    assert ran.exit_code == 3
    (error,) = ran.envelope["errors"]
    assert (error["code"], error["subject"]) == ("model-different", str(place))


def test_a_broken_index_is_moved_aside_and_made_anew(one: Machine, tmp_path: Path) -> None:
    one.ok("model", "index", "dir", str(library(tmp_path / "library")))
    (one.home / "index.db").write_bytes(b"no database" * 1000)
    ran = one.ok("model", "list")
    assert "was damaged or not ours and lies in `index.db.broken-1` now" in ran.err
    assert len(ran.out.splitlines()) == len(MODELS) + 1
    assert (one.home / "index.db.broken-1").read_bytes() == b"no database" * 1000
    assert "broken" not in one.ok("model", "list").err


def test_models_that_were_here_before_a_folder_was_named_stay(one: Machine, tmp_path: Path) -> None:
    put(one.home / "models/loras/early.safetensors", tensor_file("early"))
    one.ok("model", "index", "scan")
    one.ok("model", "index", "dir", str(library(tmp_path / "library")))
    assert sorted(listed(one)) == sorted([*MODELS, "loras/early.safetensors"])


def test_a_whole_disk_is_no_library(one: Machine, tmp_path: Path) -> None:
    refused = one.run("model", "index", "dir", tmp_path.anchor)
    assert refused.exit_code == 2
    assert f"`{tmp_path.anchor}` is a whole disk" in refused.err
    assert "Traceback" not in refused.err


def test_other_tools_folders_are_used_where_they_lie(one: Machine, tmp_path: Path) -> None:
    for path in FOREIGN:
        put(tmp_path / path, tensor_file(path) if path.endswith(".safetensors") else b"")
    paths = tmp_path / "disk/extra_model_paths.yaml"
    paths.write_text("mine:\n  base_path: .\n  upscale_models: weights\n", encoding="utf-8")
    one.ok("create", "work", "--torch-backend", "none")
    for place in (tmp_path / "webui", tmp_path / "matrix", tmp_path / "ComfyUI", paths):
        one.ok("model", "index", "dir", str(place))
    data = one.ok("model", "list", "--json").envelope["data"]["models"]
    models = {path for path in FOREIGN if path.endswith(".safetensors")}
    assert {Path(model["path"]).relative_to(tmp_path).as_posix() for model in data} == models
    seen = choices(one)
    for path, category in FOREIGN.items():
        if category:
            name = Path(path).name
            assert any(Path(choice).name == name for choice in seen[category]), path
    assert {path.name for path in one.home.rglob("*.safetensors")} == set()


def choices(one: Machine) -> dict[str, list[str]]:
    """What the loaders of the environment's running ComfyUI offer, by category."""
    port = free_port()
    process = subprocess.Popen(
        one.command(("run", "--", "--port", str(port))),
        env=one.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        text=True,
    )
    comfyui = RunningComfyui(process, port)
    try:
        comfyui.wait()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/object_info", timeout=20) as answer:
            classes: dict[str, Any] = json.load(answer)
    finally:
        comfyui.stop()
    return {
        category: classes[kind]["input"]["required"][widget][0]
        for category, (kind, widget) in LOADERS.items()
    }


def twins() -> tuple[bytes, bytes]:
    """Two files of one size and one short hash; 4 KiB of them differ."""
    published = tensor_file(TWIN, TWIN_REPEATS)
    changed = bytearray(published)
    changed[350 * 1024 : 354 * 1024] = bytes(4096)
    return published, bytes(changed)


def test_twin_files_are_kept_apart_all_the_way(one: Machine, town: Town, tmp_path: Path) -> None:
    published, other = twins()
    own = put(tmp_path / "library/upscale_models/twin.safetensors", published)
    look_alike = put(tmp_path / "library/upscale_models/alike.safetensors", other)
    assert short_hash(own) == short_hash(look_alike)
    one.ok("create", "work", "--torch-backend", "none")
    one.ok("model", "index", "dir", str(tmp_path / "library"))
    assert len(set(listed(one).values())) == len(listed(one)) == 2
    loading = [("UpscaleModelLoader", own.name, "upscale_models")]
    save_workflow(one, "work", "twin", workflow(loading, ["SaveImage"]))
    one.ok("workflow", "resolve", "twin", "--yes")
    refused = one.run("model", "add-source", look_alike.name, town.model_url(TWIN))
    assert refused.exit_code == 2
    assert "is another file than `upscale_models/alike.safetensors`" in refused.err
    one.ok("model", "add-source", own.name, town.model_url(TWIN))
    one.ok("commit", "-m", "with twins about")
    bundle = tmp_path / "twin.tar.gz"
    one.ok("export", "work", "--output", str(bundle))
    receiver = machine(tmp_path / "receiver", town)
    put(tmp_path / "theirs/upscale_models/mine.safetensors", other)
    receiver.ok("model", "index", "dir", str(tmp_path / "theirs"))
    plan = receiver.ok("import", str(bundle), "--yes", "--dry-run", "--json").envelope["data"]
    assert [model["action"] for model in plan["models"]] == ["download"]
    receiver.ok("import", str(bundle), "--yes")
    assert (tmp_path / "theirs" / TWIN).read_bytes() == published
    assert len(set(listed(receiver).values())) == 2
