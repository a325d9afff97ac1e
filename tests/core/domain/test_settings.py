from __future__ import annotations

import pytest
from comfydock_core.domain.settings import HostSettings

HOSTS = HostSettings(
    mirrors={
        "https://github.com": "http://127.0.0.1:1/git",
        "https://github.com/acme/": "https://git.acme.org/mirror/",
        "https://one.org/repo": "https://two.org/other",
    }
)


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("https://github.com/a/b", "http://127.0.0.1:1/git/a/b"),
        ("https://github.com/acme/b", "https://git.acme.org/mirror/b"),
        ("https://github.com/acme2/b", "http://127.0.0.1:1/git/acme2/b"),
        ("https://github.com.evil.org/a", "https://github.com.evil.org/a"),
        ("https://github.com", "http://127.0.0.1:1/git"),
        ("https://one.org/repo", "https://two.org/other"),
        ("https://one.org/repo/", "https://two.org/other/"),
        ("https://one.org/repo.git", "https://one.org/repo.git"),
        ("http://github.com/a", "http://github.com/a"),
        (
            "https://elsewhere.org/x?u=https://github.com/",
            "https://elsewhere.org/x?u=https://github.com/",
        ),
    ],
)
def test_the_longest_whole_prefix_is_mirrored(url: str, reached: str) -> None:
    assert HOSTS.reach(url) == reached


@pytest.mark.parametrize(
    ("allowed", "url", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8188/x", True),
        ("127.0.0.1:8188", "http://127.0.0.1:8188/x", True),
        ("127.0.0.1:8188", "http://127.0.0.1:9000/x", False),
        ("127.0.0.1:8188", "http://127.0.0.1/x", False),
        ("nas.local", "http://user@nas.local/x", True),
        ("nas.local", "http://nas.local.evil.org/", False),
        ("nas.local", "http://evil.org/nas.local", False),
        ("nas.local", "http://nas.local@evil.org/", False),
        ("NAS.local", "http://nas.LOCAL/", True),
        ("", "file:///etc", False),
    ],
)
def test_which_hosts_may_be_private(allowed: str, url: str, expected: bool) -> None:
    hosts = HostSettings(allowed=frozenset({allowed} - {""}))
    assert hosts.allows_private(url) is expected


def test_nothing_is_allowed_or_mirrored_by_itself() -> None:
    assert HostSettings().reach("https://github.com/a") == "https://github.com/a"
    assert not HostSettings().allows_private("http://127.0.0.1/")
