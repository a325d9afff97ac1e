"""The node classes that a pack's JavaScript registers, which ComfyUI's Python side never hears of.

ComfyUI's frontend (LiteGraph) learns of them by ``registerNodeType(name, class)``. Names are
followed as far as packs really go: texts, constants, members of objects and classes, and functions
of one line that put something before or after a text. Nothing is run, and what cannot be followed
is passed over.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

MOST_FILES = 2000
LARGEST_FILE = 2 << 20
MOST_BYTES = 16 << 20
LONGEST_NAME = 300

_MARK = b"registerNodeType"
_NAME = r"[A-Za-z_$][\w$]*"
_TEXT = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`"""
_DOTTED = rf"{_NAME}(?:\.{_NAME})*"
_TERM = rf"(?:{_TEXT}|{_DOTTED}(?:\((?:{_TEXT}|{_DOTTED})\))?)"
_VALUE = rf"({_TERM}(?:\s*\+\s*{_TERM})*)"
_COMMENT = re.compile(r"^[ \t]*(?://.*$|/\*[\s\S]*?(?:\*/|\Z))", re.MULTILINE)
_REGISTERED = re.compile(rf"registerNodeType\s*\(\s*{_VALUE}\s*,")
_CLASS = re.compile(rf"class\s+({_NAME})")
_OBJECT = re.compile(rf"\b(?:const|let|var)\s+({_NAME})\s*=\s*(?:Object\.freeze\()?\{{")
_METHOD = re.compile(rf"static\s+({_NAME})\s*\(\s*\)\s*\{{")
_BARE_CALL = re.compile(rf"\b({_NAME})\.({_NAME})\(\)")
_CONSTANT = re.compile(rf"\b(?:const|let|var)\s+({_NAME})\s*=\s*{_VALUE}\s*[;,\n]")
_MEMBER = re.compile(rf"\b({_NAME}\.{_NAME})\s*=\s*{_VALUE}\s*[;\n]")
_STATIC = re.compile(rf"static\s+({_NAME})\s*=\s*{_VALUE}\s*[;\n]")
_ENTRY = re.compile(rf"^[ \t]*({_NAME})[ \t]*:[ \t]*{_VALUE}[ \t]*,?[ \t]*$", re.MULTILINE)
_FUNCTION = re.compile(
    rf"function\s+({_NAME})\s*\(\s*({_NAME})\s*\)\s*\{{\s*return\s+{_VALUE}\s*;?\s*\}}"
)
_ARROW = re.compile(rf"const\s+({_NAME})\s*=\s*\(?\s*({_NAME})\s*\)?\s*=>\s*{_VALUE}\s*[;\n]")
_EACH_TERM = re.compile(rf"\s*\+?\s*({_TERM})")
_CALL = re.compile(rf"({_DOTTED})\((.*)\)", re.DOTALL)
_FILLED = re.compile(rf"\$\{{\s*({_DOTTED})\s*\}}")
_ESCAPED = re.compile(r"\\(.)")
_MOST_TERMS = 20_000
_DEEPEST = 8


def frontend_classes(scripts: Iterable[Path]) -> tuple[str, ...]:
    """Return the names that a pack's scripts register, sorted; a bounded part of them is read."""
    texts = _texts(scripts)
    if not any(_MARK in text for text in texts):
        return ()
    sources = [_COMMENT.sub("", text.decode("utf-8", "replace")) for text in texts]
    written = {match[1] for source in sources for match in _REGISTERED.finditer(source)}
    if any(name.startswith("this.") for name in written):
        written |= set(_of_this(sources))
    values = _Values(sources)
    return tuple(sorted({values.of(name) for name in written} - {""}))


def _texts(scripts: Iterable[Path]) -> list[bytes]:
    texts: list[bytes] = []
    left = MOST_BYTES
    for path in islice(scripts, MOST_FILES):
        with suppress(OSError):
            size = path.stat().st_size
            if size <= min(LARGEST_FILE, left) and path.is_file():
                texts.append(path.read_bytes())
                left -= size
    return texts


def _of_this(sources: Sequence[str]) -> Iterator[str]:
    """Yield ``CLASS.member`` for each class whose static method registers ``this.member``."""
    members: dict[str, set[str]] = {}
    for source in sources:
        methods = _Places(_METHOD, source)
        for match in _REGISTERED.finditer(source):
            if match[1].startswith("this."):
                members.setdefault(methods.before(match.start()), set()).add(match[1][5:])
    for source in sources:
        for call in _BARE_CALL.finditer(source):
            yield from (f"{call[1]}.{member}" for member in members.get(call[2], ()))


class _Places:
    """Where names are introduced in a source."""

    def __init__(self, what: re.Pattern[str], source: str) -> None:
        found = list(what.finditer(source))
        self._starts = [match.start() for match in found]
        self._names = [match[1] for match in found]

    def before(self, place: int) -> str:
        """Return the last name before a place."""
        index = bisect_left(self._starts, place)
        return self._names[index - 1] if index else ""


class _Values:
    """What names stand for in the scripts of one pack; they are looked at once one is asked for."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = sources
        self._is_read = False
        self._terms_left = _MOST_TERMS
        self._objects: set[str] = set()
        self._written: dict[str, str] = {}
        self._entries: dict[str, str] = {}
        self._functions: dict[str, tuple[str, str]] = {}

    def of(self, value: str) -> str:
        """Return the text that a value comes to, ``""`` where that cannot be told."""
        return self._sum(value, {}, 0) or ""

    def _read(self) -> None:
        self._is_read = True
        for source in self._sources:
            classes = _Places(_CLASS, source)
            self._objects |= {match[1] for match in _OBJECT.finditer(source)}
            self._entries.update((match[1], match[2]) for match in _ENTRY.finditer(source))
            for assignments in (_CONSTANT, _MEMBER):
                found = assignments.finditer(source)
                self._written.update((match[1], match[2]) for match in found)
            for match in _STATIC.finditer(source):
                self._written[f"{classes.before(match.start())}.{match[1]}"] = match[2]
            for functions in (_FUNCTION, _ARROW):
                found = functions.finditer(source)
                self._functions.update((match[1], (match[2], match[3])) for match in found)

    def _sum(self, value: str, known: Mapping[str, str], depth: int) -> str | None:
        """Put the terms of a value together; None if one of them is unknown."""
        if depth > _DEEPEST:
            return None
        texts: list[str] = []
        for match in _EACH_TERM.finditer(value):
            text = self._term(match[1], known, depth)
            if text is None:
                return None
            texts.append(text)
        whole = "".join(texts)
        return whole if texts and len(whole) <= LONGEST_NAME else None

    def _term(self, term: str, known: Mapping[str, str], depth: int) -> str | None:
        self._terms_left -= 1
        if self._terms_left < 0:
            return None
        if term[0] in "'\"`":
            return self._literal(term, known, depth)
        if not self._is_read:
            self._read()
        if call := _CALL.fullmatch(term):
            return self._called(call[1].rpartition(".")[2], self._sum(call[2], known, depth), depth)
        return known[term] if term in known else self._sum(self._named(term), {}, depth + 1)

    def _called(self, function: str, argument: str | None, depth: int) -> str | None:
        if argument is None or function not in self._functions:
            return None
        parameter, body = self._functions[function]
        return self._sum(body, {parameter: argument}, depth + 1)

    def _named(self, name: str) -> str:
        """Return what a name was given; that of ``OBJECT.KEY`` may stand in the object itself."""
        owner, _, key = name.rpartition(".")
        in_object = self._entries.get(key, "") if owner in self._objects else ""
        return self._written.get(name, in_object)

    def _literal(self, term: str, known: Mapping[str, str], depth: int) -> str | None:
        text = term[1:-1]
        if len(text) > LONGEST_NAME:
            return None
        names = _FILLED.findall(text) if term[0] == "`" else []
        values = {name: self._term(name, known, depth + 1) for name in names}
        if None in values.values():
            return None
        filled = _FILLED.sub(lambda match: values[match[1]] or "", text) if names else text
        return _ESCAPED.sub(r"\1", filled)
