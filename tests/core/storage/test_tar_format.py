from __future__ import annotations

import tarfile

import pytest
from comfydock_core.errors import BundleError
from comfydock_core.storage.tar_format import file_header, parse_record

from tests.core.storage.archive_bytes import header

GIBIBYTE = 1 << 30
SIZES = [0, 1, 8 * GIBIBYTE - 1, 8 * GIBIBYTE, 9 * GIBIBYTE + 7, 2**40, 2**63 - 1]


@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_read_as_they_were_written(size: int) -> None:
    block = file_header("models/a.gguf", size, 0o644, 5)
    assert parse_record(block, "x").size == size
    assert tarfile.TarInfo.frombuf(block, "utf-8", "strict").size == size


@pytest.mark.parametrize("size", SIZES)
def test_sizes_that_other_tools_write_are_read(size: int) -> None:
    info = tarfile.TarInfo("a")
    info.size = size
    assert parse_record(info.tobuf(tarfile.GNU_FORMAT), "x").size == size


def test_below_8_gib_the_size_is_octal() -> None:
    assert file_header("a", 8 * GIBIBYTE - 1, 0o644, 0)[124:136] == b"77777777777\0"
    assert file_header("a", 8 * GIBIBYTE, 0o644, 0)[124:136] == b"\x80\0\0\0\0\0\0\x02\0\0\0\0"


@pytest.mark.parametrize(
    "field",
    [
        b"\x80" + bytes(11),  # nothing, the long way
        b"\x80" + (5).to_bytes(11, "big"),
        b"\x80" + (8 * GIBIBYTE - 1).to_bytes(11, "big"),
        b"\x80" + (2**63).to_bytes(11, "big"),
        b"\x80" + b"\xff" * 11,
        b"\xff" * 12,  # a negative number
        b"\x81" + (9 * GIBIBYTE).to_bytes(11, "big"),
        b"0x900000000\0",
    ],
)
def test_a_size_in_an_unusual_form_is_refused(field: bytes) -> None:
    with pytest.raises(BundleError, match="no plain octal number"):
        parse_record(header(b"a", fields={124: field}), "x")
