from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.storage.user_paths import user_path


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("a/b.tar.gz", "a/b.tar.gz"),
        ("~/b.tar.gz", "/home/me/b.tar.gz"),
        ("~nobody-has-this-name/b.tar.gz", "~nobody-has-this-name/b.tar.gz"),
        (Path("~"), "/home/me"),
    ],
)
def test_a_home_is_put_in_where_it_is_known(
    monkeypatch: pytest.MonkeyPatch, typed: str | Path, path: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path(typed) == Path(path)
