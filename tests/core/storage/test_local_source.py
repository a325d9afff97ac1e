from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.storage.local_source import is_same_as_local

LONG = bytes(range(256)) * 8192
TOLD_APART = {
    "the same": (LONG, LONG, True),
    "both empty": (b"", b"", True),
    "the last byte": (LONG, LONG[:-1] + b"!", False),
    "longer": (LONG, LONG + b"!", False),
}


@pytest.mark.parametrize("what", TOLD_APART)
def test_the_bytes_decide(what: str, tmp_path: Path) -> None:
    named, here, same = TOLD_APART[what]
    (tmp_path / "my file").write_bytes(named)
    (tmp_path / "here").write_bytes(here)
    assert is_same_as_local((tmp_path / "my file").as_uri(), tmp_path / "here") == same


def test_a_file_is_its_own_twin(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LONG)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert is_same_as_local((tmp_path / "a").as_uri(), tmp_path / "link")


@pytest.mark.parametrize(
    "url", ["https://example.org/a", "file:///nowhere/a", "file://elsewhere/a", "file:///"]
)
def test_what_cannot_be_read_is_not_the_same(url: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LONG)
    assert not is_same_as_local(url, tmp_path / "a")
    assert not is_same_as_local((tmp_path / "a").as_uri(), tmp_path / "absent")
