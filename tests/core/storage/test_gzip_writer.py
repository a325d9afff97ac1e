from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
from pathlib import Path
from threading import active_count
from typing import BinaryIO, cast

import pytest
from comfydock_core.storage.gzip_reader import GzipReader
from comfydock_core.storage.gzip_writer import GzipWriter

NOISE = random.Random(5).randbytes(3 << 20)
TEXT = b"the same words come again, " * 80_000
PIECES = {
    "nothing": [],
    "only compressed": [("write", TEXT)],
    "only stored": [("store", NOISE)],
    "stored between": [("write", TEXT), ("store", TEXT), ("write", TEXT)],
    "stored twice": [("write", b"a"), ("store", NOISE), ("write", TEXT), ("store", NOISE)],
    "one block exactly": [("store", NOISE[:65535]), ("write", b"b")],
    "one block and a byte": [("store", NOISE[:65536]), ("write", b"b")],
    "empty ones": [("write", b""), ("store", b""), ("write", TEXT), ("store", b"")],
}


def written(pieces: list[tuple[str, bytes]], cut: int = 1 << 30) -> bytes:
    """Return what comes out when ``pieces`` are given in parts of ``cut`` bytes."""
    file = io.BytesIO()
    with GzipWriter(file) as stream:
        for way, data in pieces:
            for start in range(0, len(data), cut):
                getattr(stream, way)(data[start : start + cut])
        stream.finish()
    return file.getvalue()


@pytest.mark.parametrize("name", PIECES)
def test_what_is_written_is_read_by_us_and_by_others(tmp_path: Path, name: str) -> None:
    pieces = PIECES[name]
    data = written(pieces)
    whole = b"".join(part for _, part in pieces)
    with GzipReader(io.BytesIO(data), "x") as reader:
        assert reader.read(len(whole)) == whole
        assert list(reader.rest()) == []
    assert gzip.decompress(data) == whole
    (tmp_path / "x.gz").write_bytes(data)
    subprocess.run(["gzip", "-t", tmp_path / "x.gz"], check=True)


@pytest.mark.parametrize("name", PIECES)
def test_the_bytes_do_not_tell_how_the_data_came(name: str) -> None:
    assert written(PIECES[name]) == written(PIECES[name], cut=77_777) == written(PIECES[name])


def test_what_is_stored_costs_next_to_nothing_and_what_is_not_is_compressed() -> None:
    assert len(NOISE) < len(written([("store", NOISE)])) < len(NOISE) * 1.0002
    assert len(written([("write", TEXT)])) < len(TEXT) / 50


class _Counting:
    """A file that keeps only the last bytes."""

    def __init__(self) -> None:
        self.end = b""

    def write(self, data: bytes | memoryview) -> None:
        self.end = bytes(data[-8:])


def test_the_length_of_more_than_4_gib_wraps() -> None:
    file = _Counting()
    chunk = bytes(16 << 20)
    with GzipWriter(cast(BinaryIO, file)) as stream:
        for _ in range(256):
            stream.store(chunk)
        stream.store(b"12345")
        stream.finish()
    assert file.end[4:] == (5).to_bytes(4, "little")


def interrupted() -> None:
    """Leave a writer in the middle."""
    with GzipWriter(io.BytesIO()) as stream:
        stream.write(os.urandom(20 << 20))
        raise KeyboardInterrupt


def test_a_writer_that_was_left_half_way_leaves_no_thread() -> None:
    before = active_count()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert active_count() == before
