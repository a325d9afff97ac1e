"""The texts that ffmpeg writes into MP4, MOV and WebM files, by name.

MP4 (ISO 14496-12 and QuickTime): ``moov/udta`` or ``moov/meta`` with ``©cmt`` items, or ``keys``
whose n-th name belongs to the n-th item of ``ilst``. WebM (RFC 9559): a ``SimpleTag`` below
``Segment/Tags/Tag`` with ``TagName`` and ``TagString``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_MOST_BOXES = 10_000
_COMMENT_ITEM = b"\xa9cmt"
_CONTAINERS = (b"udta", b"meta", b"trak")
_SEGMENT, _TAGS, _TAG, _SIMPLE_TAG = 0x18538067, 0x1254C367, 0x7373, 0x67C8
_TAG_NAME, _TAG_STRING = 0x45A3, 0x4487
_LONGEST_NUMBER = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A box or element: what it is and where its content stands."""

    kind: bytes | int
    start: int
    end: int


def mp4_texts(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of an MP4 or MOV file; a comment is called ``comment``."""
    waiting = [box for box in _boxes(data, 0, len(data)) if box.kind == b"moov"]
    for box in waiting:
        inner = list(_boxes(data, _content(data, box), box.end))
        waiting += [each for each in inner if each.kind in _CONTAINERS]
        names = [name for each in inner if each.kind == b"keys" for name in _key_names(data, each)]
        for each in inner:
            if each.kind == b"ilst":
                yield from _items(data, each, names)
            elif each.kind == _COMMENT_ITEM:
                # QuickTime: the text behind its length and language, two bytes each
                yield "comment", _text(data, each.start + 4, each.end)
        if len(waiting) > _MOST_BOXES:
            return


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Part]:
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        size = int.from_bytes(data[start : start + 4], "big")
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        stop = min(start + size, end) if size else end
        if stop < start + header:
            return
        yield _Part(kind=data[start + 4 : start + 8], start=start + header, end=stop)
        start = stop


def _content(data: bytes, box: _Part) -> int:
    """Return where the inner boxes begin: MP4 puts a version before those of ``meta``."""
    versioned = box.kind == b"meta" and data[box.start + 4 : box.start + 8] != b"hdlr"
    return box.start + 4 if versioned else box.start


def _key_names(data: bytes, keys: _Part) -> Iterator[str]:
    for box in _boxes(data, keys.start + 8, keys.end):
        yield _text(data, box.start, box.end)


def _items(data: bytes, items: _Part, names: list[str]) -> Iterator[tuple[str, str]]:
    for item in _boxes(data, items.start, items.end):
        kind = item.kind if isinstance(item.kind, bytes) else b""
        number = int.from_bytes(kind, "big")
        name = "comment" if kind == _COMMENT_ITEM else ""
        if 0 < number <= len(names):
            name = names[number - 1]
        for box in _boxes(data, item.start, item.end):
            if name and box.kind == b"data":
                # the type of the value and its locale, four bytes each
                yield name, _text(data, box.start + 8, box.end)


def webm_texts(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of a WebM or Matroska file."""
    waiting = [each for each in _elements(data, 0, len(data)) if each.kind == _SEGMENT]
    for element in waiting:
        inner = list(_elements(data, element.start, element.end))
        waiting += [each for each in inner if each.kind in (_TAGS, _TAG, _SIMPLE_TAG)]
        texts = {each.kind: _text(data, each.start, each.end) for each in inner if _is_text(each)}
        if texts.keys() == {_TAG_NAME, _TAG_STRING}:
            yield texts[_TAG_NAME], texts[_TAG_STRING]
        if len(waiting) > _MOST_BOXES:
            return


def _is_text(element: _Part) -> bool:
    return element.kind in (_TAG_NAME, _TAG_STRING)


def _elements(data: bytes, start: int, end: int) -> Iterator[_Part]:
    for _ in range(_MOST_BOXES):
        width = _width(data, start, end)
        size_width = _width(data, start + width, end)
        body = start + width + size_width
        if not width or not size_width or body > end:
            return
        kind = int.from_bytes(data[start : start + width], "big")
        marker = 1 << (7 * size_width)
        size = int.from_bytes(data[start + width : body], "big") - marker
        # all ones: the size was not known when the element was begun
        stop = end if size == marker - 1 else min(body + size, end)
        yield _Part(kind=kind, start=body, end=stop)
        start = stop


def _width(data: bytes, at: int, end: int) -> int:
    """Return how many bytes an EBML number has, 0 when there is none."""
    if at >= end or not data[at]:
        return 0
    return _LONGEST_NUMBER + 1 - data[at].bit_length()


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].rstrip(b"\0").decode("utf-8", "replace")
