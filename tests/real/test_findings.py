"""What `make real` concludes from: differences of bundles, disk that is occupied, its report."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.real.bundles import differing_members, members_with, timestamp
from tests.real.disk import occupied
from tests.real.report import Report


def bundle(
    path: Path, manifest: Mapping[str, str], *, lock: bytes = b"lock", mode: int = 0o644
) -> Path:
    members = {"manifest.json": json.dumps(manifest).encode(), "uv.lock": lock}
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("manifest", "changes", "expected"),
    [
        ({"timestamp": "1", "a": "1"}, {}, []),
        ({"timestamp": "2", "a": "1"}, {}, ["manifest.json:timestamp"]),
        ({"timestamp": "1"}, {}, ["manifest.json:a"]),
        ({"timestamp": "1", "a": "1"}, {"lock": b"other"}, ["uv.lock"]),
        ({"timestamp": "1", "a": "1"}, {"mode": 0o755}, ["uv.lock"]),
    ],
)
def test_differences_of_two_bundles(
    tmp_path: Path, manifest: dict[str, str], changes: dict[str, bytes], expected: list[str]
) -> None:
    one = bundle(tmp_path / "one", {"timestamp": "1", "a": "1"})
    other = bundle(tmp_path / "other", manifest, **changes)  # type: ignore[arg-type]
    assert differing_members(one, other) == expected


def test_what_a_bundle_holds(tmp_path: Path) -> None:
    one = bundle(tmp_path / "one", {"timestamp": "now"}, lock=b"at 127.0.0.1:80")
    assert timestamp(one) == "now"
    assert members_with(one, "127.0.0.1") == ["uv.lock"]


def test_a_file_of_two_names_occupies_its_blocks_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second" / "sub"
    first.mkdir()
    second.mkdir(parents=True)
    (first / "large").write_bytes(b"x" * 1_000_000)
    before = occupied([tmp_path])
    os.link(first / "large", second / "link")
    assert occupied([tmp_path]) == before
    assert occupied([second]) >= 1_000_000
    (second / "copy").write_bytes(b"x" * 1_000_000)
    assert occupied([first, second.parent, tmp_path / "absent"]) >= 2_000_000


def test_the_report_counts_and_tabulates(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.check("v1", "it holds", 1, 1)
    report.figure("v1", "size", "7")
    with report.stage("v2", "create"):
        pass
    assert report.conclude() == 0
    report.check("v2", "it does not", found="this", expected="that")
    assert report.conclude() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 passed, 1 failed"
    assert "FAIL v2: it does not: found 'this', expected 'that'" in lines
    assert lines[3:6] == ["            v1   v2", "size         7", "create (s)      0.0"]


def test_a_report_without_checks_is_no_success() -> None:
    assert Report().conclude() == 1
