"""Names every secret and private detail that would leave with a file (trust.md 8).

Nothing is passed over for its size. Of a file that is not text only what cannot be mistaken is
named: tokens with a form of their own, private keys, addresses with passwords, the owner's name.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from itertools import chain

from comfydock_core.domain.secret_findings import Finding, Owner, Trace, finding
from comfydock_core.domain.secret_search import TextKind, binary_traces, text_traces
from comfydock_core.domain.workflow_container import embedded_texts
from comfydock_core.errors import WorkflowError
from comfydock_core.exporting.workflow_secrets import scan_workflow

_SLICE = 1024 * 1024
_OVERLAP = 16 * 1024
_PROBE = 8192
_IN_NAME = -1
_PROGRAMS = (
    *(".py", ".pyi", ".pyx", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".vue", ".html", ".css"),
    *(".c", ".h", ".cpp", ".cc", ".cu", ".cuh", ".hpp", ".rs", ".go", ".java", ".glsl", ".map"),
)
_PEOPLE = ("licen", "copying", "notice", "authors", "contributors", "citation", "readme")
_SETUP = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "package.json", "codeowners"})
_LOCKS = (".lock", "package-lock.json", "pnpm-lock.yaml")
_CONTAINERS = (".png", ".webp", ".mp4", ".mov", ".webm")


def scan_file(place: str, data: bytes, owner: Owner) -> Iterator[Finding]:
    """Yield what a bundle member gives away, its name ``place`` included, each value once.

    Text may be UTF-8, Latin-1 or UTF-16. The workflow in a picture or video is searched as well.
    """
    if place.lower().endswith(_CONTAINERS):
        yield from _scan_container(place, data, owner)
    text = _as_text(data)
    kind = _kind(place)
    if text is None:
        traces = _by_slices(data, lambda part: binary_traces(part, owner))
    else:
        traces = _by_slices(text, lambda part: text_traces(part, owner, kind))
    found = chain(_in_name(place, owner), traces)
    lines = _Lines(text or b"")
    seen: set[tuple[str, bytes]] = set()
    for trace in found:
        if (trace.rule_id, trace.value) not in seen:
            seen.add((trace.rule_id, trace.value))
            yield finding(trace, place, lines.line(trace.start))


class _Lines:
    """Counts lines up to positions; cheap where these grow."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._counted = 0
        self._line = 1

    def line(self, position: int) -> int:
        """Return the line of ``position``; 0 before the text, and where there is none."""
        if position < 0 or not self._text:
            return 0
        if position < self._counted:
            self._counted, self._line = 0, 1
        self._line += self._text.count(b"\n", self._counted, position)
        self._counted = position
        return self._line


def _kind(place: str) -> TextKind:
    name = place.rpartition("/")[2].lower()
    return TextKind(
        bare=not name.endswith(_PROGRAMS),
        random=not name.endswith(_LOCKS),
        published=name.startswith(_PEOPLE) or name in _SETUP,
    )


def _as_text(data: bytes) -> bytes | None:
    """Return text whose ASCII letters are single bytes, None for what is no text."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, "replace").encode("utf-8", "surrogatepass")
    probe = data[:_PROBE]
    if b"\0" not in probe:
        return data
    for zeros, encoding in ((probe[1::2], "utf-16-le"), (probe[::2], "utf-16-be")):
        if zeros.count(0) * 5 > len(zeros) * 4 and probe.count(0) * 5 < len(probe) * 3:
            return data.decode(encoding, "replace").encode("utf-8", "surrogatepass")
    return None


def _in_name(place: str, owner: Owner) -> Iterator[Trace]:
    for trace in text_traces(place.encode("utf-8", "surrogatepass"), owner, TextKind(random=False)):
        yield Trace(rule_id=trace.rule_id, start=_IN_NAME, value=trace.value)


def _by_slices(data: bytes, search: Callable[[bytes], Iterator[Trace]]) -> Iterator[Trace]:
    """Search piece by piece, so that copies stay small; what lies on a border is seen whole."""
    for start in range(0, len(data), _SLICE):
        for trace in search(data[max(0, start - _OVERLAP) : start + _SLICE]):
            offset = max(0, start - _OVERLAP)
            yield Trace(rule_id=trace.rule_id, start=trace.start + offset, value=trace.value)


def _scan_container(place: str, data: bytes, owner: Owner) -> Iterator[Finding]:
    """Search all texts inside: they may be packed, and each form of a workflow tells more."""
    seen: set[str] = set()
    for text in embedded_texts(data):
        content = text.encode("utf-8", "surrogatepass")
        try:
            found = list(scan_workflow(place, content, owner))
        except WorkflowError:
            kind = TextKind(bare=True, random=False)
            found = [finding(trace, place, 0) for trace in text_traces(content, owner, kind)]
        for each in found:
            if each.identity not in seen:
                seen.add(each.identity)
                yield each
