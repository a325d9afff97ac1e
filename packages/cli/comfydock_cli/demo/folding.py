"""A command's progress, as short as it can be read afterwards (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_TITLE = re.compile(r"\S.*\.\.\.")
_END = re.compile(r"✅|⚠|  ✓")
_FILE = re.compile(r"\[\d+(/\d+)?\] ")
_FILE_IS_WELL = "  ✓"


def folded(lines: Iterable[str]) -> Iterator[str]:
    """Leave out each file of a step that went well, blank lines in a step, double blank lines.

    A step begins with ``Title...`` and ends with its summary; a file takes two lines,
    ``[1/4] name (4.2 GB)`` and ``  ✓ outcome``.
    """
    in_step = False
    file = last = ""
    for line in lines:
        if _FILE.match(line):
            file = line
            continue
        if file:
            shown = [] if line.startswith(_FILE_IS_WELL) else [file, line]
        else:
            shown = [line] if line or (last and not in_step) else []
            in_step = bool(_TITLE.fullmatch(line)) or (in_step and not _END.match(line))
        file = ""
        yield from shown
        last = shown[-1] if shown else last
