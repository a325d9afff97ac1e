"""What the search for secrets and private data finds, in a form that is safe to show."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from comfydock_core.domain.secret_kinds import KINDS, PRIVATE_KINDS

Severity = Literal["secret", "private"]

_MOST_SHOWN = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The person who exports: the home folder and user name that should not travel."""

    home: str = ""
    user_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """A secret or private value in a text, still in the clear; ``start`` counts bytes."""

    rule_id: str
    start: int
    value: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One secret or private value that would leave with a bundle.

    ``place`` is a bundle member's path, or a node or key of a workflow; ``line`` counts from 1 and
    is 0 where the place has no lines. ``shown`` is masked. ``identity`` is how a user accepts the
    finding by name: it changes with the place, the kind and the value.
    """

    kind: str
    place: str
    line: int
    shown: str
    rule_id: str
    severity: Severity
    identity: str

    @property
    def line_of_text(self) -> str:
        """The finding in one line: its identity, what it is, where."""
        return f"{self.identity}  {self.described}"

    @property
    def described(self) -> str:
        """What it is and where, without the identity that nobody has to accept."""
        where = f"{self.place}:{self.line}" if self.line else self.place
        return f"{self.kind} {self.shown} in {where}"


def finding(trace: Trace, place: str, line: int) -> Finding:
    """Describe ``trace`` without telling its value."""
    value = trace.value.decode("utf-8", "replace")
    is_secret = trace.rule_id in KINDS
    told = "\0".join((place, trace.rule_id, value))
    return Finding(
        kind=(KINDS if is_secret else PRIVATE_KINDS)[trace.rule_id],
        place=place,
        line=line,
        shown=masked(value) if is_secret else _half_shown(value),
        rule_id=trace.rule_id,
        severity="secret" if is_secret else "private",
        identity=hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:8],
    )


def masked(value: str) -> str:
    """Return the first characters, at most four and a quarter of all, and the length."""
    return f"{_printable(value[: min(_MOST_SHOWN, len(value) // 4)])}… ({len(value)} characters)"


def _half_shown(value: str) -> str:
    """Return enough of private data to recognise it: its root or its end stays, the name not."""
    name, at, domain = value.partition("@")
    if at:
        return _printable(f"{name[:2]}…@{domain}")
    head = value[: max(len(value) // 2, value.rfind("/") + 2, value.rfind("\\") + 2)]
    return f"{_printable(head)}…"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
