"""Wrong words and odd surroundings: one sentence, the right exit code, and nothing half done."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.journeys.machines import Machine, machine
from tests.journeys.town import MODELS, Town, tensor_file, write_files

WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no Python": (("create", "x", "--python", "abc"), 2, "no version of Python"),
    "no backend": (("create", "x", "--torch-backend", "cuda"), 2, "no torch backend"),
    "no folder of models": (("model", "index", "dir", ""), 2, "no folder"),
    "too long a name of a folder": (("model", "index", "dir", "x" * 60_000), 2, "is no folder"),
    "too long a name of a file": (("model", "index", "dir", "x" * 9000 + ".yaml"), 2, "no folder"),
    "bytes that are no text": (("model", "find", "\udcff"), 0, ""),
    "a longer text than any path": (("model", "find", "x" * 60_000), 0, ""),
    "a model whose name is no text": (("model", "info", "vae/\udcff.pt"), 2, "no model"),
    "more connections than can be counted": (
        ("model", "download", "https://x.example/vae/x.pt", "--connections", "9" * 5000),
        2,
        "is no number from 1 to 16",
    ),
    "a models folder that is not there": (("init", "w", "--models-dir", "/nope"), 2, "/nope"),
}
NODES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "a password": (("https://user:hunter2@github.com/x/y",), 1, "user name or password"),
    "the form of scp": (("git@github.com:x/y",), 2, "no registry id and no address"),
    "a folder around the workspace": (("--dev", "."), 2, "comfydock's own workspace"),
    "the root of the disk": (("--dev", "/"), 1, "no name for a node"),
}


@pytest.fixture
def one(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path / "my machine", town)


def refused(ran_by: Machine, words: tuple[str, ...], exit_code: int, named: str) -> None:
    ran = ran_by.run(*words, "--json")
    assert ran.exit_code == exit_code
    messages = [error["message"] for error in ran.envelope["errors"]]
    assert len(messages) == (exit_code > 0)
    assert named in "".join(messages)
    assert "hunter2" not in ran.out + ran.err


@pytest.mark.parametrize("what", WRONG)
def test_wrong_words(what: str, one: Machine) -> None:
    refused(one, *WRONG[what])


def test_a_folder_whose_name_is_no_text_is_refused(one: Machine) -> None:
    folder = f"{one.home.parent}/caf\udce9"
    Path(folder).mkdir()
    refused(one, ("model", "index", "dir", folder), 2, "is not UTF-8")


def test_wrong_nodes(one: Machine) -> None:
    one.ok("create", "x", "--torch-backend", "none")
    for words, exit_code, named in NODES.values():
        refused(one, ("node", "add", *words), exit_code, named)
    assert not list((one.home / "cache/git").glob("*hunter2*"))


def test_what_lies_among_the_environments_is_passed_over(one: Machine) -> None:
    one.ok("list")
    write_files(one.home / "environments", {"notes.txt": "", "my env/x": ""})
    write_files(one.home / "environments", {"cut/import.json": "{"})
    listed = one.ok("list", "--json").envelope["data"]["environments"]
    assert [(row["name"], row["state"]) for row in listed] == [("cut", "damaged")]
    one.ok("delete", "cut", "--yes")


def test_an_odd_name_of_a_model_does_not_stop_an_import(
    bundle: Path, one: Machine, tmp_path: Path
) -> None:
    place = tmp_path / "library/upscale_models/what? a: b.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(tensor_file(next(iter(MODELS))))
    one.ok("model", "index", "dir", str(tmp_path / "library"))
    data = one.ok("import", str(bundle), "--yes", "--trust-code", "--json").envelope["data"]
    assert data["models"]["found_locally"] == 1
    one.ok("export", "studio")


def test_a_half_made_mirror_is_no_mirror(one: Machine) -> None:
    one.ok("create", "x", "--torch-backend", "none")
    (mirror,) = (p for p in (one.home / "cache/git").iterdir() if "ComfyUI" in p.name)
    assert (mirror / "HEAD").exists()
    shutil.rmtree(mirror)
    mirror.mkdir()
    one.ok("create", "y", "--torch-backend", "none")


def test_a_lock_that_is_gone_or_broken_is_not_exported(bundle: Path, one: Machine) -> None:
    one.ok("import", str(bundle), "--yes", "--trust-code")
    lock = one.place("studio") / ".cec/uv.lock"
    for change in (lambda: lock.write_text("x = ["), lock.unlink):
        change()
        one.ok("commit", "-e", "studio", "-m", "broken")
        refused(one, ("export", "studio"), 1, "uv.lock")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("--help",)], ids=" ".join)
def test_a_full_disk_behind_the_answer_is_one_sentence(
    words: tuple[str, ...], town: Town, tmp_path: Path
) -> None:
    one = machine(tmp_path, town)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            one.command(words),
            env=one.environment(),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr
