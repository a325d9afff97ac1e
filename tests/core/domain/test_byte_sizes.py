from __future__ import annotations

import pytest
from comfydock_core.domain.byte_sizes import parsed_size, size_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("512 B", 512),
        ("500KB", 500 * 1024),
        ("25 mb", 25 * 1024**2),
        (" 5MiB ", 5 * 1024**2),
        ("1.5G", 3 * 2**29),
        ("2t", 2 * 1024**4),
        ("", None),
        ("MB", None),
        ("-1MB", None),
        ("1e9", None),
        ("25 PB", None),
        ("25MB\n1", None),
        ("9" * 16, None),
    ],
)
def test_an_amount_is_read_in_steps_of_1024(text: str, size: int | None) -> None:
    assert parsed_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (10**8, "95.4 MB"),
        (1024**3 - 1, "1.0 GB"),
        (5 * 2**40, "5.0 TB"),
        (9999 * 2**40, "9999.0 TB"),
    ],
)
def test_an_amount_is_said_in_steps_of_1024(size: int, text: str) -> None:
    assert size_text(size) == text
