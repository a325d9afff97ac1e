"""Run every benchmark of this folder, or those that are named, and print one table."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.rows import Row

NO_BENCHMARKS = frozenset(
    {"__init__", "__main__", "download_host", "import_material", "material", "peers", "rows"}
)
HEAD = Row(name="what", figure="figure", floor="floor", ratio="ratio", target="target")


def main(names: list[str]) -> None:
    """Run the modules in order; each has ``run() -> list[Row]``."""
    there = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    chosen = names or [name for name in there if name not in NO_BENCHMARKS]
    rows: list[Row] = []
    for name in chosen:
        rows += importlib.import_module(f"benchmarks.{name}").run()
    print("\n".join(table([HEAD, *rows])))


def table(rows: Iterable[Row]) -> list[str]:
    """Return the rows as lines with columns of one width."""
    cells = [(row.name, row.figure, row.floor, row.ratio, row.target) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
