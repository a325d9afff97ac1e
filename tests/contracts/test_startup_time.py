"""`comfydock --help` costs little more than a bare interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from statistics import median

import pytest

ROUNDS = 15
LIMIT = 3.5
_HEAVY = {"argparse", "dataclasses", "json", "pathlib", "rich", "sqlite3", "tomlkit", "urllib3"}
_NAMES_OF_MODULES = """
import sys
from comfydock_cli.main import main
code = main(sys.argv[1:])
sys.stderr.write(" ".join(sys.modules))
sys.exit(code)
"""


def _seconds(command: list[str]) -> float:
    # As a user's machine does: compiled files are kept.
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def test_help_starts_quickly() -> None:
    script = shutil.which("comfydock", path=sysconfig.get_path("scripts"))
    assert script
    bare, helped = [sys.executable, "-c", "pass"], [script, "--help"]
    for command in (bare, helped):
        _seconds(command)
    rounds = [(_seconds(bare), _seconds(helped)) for _ in range(ROUNDS)]
    ratio = median(second for _, second in rounds) / median(first for first, _ in rounds)
    assert ratio <= LIMIT, f"comfydock --help takes {ratio:.2f} times a bare interpreter's start"


@pytest.mark.parametrize("words", [[], ["--help"], ["help"], ["node"], ["model", "index", "-h"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _NAMES_OF_MODULES, *words],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert "comfydock_cli.help_text" in loaded
    assert loaded & _HEAVY == set()
