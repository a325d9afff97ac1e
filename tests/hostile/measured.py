"""`python -m tests.hostile.measured FILE WORDS…`: the command, and what it took, as JSON in FILE.

Memory is the most that the process had at once, ``written`` all bytes that it gave to the system.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from comfydock_cli.main import main


def _figure(file: str, name: str) -> int:
    lines = Path("/proc/self", file).read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def run(report: Path, words: list[str]) -> None:
    """Run the command in this process."""
    started = time.monotonic()
    sys.argv = ["comfydock", *words]
    code = main()
    took = {
        "exit_code": code,
        "seconds": time.monotonic() - started,
        "memory": _figure("status", "VmHWM") << 10,
        "written": _figure("io", "wchar"),
    }
    report.write_text(json.dumps(took), encoding="utf-8")


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
