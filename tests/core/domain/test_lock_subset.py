from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.lock import parse_lock
from comfydock_core.domain.lock_subset import without_other_groups
from comfydock_core.domain.manifest import Manifest
from comfydock_core.errors import ManifestError
from comfydock_core.workspace.python_packages import resolve, resolve_pinned

from tests.core.storage.small_wheels import make_wheel
from tests.core.workspace.workspaces import SMALL, environment_in, workspace_at

WHOLE = replace(
    SMALL,
    requirements=("alpha", "torch"),
    groups={
        "one-1": ("beta<2", "shared"),
        "two-2": ("gamma[fast,odd]>=1 ; python_version > '3'", "shared"),
        "three-3": ("circle-a", "lone ; sys_platform == 'win32'"),
        "four-4": ("gamma",),
    },
)


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path) -> None:
    folder = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        make_wheel(folder, "beta", version, "deep")
    make_wheel(folder, "alpha", "1.0", "deep")
    make_wheel(folder, "gamma", "1.0", "deep", "quick ; extra == 'fast'", "odd ; extra == 'odd'")
    make_wheel(folder, "circle_a", "1.0", "circle_b")
    make_wheel(folder, "circle_b", "1.0", "circle_a")
    for name in ("deep", "shared", "quick", "odd", "lone"):
        make_wheel(folder, name, "1.0")


def subset(*groups: str) -> Manifest:
    return replace(WHOLE, groups={name: WHOLE.groups[name] for name in groups})


def names(lock: str) -> set[str]:
    return {package.name for package in parse_lock(lock.encode())}


EXPECTED = {
    (): {"alpha", "deep"},
    ("one-1",): {"alpha", "deep", "beta", "shared"},
    ("two-2",): {"alpha", "deep", "gamma", "quick", "odd", "shared"},
    ("three-3",): {"alpha", "deep", "circle-a", "circle-b", "lone"},
    ("four-4",): {"alpha", "deep", "gamma"},
    ("one-1", "three-3"): {"alpha", "deep", "beta", "shared", "circle-a", "circle-b", "lone"},
}


def test_a_smaller_lock_is_what_uv_itself_writes_for_the_smaller_project(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    environment = environment_in(workspace)
    whole = resolve(workspace, environment, WHOLE)
    assert without_other_groups(whole, WHOLE.groups.keys()) == whole
    for groups, packages in EXPECTED.items():
        smaller = without_other_groups(whole, groups)
        assert names(smaller) == packages
        environment.lock_path.write_text(smaller, encoding="utf-8")
        assert resolve(workspace, environment, subset(*groups)) == smaller


@pytest.mark.parametrize("groups", [(), ("one-1",)])
def test_a_receiver_installs_nothing_of_other_groups_even_from_the_whole_lock(
    tmp_path: Path, groups: tuple[str, ...]
) -> None:
    workspace = workspace_at(tmp_path)
    whole = resolve(workspace, environment_in(workspace), WHOLE)
    for lock in (whole, without_other_groups(whole, groups)):
        pinned = parse_lock(lock.encode())
        ours = resolve_pinned(workspace, subset(*groups), pinned, build=False)
        assert names(ours) == EXPECTED[groups]


def test_nothing_says_what_was_left_out(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    whole = resolve(workspace, environment_in(workspace), WHOLE)
    smaller = without_other_groups(whole, ["one-1"])
    for word in ("two-2", "three-3", "four-4", "gamma", "circle", "lone"):
        assert word in whole
        assert word not in smaller


@pytest.mark.parametrize("lock", ["x = ", "package = 3\n", "[[package]]\nversion = '1'\n"])
def test_what_is_no_lock_is_named(lock: str) -> None:
    with pytest.raises(ManifestError):
        without_other_groups(lock, [])
