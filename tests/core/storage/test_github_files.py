"""Addresses at GitHub."""

from __future__ import annotations

import pytest
from comfydock_core.storage.github_files import github_address

SITE, COMMIT = "https://github.com/o/r", "0a" * 20
ADDRESSES = (
    (f"{SITE}/releases/download/v1/a.bin", f"{SITE}/releases/download/v1/a.bin", ""),
    (f"{SITE}/releases/latest/download/a", f"{SITE}/releases/latest/download/a", "`latest` means"),
    (f"{SITE}/blob/main/blob/a.bin?raw=true", f"{SITE}/raw/main/blob/a.bin", "`main` can move"),
    (f"{SITE}/blob/{COMMIT}/a.bin", f"{SITE}/raw/{COMMIT}/a.bin", ""),
    (f"{SITE}/raw/refs/heads/dev/a.bin", f"{SITE}/raw/refs/heads/dev/a.bin", "`dev` can move"),
    (
        "https://raw.githubusercontent.com/o/r/main/a.bin",
        "https://raw.githubusercontent.com/o/r/main/a.bin",
        "`main` can move",
    ),
    ("https://example.org/o/r/blob/main/a", "https://example.org/o/r/blob/main/a", ""),
    (SITE, SITE, ""),
)


@pytest.mark.parametrize(("given", "address", "problem"), ADDRESSES)
def test_the_content_is_what_is_asked_for_and_what_can_change_is_said(
    given: str, address: str, problem: str
) -> None:
    found, said = github_address(given)
    assert found == address
    assert problem in said
    assert bool(problem) == bool(said)
