"""Two exports of one commit are the same bytes but for the time, and never half a file."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

from tests.journeys.machines import UPSCALE, Machine, save_workflow


def members(bundle: Path) -> dict[str, bytes]:
    with tarfile.open(bundle) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive)
        return {name: file.read() for name, file in files if file}


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
