"""Where a string stands in the bytes of a JSON document, and how to replace it there.

Writing a document anew would not reproduce its other bytes (numbers, spacing, escapes), so single
string literals are replaced in place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

from comfydock_core.errors import WorkflowError

JsonPath = tuple[str | int, ...]
"""Keys and indexes from the document's root to a value."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_BOM = b"\xef\xbb\xbf"
_QUOTE = ord('"')
_MARKS = frozenset(b"{}[],")


def string_spans(data: bytes, wanted: Collection[JsonPath]) -> dict[JsonPath, tuple[int, int]]:
    """Return where the string literals at ``wanted`` stand: (start, end) with their quotes.

    ``data`` must be valid UTF-8 JSON. A path that leads to no string is left out; of a key given
    twice the last one counts, as it does when JSON is read.
    """
    paths = frozenset(wanted)
    depths = {len(path) for path in paths}
    found: dict[JsonPath, tuple[int, int]] = {}
    here: list[str | int | None] = []
    for token in _TOKEN.finditer(data, len(_BOM) if data.startswith(_BOM) else 0):
        first = data[token.start()]
        if first in _MARKS:
            _step(here, first)
        elif first == _QUOTE and here and here[-1] is None:
            here[-1] = json.loads(token.group())
        elif first == _QUOTE and len(here) in depths:
            path = tuple(part for part in here if part is not None)
            if path in paths:
                found[path] = token.span()
    return found


def _step(here: list[str | int | None], mark: int) -> None:
    """Move ``here`` over one mark; None stands for a key that is still to come."""
    if mark == ord("{"):
        here.append(None)
    elif mark == ord("["):
        here.append(0)
    elif mark == ord(","):
        last = here[-1]
        here[-1] = last + 1 if isinstance(last, int) else None
    else:
        here.pop()


def splice_strings(data: bytes, values: Mapping[JsonPath, str]) -> bytes:
    """Return ``data`` with the strings at the given paths replaced, every other byte unchanged.

    A document in pure ASCII stays so. Raises WorkflowError when a path leads to no string.
    """
    spans = string_spans(data, values.keys()) if values else {}
    if len(spans) != len(values):
        missing = min(str(path) for path in values.keys() - spans.keys())
        raise WorkflowError(f"the workflow has no text at `{missing}`", subject=missing)
    ascii_only = data.isascii()
    pieces: list[bytes] = []
    done = 0
    for path, (start, end) in sorted(spans.items(), key=lambda item: item[1]):
        pieces += [data[done:start], _literal(values[path], ascii_only=ascii_only)]
        done = end
    return b"".join([*pieces, data[done:]])


def _literal(value: str, *, ascii_only: bool) -> bytes:
    # a file name that is no valid text holds lone surrogates, which only an escape can carry
    escaped = ascii_only or any("\ud800" <= letter <= "\udfff" for letter in value)
    return json.dumps(value, ensure_ascii=escaped).encode()
