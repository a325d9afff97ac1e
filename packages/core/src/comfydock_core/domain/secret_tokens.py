"""Finds tokens by their form in bytes.

Most of a file is passed over at memory speed: a token is a long run of few characters, and such
runs are found by translating the bytes. The time is linear in the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from comfydock_core.domain.secret_findings import Trace
from comfydock_core.domain.secret_kinds import TOKEN, TOKEN_START
from comfydock_core.domain.secret_values import is_random_alone, is_token

_SHORTEST = 20
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_RUNS = bytes(97 if byte in _ALPHABET else 32 for byte in range(256))
_RUN = b"a" * _SHORTEST
_PICTURE = re.compile(rb"[A-Za-z0-9+/]{400,}+")
# Forms like `SG.…`, `12345678:AA…` and `1//0…` begin before the run.
_BEFORE = 12
_JOINTS = frozenset((b".", b":", b"/"))
_LOWER = b"abcdefghijklmnopqrstuvwxyz_-"
_QUOTED = frozenset((b'"', b"'", b"`"))
_HEX_32 = re.compile(rb"[0-9a-fA-F]{32}")
_CIVITAI = b"civitai"
_NEAR = 120


def token_traces(data: bytes, *, uncertain: bool) -> Iterator[Trace]:
    """Yield the tokens in ``data``; ``uncertain`` asks for random quoted text and bare keys too.

    Pictures in base64 are passed over.
    """
    runs = data.translate(_RUNS)
    has_civitai = uncertain and _CIVITAI in data.lower()
    taken = 0
    start = runs.find(_RUN)
    while start >= 0:
        end = runs.find(b" ", start)
        end = len(runs) if end < 0 else end
        if picture := _PICTURE.match(data, start):
            end = picture.end()
        elif not data[start:end].strip(_LOWER):
            pass  # words: no form of token is without capitals and digits
        elif found := _token(data, max(taken, start - _before(data, start)), end):
            yield found
            taken = found.start + len(found.value)
            end = max(end, taken)
        elif uncertain and (rule := _suspicion(data, start, end, has_civitai)):
            yield Trace(rule_id=rule, start=start, value=data[start:end])
        start = runs.find(_RUN, end)


def _before(data: bytes, start: int) -> int:
    return _BEFORE if data[start - 1 : start] in _JOINTS else 0


def _token(data: bytes, start: int, end: int) -> Trace | None:
    for beginning in TOKEN_START.finditer(data, start, end):
        if whole := TOKEN.match(data, beginning.start()):
            rule = (whole.lastgroup or "").replace("_", "-")
            if is_token(whole.group().decode()):
                return Trace(rule_id=rule, start=whole.start(), value=whole.group())
    return None


def _suspicion(data: bytes, start: int, end: int, has_civitai: bool) -> str:
    """Name the rule by which a run that has no known form may be a key."""
    if end - start < 32:
        return ""
    if has_civitai and _HEX_32.fullmatch(data, start, end):
        near = data[max(0, start - _NEAR) : start].rpartition(b"\n")[2].lower()
        return "civitai" if _CIVITAI in near and b"hash" not in near else ""
    quoted = data[start - 1 : start] in _QUOTED and data[end : end + 1] in _QUOTED
    return "random" if quoted and is_random_alone(data[start:end].decode()) else ""
