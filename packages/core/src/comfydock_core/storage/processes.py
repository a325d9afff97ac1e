"""Starting other programs: argument lists only, a clean environment, captured output."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """Exit code and decoded output of a program that ran to its end."""

    exit_code: int
    output: str
    errors: str


def run_program(
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str],
    timeout: float | None = None,
) -> Finished:
    """Run a program without a shell or standard input and wait for it.

    OSError when it cannot be started; subprocess.TimeoutExpired after ``timeout`` seconds.
    """
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Finished(
        exit_code=done.returncode,
        output=done.stdout.decode(errors="replace"),
        errors=done.stderr.decode(errors="replace"),
    )


def scrubbed_environment(
    environment: Mapping[str, str], prefixes: tuple[str, ...], names: tuple[str, ...] = ()
) -> dict[str, str]:
    """Copy an environment without the variables that would steer the program behind our back."""
    return {
        key: value
        for key, value in environment.items()
        if not key.upper().startswith(prefixes) and key.upper() not in names
    }


def bin_folder(venv: Path) -> Path:
    """Return the folder of a virtual environment's programs."""
    return venv / ("Scripts" if os.name == "nt" else "bin")


def python_of(venv: Path) -> Path:
    """Return the Python of a virtual environment."""
    return bin_folder(venv) / ("python.exe" if os.name == "nt" else "python")
