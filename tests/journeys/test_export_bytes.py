"""Two exports of one commit are the same bytes but for the time, and never half a file."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journeys.desks import Desk, members
from tests.journeys.machines import UPSCALE, Machine, save_workflow, workflow


def test_two_exports_differ_in_the_timestamp_alone(studio: Machine, tmp_path: Path) -> None:
    first, second = tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"
    studio.ok("export", "studio", "--output", str(first), SOURCE_DATE_EPOCH="1000000000")
    studio.ok("export", "studio", "--output", str(second), SOURCE_DATE_EPOCH="1000000001")
    one, other = members(first), members(second)
    different = {name for name in one if one[name] != other[name]}
    assert different == {"manifest.json"}
    told, again = json.loads(one["manifest.json"]), json.loads(other["manifest.json"])
    assert told.pop("timestamp") != again.pop("timestamp")
    assert told == again
    assert first.stat().st_size < 100_000


def test_the_same_time_gives_the_same_bytes(studio: Machine, tmp_path: Path) -> None:
    places = [tmp_path / "a.tar.gz", tmp_path / "elsewhere" / "b.tar.gz"]
    places[1].parent.mkdir()
    for place in places:
        studio.ok("export", "studio", "--output", str(place), SOURCE_DATE_EPOCH="1000000000")
    assert places[0].read_bytes() == places[1].read_bytes()


PROFILES: dict[str, tuple[str, ...]] = {
    "minimal": (),
    "a subset": ("--workflows", "pictures,upscale.json"),
    "full": ("--profile", "full"),
    "workflow-only": ("--profile", "workflow-only"),
}


@pytest.fixture
def twins(desk: Desk, tmp_path: Path) -> tuple[Desk, Desk]:
    """A desk with inputs, and a copy of its whole workspace as a stricter umask would make it."""
    inputs = desk.one.place(desk.name) / "ComfyUI/input"
    inputs.mkdir(exist_ok=True)
    for name in ("cat.png", "dog.png"):
        (inputs / name).write_bytes(name.encode() * 99)
    flow = workflow([("LoadImage", "cat.png", ""), ("LoadImage", "dog.png", "")], [])
    desk.save_content("pictures", flow)
    (desk.node / "run.sh").write_text("echo\n")
    (desk.node / "run.sh").chmod(0o755)
    desk.commit()
    desk.one.ok("export", desk.name, "--output", str(tmp_path / "first.tar.gz"))
    home = tmp_path / "elsewhere" / "home"
    shutil.copytree(desk.one.home, home, symlinks=True)
    for path in home.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    (tmp_path / "out2").mkdir()
    return desk, replace(desk, one=replace(desk.one, home=home), out=tmp_path / "out2")


def exported(desk: Desk, umask: str, *words: str) -> bytes:
    """Export under a umask, and return the bundle's bytes."""
    command = ("export", desk.name, "--force", "--output", str(desk.bundle), *words)
    subprocess.run(
        ["sh", "-c", f'umask {umask} && exec "$@"', "sh", *desk.one.command(command)],
        env=desk.one.environment(SOURCE_DATE_EPOCH="1000000000"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return desk.bundle.read_bytes()


def test_another_folder_and_umask_give_the_same_bytes(twins: tuple[Desk, Desk]) -> None:
    one, other = twins
    found = {}
    for name, words in PROFILES.items():
        found[name] = exported(one, "022", *words)
        assert found[name] == exported(other, "077", *words), name
    assert found["full"] == exported(one, "000", *PROFILES["full"])
    assert len(set(found.values())) == len(PROFILES)
    inside = {name: set(_names(data)) for name, data in found.items()}
    assert "inputs/cat.png" in inside["minimal"] & inside["a subset"] & inside["full"]
    assert any(name.startswith("models/") for name in inside["full"])
    assert not any(name.startswith("dev_nodes/") for name in inside["a subset"])


def _names(bundle: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        return archive.getnames()


def test_nothing_of_this_machine_is_in_it(studio: Machine, bundle: Path) -> None:
    plain = gzip.decompress(bundle.read_bytes())
    assert str(studio.home).encode() not in plain
    assert str(Path.home()).encode() not in plain
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert {(member.uid, member.gid, member.uname) for member in archive} == {(0, 0, "")}


def test_an_existing_file_is_not_overwritten(studio: Machine, tmp_path: Path) -> None:
    there = tmp_path / "mine.tar.gz"
    there.write_bytes(b"precious")
    ran = studio.run("export", "studio", "--output", str(there), "--json")
    assert ran.exit_code == 1
    assert "mine.tar.gz" in ran.envelope["errors"][0]["message"]
    assert there.read_bytes() == b"precious"


def test_a_name_that_is_taken_gets_a_counter(studio: Machine, tmp_path: Path) -> None:
    for _ in range(2):
        studio.ok("export", "studio", folder=tmp_path)
    first, second = sorted(path.name for path in tmp_path.iterdir())
    assert first.startswith("studio_export_20")
    assert second == first.replace(".tar.gz", "-2.tar.gz") or first == second.replace(
        ".tar.gz", "-2.tar.gz"
    )


def test_work_in_progress_is_not_exported(studio: Machine, tmp_path: Path) -> None:
    saved = save_workflow(studio, "studio", "draft", UPSCALE)
    try:
        ran = studio.run("export", "studio", "--output", str(tmp_path / "x.tar.gz"), "--json")
    finally:
        saved.unlink()
    assert ran.exit_code == 1
    (error,) = ran.envelope["errors"]
    assert "draft" in error["message"]
    assert "commit" in error["hint"]
    assert list(tmp_path.iterdir()) == []
