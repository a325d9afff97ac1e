"""Names every secret and private detail of a workflow, at its node and widget (trust.md 8).

All texts of the document are laid out below one another, each with its name before it, and that
one text is searched; a list tells which line belongs where.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping

from comfydock_core.domain.json_positions import JsonPath
from comfydock_core.domain.lenient_json import (
    Decoder,
    as_list,
    as_object,
    as_text,
    plain_decoder,
    read_json,
)
from comfydock_core.domain.secret_findings import Finding, Owner, Trace, finding, masked
from comfydock_core.domain.secret_search import TextKind, text_traces
from comfydock_core.domain.untrusted import escape_text

_WIDGETS = "widgets_values"
_SECRET_NAMES = ("key", "token", "secret", "passw", "credential", "auth")
_LONG_KEY = 16
# Keys are often plain hex, and older files do not tell the names of widgets.
_HEX = re.compile(r"(?=.*[0-9])(?=.*[a-fA-F])[0-9a-fA-F]{32,64}")
_HASHES = re.compile(r"hash|sha\d|md5|digest|checksum|commit|version", re.IGNORECASE)
_KIND = TextKind(drives=True)
_CARRIERS = frozenset((str, dict, list))


def scan_workflow(
    name: str, data: bytes, owner: Owner, decode: Decoder = plain_decoder
) -> Iterator[Finding]:
    """Yield what a workflow's texts give away: widgets, notes, titles, properties, ``extra``.

    Every form of workflow is read, subgraphs and the API form included; ``name`` is what the user
    calls it. Raises WorkflowError for what is no JSON.
    """
    lines = _Layout()
    lines.add_document(read_json(data, name, decode))
    traces = list(text_traces(lines.text(), owner, _KIND))
    masks = {
        text: masked(text) for trace in traces if (text := trace.value.decode("utf-8", "replace"))
    }
    traces += [trace for trace in lines.suspects if trace.value.decode() not in masks]
    seen: set[tuple[str, bytes, str]] = set()
    for trace in traces:
        place = f"workflow {escape_text(name)}{lines.place(trace.start, masks)}"
        if (trace.rule_id, trace.value, place) not in seen:
            seen.add((trace.rule_id, trace.value, place))
            yield finding(trace, place, 0)


class _Node:
    """The node that texts belong to, and the names of its widgets as far as they are known."""

    __slots__ = ("label", "names", "service", "suspect", "type")

    def __init__(self, identity: str, raw: Mapping[str, object]) -> None:
        self.type = as_text(raw.get("type") or raw.get("class_type"))
        # Its keys are known by this word beside them alone.
        self.service = "civitai " if "civitai" in self.type.lower() else ""
        self.label = f', node {identity} "{self.type}"'
        slots = [slot for slot in map(as_object, as_list(raw.get("inputs"))) if slot.get("widget")]
        self.names = [as_text(slot.get("name")) for slot in slots]
        # A seed's widget is followed by one without a slot, which shifts those after it.
        self.suspect = next((n for n in self.names if _is_secret_name(n)), "")

    def name_of(self, index: int, count: int) -> str:
        """Return the name of a widget; that of a secret one where the order is not known."""
        if len(self.names) == count:
            return self.names[index]
        return self.suspect


def _is_secret_name(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_NAMES)


class _Layout:
    """The texts of a document, one after the other, and where each stands."""

    def __init__(self) -> None:
        self.suspects: list[Trace] = []
        self._parts: list[bytes] = []
        self._starts: list[int] = []
        self._places: list[tuple[_Node | None, JsonPath]] = []
        self._length = 0

    def text(self) -> bytes:
        """Return all that was added."""
        return b"".join(self._parts)

    def place(self, position: int, masks: Mapping[str, str]) -> str:
        """Say where the text at ``position`` stands: ``, node 12 "KSampler", widget 3``.

        ``masks`` tells what to put instead of secrets, which may be keys or node types as well.
        """
        node, path = self._places[bisect_right(self._starts, position) - 1]
        where = ".".join(map(str, path))
        if node and path[:1] == (_WIDGETS,) and len(path) > 1:
            where = "widget " + ".".join(map(str, path[1:]))
        told = f"{node.label if node else ''}, {where}"
        for secret, mask in masks.items():
            told = told.replace(secret, mask)
        return escape_text(told)

    def add_document(self, document: object) -> None:
        """Add every text below ``document``, without recursion: it may lie deep."""
        waiting: list[tuple[object, _Node | None, JsonPath, str]] = [(document, None, (), "")]
        while waiting:
            value, node, path, name = waiting.pop()
            if isinstance(value, str):
                self._add(value, node, path, name)
            elif isinstance(value, dict):
                if _is_node(value):
                    node, path = _Node(_identity(value, path), value), ()
                for key in value:
                    if len(key) >= _LONG_KEY:
                        self._add(key, node, path, "")
                waiting += [
                    (item, node, (*path, key), key)
                    for key, item in reversed(value.items())
                    if type(item) in _CARRIERS
                ]
            elif isinstance(value, list):
                names = _item_names(value, node, path, name)
                waiting += [
                    (value[index], node, (*path, index), names[index] if names else name)
                    for index in range(len(value) - 1, -1, -1)
                    if type(value[index]) in _CARRIERS
                ]

    def _add(self, value: str, node: _Node | None, path: JsonPath, name: str) -> None:
        before = ""
        if node and path[:1] in ((_WIDGETS,), ("inputs",)):
            before = node.service
            if _HEX.fullmatch(value) and not _HASHES.search(f"{node.type} {name}"):
                self.suspects.append(
                    Trace(rule_id="random", start=self._length, value=value.encode())
                )
        line = f'{before}"{name}": "{value}"\n'.encode("utf-8", "surrogatepass")
        self._starts.append(self._length)
        self._places.append((node, path))
        self._parts.append(line)
        self._length += len(line)


def _is_node(value: Mapping[str, object]) -> bool:
    if "type" in value:
        return "inputs" in value or _WIDGETS in value
    return isinstance(value.get("class_type"), str)


def _identity(raw: Mapping[str, object], path: JsonPath) -> str:
    return as_text(raw.get("id")) or (str(path[-1]) if path else "")


def _item_names(
    items: list[object], node: _Node | None, path: JsonPath, name: str
) -> list[str] | None:
    """Return the names of the items of a list of widgets, None for another list."""
    if node is None or path != (_WIDGETS,):
        return None
    return [node.name_of(index, len(items)) for index in range(len(items))]
