from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from comfydock_core.errors import DiskFullError
from comfydock_core.storage.download_checks import DownloadRequest, require_space

MIB = 1024 * 1024
LARGE, HALF = 256 * MIB, 120 * MIB
"""What others write on the same disk meanwhile is much less."""


def test_what_an_earlier_run_brought_has_its_room_already(tmp_path: Path) -> None:
    request = DownloadRequest(urls=(), target=tmp_path / "a.bin")
    part = tmp_path / "a.bin.part"
    with part.open("wb") as file:
        for _ in range(LARGE // MIB):
            file.write(b"\x55" * MIB)
    size = shutil.disk_usage(tmp_path).free + HALF
    require_space(request, size)
    part.rename(tmp_path / "another")
    with pytest.raises(DiskFullError):
        require_space(request, size)


def test_a_hole_has_no_room(tmp_path: Path) -> None:
    request = DownloadRequest(urls=(), target=tmp_path / "a.bin")
    with (tmp_path / "a.bin.part").open("wb") as file:
        file.write(b"begun")
        file.truncate(LARGE)
    if (tmp_path / "a.bin.part").stat().st_blocks * 512 > MIB:
        pytest.skip("this file system has no holes")
    with pytest.raises(DiskFullError):
        require_space(request, shutil.disk_usage(tmp_path).free + HALF)
