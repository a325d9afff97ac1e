"""Patterns in bytes, tried only where a word of theirs stands: finding that is a memory scan."""

from __future__ import annotations

import re
from collections.abc import Iterator


def positions(data: bytes, word: bytes) -> Iterator[int]:
    """Yield where ``word`` begins in ``data``, overlaps left out."""
    position = data.find(word)
    while position >= 0:
        yield position
        position = data.find(word, position + len(word))


def matches_at(pattern: re.Pattern[bytes], data: bytes, word: bytes) -> Iterator[re.Match[bytes]]:
    """Yield the matches of ``pattern`` that begin where ``word`` stands in ``data``."""
    for position in positions(data, word):
        if match := pattern.match(data, position):
            yield match
