"""Other tools of this field, each in an environment of its own beside the bench material.

A peer imports as ``comfydock_core`` just as ours does, so it never shares our interpreter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import uv

from benchmarks.material import cache_folder
from benchmarks.rows import Row

COMFYDOCK_1 = "comfydock-core==1.0.11"
COMFYGIT = "comfygit-core==0.7.1"

_NEVER = ("torch", "torchvision", "torchaudio", "triton")
_TIME_LIMIT = 1800


class PeerError(Exception):
    """A peer that cannot be installed here, or whose code failed; it says which and why."""


def run_in_peer(name: str, code: str, *args: str) -> str:
    """Run Python ``code`` in a peer's environment and return what it printed.

    ``name`` is one of the requirements above, installed when it is first asked for; ``code`` finds
    ``args`` in ``sys.argv[1:]``, does its own timing and prints JSON. Raises PeerError.
    """
    folder = _installed(name)
    return _output(name, [str(_python(folder)), "-I", "-c", code, *args], cwd=folder)


def row_without_peer(what: str, error: PeerError) -> Row:
    """The line of the table for a comparison that could not be made."""
    return Row(name=what, figure="not measured", floor=str(error))


def _installed(name: str) -> Path:
    """Make the peer's environment aside and rename it, so that half of one is never used."""
    folder = cache_folder() / f"peer-{name.replace('==', '-')}"
    if _python(folder).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".peer-"))
    excluded = aside / "never.txt"
    excluded.write_text("\n".join(_NEVER), encoding="utf-8")
    tool = [uv.find_uv_bin(), "--no-config", "--quiet"]
    made = aside / "venv"
    make = [*tool, "venv", "--relocatable", "--python", sys.executable, str(made)]
    fill = [*tool, "pip", "install", "--python", str(_python(made)), "--excludes", str(excluded)]
    try:
        _output(name, make, cwd=aside)
        _output(name, [*fill, name], cwd=aside)
        made.replace(folder)
    except OSError as error:
        raise PeerError(f"{name}: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _output(name: str, command: list[str], *, cwd: Path) -> str:
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("PYTHON") and key != "VIRTUAL_ENV"
    }
    try:
        done = subprocess.run(
            command, cwd=cwd, env=clean, capture_output=True, timeout=_TIME_LIMIT, check=True
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise PeerError(f"{name}: {said[-1].strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{name}: {error}") from error
    return done.stdout.decode()
