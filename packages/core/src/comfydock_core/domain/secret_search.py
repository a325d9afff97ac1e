"""Everything that one text gives away, each spot once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from comfydock_core.domain.private_traces import drive_traces, owner_traces, private_traces
from comfydock_core.domain.secret_context import certain_traces, context_traces
from comfydock_core.domain.secret_findings import Owner, Trace
from comfydock_core.domain.secret_tokens import token_traces


@dataclass(frozen=True, kw_only=True, slots=True)
class TextKind:
    """What a text is, as far as it decides what may stand in it.

    ``bare`` values stand without quotes (``.ini``, YAML); ``random`` texts in quotes are suspicious
    (not in lock files); ``published`` texts name people on purpose; ``drives``: Windows paths
    are named.
    """

    bare: bool = False
    random: bool = True
    published: bool = False
    drives: bool = False


def text_traces(data: bytes, owner: Owner, kind: TextKind) -> Iterator[Trace]:
    """Yield the secrets, then the private details of a text."""
    tokens = token_traces(data, uncertain=kind.random)
    yield from _apart([*tokens, *context_traces(data, bare=kind.bare)])
    drives = drive_traces(data) if kind.drives else ()
    yield from _apart([*private_traces(data, owner, published=kind.published), *drives])


def binary_traces(data: bytes, owner: Owner) -> Iterator[Trace]:
    """Yield what cannot be mistaken in bytes that are no text."""
    yield from _apart([*token_traces(data, uncertain=False), *certain_traces(data)])
    yield from owner_traces(data, owner)


def _apart(traces: Iterable[Trace]) -> Iterator[Trace]:
    """Yield traces by place, of those that overlap the first, longest and surest."""
    end = 0
    for trace in sorted(traces, key=_order):
        if trace.start >= end:
            yield trace
            end = trace.start + len(trace.value)


def _order(trace: Trace) -> tuple[int, int, bool]:
    return trace.start, -len(trace.value), trace.rule_id == "random"
