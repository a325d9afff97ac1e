"""What is made to be too much costs little: 20 seconds, 400 MB of memory, 300 MB written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.bombs import BOMBS, READ
from tests.hostile.bundles import Case
from tests.hostile.good import GOOD

_ROOT = Path(__file__).parents[2]
_SECONDS, _MEMORY, _WRITTEN = 20, 400_000_000, 300_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own figures")


def _run(wanted: Case, folder: Path, *words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the command on a bomb; return its answer and what it took."""
    bundle, report = folder / "hostile.tar.gz", folder / "report.json"
    bundle.write_bytes(wanted.make(GOOD))
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.measured", str(report), *words, str(bundle)],
        cwd=_ROOT,
        env=os.environ | {"COMFYDOCK_HOME": str(folder / "home"), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout), json.loads(report.read_text(encoding="utf-8"))


def _within_bounds(took: dict[str, float]) -> bool:
    limits = {"seconds": _SECONDS, "memory": _MEMORY, "written": _WRITTEN}
    return all(took[name] < limit for name, limit in limits.items())


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(what: str, tmp_path: Path) -> None:
    answer, took = _run(BOMBS[what], tmp_path, "import", "--yes", "--trust-code", "--json")
    (error,) = answer["errors"]
    sentence = error["message"].partition("\n")[0]
    assert [word for word in BOMBS[what].words if word not in sentence] == []
    assert took["exit_code"] == 1
    assert _within_bounds(took), took
    assert list((tmp_path / "home/environments").iterdir()) == [
        tmp_path / "home/environments/.staging"
    ]


@pytest.mark.parametrize("what", READ)
def test_what_is_just_allowed_is_read_within_the_bounds(what: str, tmp_path: Path) -> None:
    _, took = _run(READ[what], tmp_path, "inspect", "--json")
    assert took["exit_code"] == 0
    assert _within_bounds(took), took
