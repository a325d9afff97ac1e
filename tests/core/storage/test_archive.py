from __future__ import annotations

from hashlib import sha256

import pytest
from comfydock_core.storage.archive import (
    BUNDLE_LIMITS,
    DEFAULT_LIMITS,
    ArchiveLimits,
    ArchiveMember,
    contents_digest,
    kept_mode,
)

A = ArchiveMember(path="a", size=1, mode=0o644, sha256="11")
B = ArchiveMember(path="b/é", size=2, mode=0o755, sha256="22")


def test_the_digest_is_over_path_mode_and_sha256_in_order() -> None:
    expected = sha256("a\x00644\x0011\nb/é\x00755\x0022\n".encode()).hexdigest()
    assert contents_digest([B, A]) == contents_digest([A, B]) == expected


@pytest.mark.parametrize(
    ("given", "kept"),
    [(0o644, 0o644), (0o600, 0o644), (0o100, 0o755), (0o4755, 0o755), (0o011, 0o644), (0, 0o644)],
)
def test_only_two_modes_are_kept(given: int, kept: int) -> None:
    assert kept_mode(given) == kept


@pytest.mark.parametrize(
    ("path", "cap"),
    [("pyproject.toml", 4 << 20), ("uv.lock", 32 << 20), ("workflows/uv.lock", 64 << 20)],
)
def test_caps_are_those_of_the_rules(path: str, cap: int) -> None:
    limits = ArchiveLimits()
    assert limits.cap_of(path) == cap
    assert (limits.members, limits.total_size) == (20_000, 256 << 20)


def test_only_the_models_of_a_bundle_may_have_any_size() -> None:
    assert BUNDLE_LIMITS.is_large("models/loras/a.safetensors")
    assert not BUNDLE_LIMITS.is_large("dev_nodes/x/models/a.safetensors")
    assert not DEFAULT_LIMITS.is_large("models/loras/a.safetensors")
