"""Starting the toy shell as a process, with pipes or on a terminal of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect

ROOT = Path(__file__).parents[2]
_DECIDING = ("CI", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING", "COMFYDOCK_DEBUG")


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _DECIDING}
    return {**kept, "TERM": "xterm", "PYTHONUTF8": "1", **changes}


def toy_process(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the toy shell with its streams in pipes."""
    return subprocess.run(
        [sys.executable, "-m", "tests.cli.toy_commands", *words],
        cwd=ROOT,
        env=_environment(changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def toy_terminal(*words: str, **changes: str) -> pexpect.spawn:
    """Start the toy shell on a terminal with room for whole lines."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "tests.cli.toy_commands", *words],
        cwd=str(ROOT),
        env=_environment(changes),
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 120),
    )


def ended(child: pexpect.spawn) -> tuple[str, int]:
    """Wait for the end; return what was still shown and the exit code."""
    child.expect(pexpect.EOF)
    shown = str(child.before)
    child.close()
    return shown, int(child.exitstatus)
