"""Packs are exchanged and brought back, whenever it was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.workspace.node_swap import NodeSwap

BEFORE = {"changed": "old", "gone": "old", "mine": "mine"}
AFTER = {"changed": "new", "added": "new", "mine": "mine"}


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
