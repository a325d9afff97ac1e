"""What a run found: checks that hold or not, seconds per stage, figures; and its last words."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Report:
    """Collects checks, seconds and figures by column (a version) and prints them as they come."""

    def __init__(self) -> None:
        self._passed = 0
        self._failed = 0
        self._rows: dict[str, dict[str, str]] = {}

    def check(self, column: str, sentence: str, found: object, expected: object = True) -> None:
        """Notes whether ``found`` is ``expected``."""
        good = found == expected
        self._passed += good
        self._failed += not good
        detail = "" if good else f": found {str(found)[:2000]!r}, expected {str(expected)[:300]!r}"
        _say(f"{'ok  ' if good else 'FAIL'} {column}: {sentence}{detail}")

    def figure(self, column: str, row: str, text: str) -> None:
        """Notes what the table says in ``row``."""
        self._rows.setdefault(row, {})[column] = text

    @contextmanager
    def stage(self, column: str, name: str) -> Iterator[None]:
        """Times a stage; one of the same name and column adds to it."""
        started = time.monotonic()
        try:
            yield
        finally:
            taken = time.monotonic() - started
            row = f"{name} (s)"
            before = float(self._rows.get(row, {}).get(column, "0"))
            self.figure(column, row, f"{before + taken:.1f}")
            _say(f"     {column}: {name}, {taken:.1f} s")

    def table(self) -> str:
        """Everything measured: a row for each stage and figure, a column for each version."""
        columns = list(dict.fromkeys(column for row in self._rows.values() for column in row))
        lines = [["", *columns]]
        lines += [
            [row, *(by.get(column, "") for column in columns)] for row, by in self._rows.items()
        ]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
            for line in lines
        )

    def conclude(self) -> int:
        """Prints the table and the last line; 1 when a check failed or there was none."""
        _say(f"\n{self.table()}\n\n{self._passed} passed, {self._failed} failed")
        return 1 if self._failed or not self._passed else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
