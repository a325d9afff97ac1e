from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from comfydock_core.storage.processes import (
    bin_folder,
    python_of,
    run_program,
    scrubbed_environment,
)

CODE = """import os, sys
print(os.getcwd(), sys.stdin.read() == "", sorted(k for k in os.environ if k.startswith("OUR_")))
sys.stderr.buffer.write(b"\\xff$(id)\\n")
sys.exit(7)
"""


def test_a_program_runs_alone(tmp_path: Path) -> None:
    done = run_program([sys.executable, "-c", CODE], folder=tmp_path, environment={"OUR_A": "1"})
    assert done.exit_code == 7
    assert done.output == f"{tmp_path} True ['OUR_A']\n"
    assert done.errors == "\ufffd$(id)\n"


def test_a_program_that_is_not_there_or_does_not_end(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none"):
        run_program([tmp_path / "none"], environment={})
    forever = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    with pytest.raises(subprocess.TimeoutExpired):
        run_program(forever, environment={}, timeout=0.2)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"UV_INDEX": "x", "uv_index": "x", "MY_UV_X": "y"}, {"MY_UV_X": "y"}),
        ({"VIRTUAL_ENV": "x", "virtual_env": "x", "VIRTUAL_ENV_X": "y"}, {"VIRTUAL_ENV_X": "y"}),
        ({"PATH": "/bin"}, {"PATH": "/bin"}),
    ],
)
def test_variables_that_steer_are_left_out(given: dict[str, str], kept: dict[str, str]) -> None:
    assert scrubbed_environment(given, ("UV_",), ("VIRTUAL_ENV",)) == kept


def test_where_a_venv_has_its_python(tmp_path: Path) -> None:
    name = {"nt": "Scripts/python.exe"}.get(os.name, "bin/python")
    assert python_of(tmp_path) == tmp_path / name
    assert bin_folder(tmp_path) == (tmp_path / name).parent
