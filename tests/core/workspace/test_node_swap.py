"""Packs are exchanged and brought back, whenever it was interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.settings import HostSettings
from comfydock_core.storage.git import Git
from comfydock_core.workspace.node_swap import NodeSwap, edited_packs, keep_own_files

from tests.journeys.town import git, make_repository, write_files

BEFORE = {"changed": "old", "gone": "old", "mine": "mine"}
AFTER = {"changed": "new", "added": "new", "mine": "mine"}
NODES = {
    **{n: NodeInfo(name=n, source="git", version="") for n in ("clean", "written", "committed")},
    **{n: NodeInfo(name=n, source="registry", version="1") for n in ("plain", "added")},
    "own": NodeInfo(name="own", source="development", version="dev"),
}


def pack(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "x.py").write_text(text)


@pytest.fixture
def swap(tmp_path: Path) -> NodeSwap:
    made = NodeSwap(
        custom_nodes=tmp_path / "custom_nodes",
        incoming=tmp_path / "incoming",
        outgoing=tmp_path / "outgoing",
        installs=("added", "changed"),
        removes=("gone",),
    )
    for name, text in BEFORE.items():
        pack(made.custom_nodes, name, text)
    for name in made.installs:
        pack(made.incoming, name, "new")
    made.outgoing.mkdir()
    return made


def there(swap: NodeSwap) -> dict[str, str]:
    return {path.name: (path / "x.py").read_text() for path in swap.custom_nodes.iterdir()}


def test_forth_and_back_as_often_as_one_likes(swap: NodeSwap) -> None:
    for act, expected in ((swap.forth, AFTER), (swap.back, BEFORE)) * 2:
        act()
        act()
        assert there(swap) == expected


def cut_before_the_first_comes(swap: NodeSwap) -> None:
    (swap.custom_nodes / "gone").rename(swap.outgoing / "gone")


def cut_between_out_and_in(swap: NodeSwap) -> None:
    cut_before_the_first_comes(swap)
    (swap.custom_nodes / "changed").rename(swap.outgoing / "changed")


def cut_before_the_last(swap: NodeSwap) -> None:
    cut_between_out_and_in(swap)
    (swap.incoming / "changed").rename(swap.custom_nodes / "changed")


@pytest.mark.parametrize(
    "cut", [cut_before_the_first_comes, cut_between_out_and_in, cut_before_the_last]
)
@pytest.mark.parametrize("way", ["forth", "back"])
def test_a_cut_swap_goes_either_way(
    cut: Callable[[NodeSwap], None], way: str, swap: NodeSwap
) -> None:
    cut(swap)
    getattr(swap, way)()
    assert there(swap) == (AFTER if way == "forth" else BEFORE)


def test_what_its_user_changed_is_told_and_kept(tmp_path: Path) -> None:
    made = {name: write_files(tmp_path / "packs" / name, {"a.py": "1\n"}) for name in NODES}
    infos = [
        replace(node, version=make_repository(made[name], "v1")) if node.source == "git" else node
        for name, node in NODES.items()
    ]
    (made["written"] / "a.py").write_text("2\n")
    (made["committed"] / "a.py").write_text("2\n")
    git(made["committed"], "commit", "-q", "-a", "-m", "mine")
    for name in ("plain", "added"):
        (made[name] / ".tracking").write_text("a.py")
    (made["added"] / "b.py").write_text("2\n")
    write_files(tmp_path / "packs/by-hand", {"a.py": "1\n"})
    runner = Git(HostSettings(), {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull})
    names = (*NODES, "by-hand", "not-there")
    edited = edited_packs(runner, tmp_path / "packs", infos, names)
    assert edited == ("written", "committed", "added", "by-hand")
    kept = keep_own_files(runner, tmp_path / "packs", infos, tmp_path / "kept", tmp_path / "trash")
    assert {path.name for path in kept} == {*edited, "own"}
