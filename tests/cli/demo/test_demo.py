"""`comfydock demo` as CI runs it: what it shows is true, and nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

START = "import sys; from comfydock_cli.main import main; sys.exit(main())"
STORY = (
    ("create",),
    ("node", "add"),
    ("node", "add"),
    ("node", "add"),
    ("model", "index"),
    ("workflow", "resolve"),
    ("workflow", "model"),
    ("workflow", "model"),
    ("commit",),
    ("run",),
    ("export",),
    ("import",),
    ("use",),
    ("status",),
    ("run",),
)


def demo(place: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it with a home and a folder for temporary things below ``place``."""
    for name in ("home", "temporary"):
        (place / name).mkdir()
    changed = {
        "COMFYDOCK_HOME": str(place / "home" / "workspace"),
        "TMPDIR": str(place / "temporary"),
        "PYTHONUTF8": "1",
        "CI": "1",
    }
    return subprocess.run(
        [sys.executable, "-P", "-c", START, "demo", *options],
        env={**os.environ, **changed, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def left_behind(place: Path) -> list[str]:
    return sorted(path.name for name in ("home", "temporary") for path in (place / name).iterdir())


def test_the_whole_loop(tmp_path: Path) -> None:
    done = demo(tmp_path, TERM="dumb")
    assert (done.returncode, done.stderr) == (0, "")
    commands = [line.split()[2:] for line in done.stdout.splitlines() if line.startswith("$ ")]
    assert [command[: len(start)] for command, start in zip(commands, STORY, strict=True)] == [
        list(start) for start in STORY
    ]
    made = re.findall(r"^  made (\S+) ", done.stdout, re.MULTILINE)
    assert made == ["three-teal-foxes_00001_.png", "warm_00001_.png", "cool_00001_.png"] * 2
    told = re.search(r"receiver/\S+/output/(\S+)\n  sha256 [0-9a-f]{64}\n", done.stdout)
    assert told
    assert told[1] == made[0]
    assert "now yours:\n  comfydock create" in done.stdout
    assert left_behind(tmp_path) == []


def test_a_step_that_fails_is_named_and_kept_for_a_look(tmp_path: Path) -> None:
    no_folder = tmp_path / "file"
    no_folder.touch()
    done = demo(tmp_path, "--json", COMFYDOCK_UV_CACHE=str(no_folder))
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    (error,) = answer["errors"]
    assert "`comfydock create posters` failed\nerror: " in error["message"]
    folder = Path(answer["data"]["folder"])
    assert str(folder) in error["hint"]
    assert left_behind(tmp_path) == [folder.name]
    assert sorted(path.name for path in folder.iterdir()) == ["internet", "receiver", "sender"]
