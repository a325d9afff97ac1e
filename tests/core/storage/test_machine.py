from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest
from comfydock_core.storage.machine import Hardware, ThisMachine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drivers' programs of Linux")


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def hardware(folder: Path) -> Hardware:
    return ThisMachine({"PATH": str(folder)}).hardware()


@pytest.mark.parametrize(
    ("name", "script", "expected"),
    [
        ("nothing", "", Hardware(system="linux")),
        (
            "nvidia-smi",
            "echo 'NVIDIA GeForce RTX 4090, 580.65.06'; echo 'Another, 1'",
            Hardware(
                system="linux", accelerator="cuda", name="NVIDIA GeForce RTX 4090",
                driver="580.65.06",
            ),
        ),
        ("nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9", Hardware(system="linux")),
        ("nvidia-smi", "", Hardware(system="linux")),
        (
            "rocm_agent_enumerator",
            "echo gfx000; echo gfx1100",
            Hardware(system="linux", accelerator="rocm", name="gfx1100"),
        ),
        ("rocm_agent_enumerator", "echo gfx000", Hardware(system="linux")),
    ],
)  # fmt: skip
def test_the_drivers_programs_say_what_computes_here(
    tmp_path: Path, name: str, script: str, expected: Hardware
) -> None:
    program(tmp_path / "bin", name, script)
    assert hardware(tmp_path / "bin") == expected


def test_a_program_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    program(tmp_path / "bin", "nvidia-smi", f"exec {shutil.which('sleep')} 60")
    begun = time.monotonic()
    assert ThisMachine({"PATH": str(tmp_path / "bin")}, 0.2).hardware() == Hardware(system="linux")
    assert time.monotonic() - begun < 10


def test_a_folder_that_is_not_there_yet_is_on_a_known_disk(tmp_path: Path) -> None:
    here = ThisMachine({}).file_system(tmp_path)
    later = ThisMachine({}).file_system(tmp_path / "not" / "yet")
    assert here.device == later.device == tmp_path.stat().st_dev
    assert later.free > 0
