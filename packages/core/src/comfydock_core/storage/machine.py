"""Facts of this machine: its system, what computes on it, the free space of its file systems."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.processes import run_program

_SECONDS_FOR_A_TOOL = 5.0
_NVIDIA = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
_ROCM = ("rocm_agent_enumerator",)
_ROCM_TARGET = re.compile(r"gfx(?!000)[0-9a-f]{3,5}")
_LONGEST_NAME = 80

Accelerator = Literal["cuda", "rocm", "mps", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hardware:
    """What torch can compute with; ``none`` is the processor alone. ``system`` is as
    ``sys.platform`` says it, ``name`` what the graphics card is called and ``driver`` its driver.
    """

    system: str
    accelerator: Accelerator = "none"
    name: str = ""
    driver: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSystem:
    """``device`` tells file systems apart, ``free`` is what this user may still write, in bytes."""

    device: int
    free: int


class ThisMachine:
    """Looks at the machine that it runs on.

    ``environment`` says where programs are (``PATH``), each of which may take ``seconds``.
    """

    def __init__(
        self, environment: Mapping[str, str], seconds: float = _SECONDS_FOR_A_TOOL
    ) -> None:
        self._environment = environment
        self._seconds = seconds

    def hardware(self) -> Hardware:
        """Ask the drivers' own programs; torch is not needed for it."""
        if sys.platform == "darwin":
            silicon = platform.machine() == "arm64"
            return Hardware(system=sys.platform, accelerator="mps" if silicon else "none")
        if line := self._first_line(_NVIDIA):
            name, _, driver = line.partition(",")
            return Hardware(
                system=sys.platform,
                accelerator="cuda",
                name=name.strip(),
                driver=driver.strip(),
            )
        if target := self._rocm_target():
            return Hardware(system=sys.platform, accelerator="rocm", name=target)
        return Hardware(system=sys.platform)

    def file_system(self, place: Path) -> FileSystem:
        """Return the file system that ``place`` is on, or will be on once it is made."""
        there = next(folder for folder in (place, *place.parents) if folder.exists())
        with storage_errors(there):
            return FileSystem(device=there.stat().st_dev, free=shutil.disk_usage(there).free)

    def _rocm_target(self) -> str:
        """Return the first graphics card; the enumerator names the processor as gfx000."""
        lines = self._output(_ROCM).splitlines()
        return next((line.strip() for line in lines if _ROCM_TARGET.fullmatch(line.strip())), "")

    def _first_line(self, command: Sequence[str]) -> str:
        lines = self._output(command).splitlines()
        return lines[0].strip()[:_LONGEST_NAME] if lines else ""

    def _output(self, command: Sequence[str]) -> str:
        """Return what a program prints; nothing where it is missing, fails or takes too long."""
        program = shutil.which(command[0], path=self._environment.get("PATH"))
        if program is None:
            return ""
        with suppress(OSError, subprocess.TimeoutExpired):
            done = run_program(
                [program, *command[1:]],
                environment=self._environment,
                timeout=self._seconds,
            )
            return done.output if done.exit_code == 0 else ""
        return ""
