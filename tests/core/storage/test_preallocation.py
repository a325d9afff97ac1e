"""Room for bytes that are yet to come never touches those that are there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from comfydock_core.storage.preallocation import allocate

MIB = 1024 * 1024


def test_what_is_written_stays(tmp_path: Path) -> None:
    written = os.urandom(MIB)
    descriptor = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    try:
        os.pwrite(descriptor, written, 0)
        allocate(descriptor, 0, 4 * MIB)
        assert os.pread(descriptor, MIB, 0) == written
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is the call of Linux")
def test_the_disk_is_ready(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    try:
        allocate(descriptor, 0, MIB)
        assert os.fstat(descriptor).st_size == MIB
    finally:
        os.close(descriptor)


def test_nothing_happens_where_there_is_no_such_room() -> None:
    reading, writing = os.pipe()
    try:
        allocate(writing, 0, MIB)
    finally:
        os.close(reading)
        os.close(writing)
