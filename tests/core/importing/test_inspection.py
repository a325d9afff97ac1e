"""A bundle against an environment, and the disk that it needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_core.domain.lock import LockedPackage
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.importing.inspection import (
    EnvironmentState,
    Versions,
    compare,
    environment_size,
)
from comfydock_core.importing.summary import OpenedBundle

from tests.core.importing.summaries import aggregate, bundle, manifest, summary

MIB = 1 << 20


def registry(name: str, version: str) -> NodeInfo:
    return NodeInfo(name=name, source="registry", version=version)


def test_nodes_of_one_name_are_compared_whatever_their_case() -> None:
    ours = {"Same": registry("Same", "1"), "b": registry("b", "1"), "n": registry("n", "1")}
    theirs = {"same": registry("same", "1"), "b": registry("b", "2"), "o": registry("o", "1")}
    found = compare(summary(ours), (), EnvironmentState(name="e", manifest=manifest(theirs)))
    assert (found.nodes_new, found.nodes_missing) == (("n",), ("o",))
    assert found.versions == (Versions(name="b", bundle="registry 1", here="registry 2"),)


def test_another_comfyui_and_python_are_said() -> None:
    there = replace(manifest(), comfyui_commit="1" * 40, python_version="3.12")
    found = compare(summary(), (), EnvironmentState(name="e", manifest=there))
    assert [(one.name, one.bundle, one.here) for one in found.versions] == [
        ("ComfyUI", "v0.3.75 (00000000)", "v0.3.75 (11111111)"),
        ("Python", "3.11", "3.12"),
    ]


def test_workflows_and_models_are_here_changed_or_not() -> None:
    keys = ("a" * 16, "b" * 16, "c" * 16)
    one = summary(aggregates={key: aggregate(key=key) for key in keys})
    state = EnvironmentState(
        name="e",
        manifest=manifest(),
        workflows={"same": False, "changed": True, "own": False},
        models=frozenset({keys[0]}),
        likely=frozenset(keys[:2]),
    )
    found = compare(one, ("same", "changed", "new"), state)
    assert found.workflows_new == ("new",)
    assert found.workflows_changed == ("changed",)
    assert found.workflows_missing == ("own",)
    assert (found.models_here, found.models_likely, found.models_new) == (
        (keys[0],),
        (keys[1],),
        (keys[2],),
    )


@pytest.mark.parametrize(
    ("requirements", "backend", "size"),
    [((), "auto", 40), (("torch",), "none", 40), (("torch",), "cpu", 1064), (("torch",), "", 7208)],
)
def test_the_environment_is_estimated(
    requirements: tuple[str, ...], backend: str, size: int
) -> None:
    package = LockedPackage(name="p", version="1", source="registry", size=10 * MIB)
    opened = OpenedBundle(
        bundle=bundle(),
        manifest=replace(manifest(), requirements=requirements),
        lock=(package,),
        development=(),
        digest="d",
    )
    assert environment_size(opened, backend) == (size + 30) * MIB
