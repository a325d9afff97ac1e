"""Progress is folded to what is worth reading afterwards."""

from __future__ import annotations

import pytest
from comfydock_cli.demo.folding import folded


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (["a", "", "", "b", "", "c"], ["a", "", "b", "", "c"]),
        (["", "a", ""], ["a", ""]),
        (
            ["Models...", "", "[1/2] a (1 B)", "  ✓ verified", "", "[2/2] b (1 B)", "  ✓ verified"],
            ["Models..."],
        ),
        (
            ["Models...", "", "[1/1] a (1 B)", "  ✗ Failed: gone", "", "⚠ 0 of 1", "", "end"],
            ["Models...", "[1/1] a (1 B)", "  ✗ Failed: gone", "⚠ 0 of 1", "", "end"],
        ),
        (
            [
                "📦 Nodes...",
                "",
                "  • a... ✓",
                "",
                "✅ 1 of 1",
                "",
                "🔧 Paths...",
                "  ✓ Done",
                "",
                "x",
            ],
            ["📦 Nodes...", "  • a... ✓", "✅ 1 of 1", "", "🔧 Paths...", "  ✓ Done", "", "x"],
        ),
    ],
)
def test_what_is_shown(printed: list[str], shown: list[str]) -> None:
    assert list(folded(printed)) == shown
