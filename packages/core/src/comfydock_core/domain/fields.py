"""Reading values out of parsed TOML or JSON, with the key path in every error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import ManifestError

_LONGEST_PLACE = 200


class Fields:
    """A table at a known place of a document; every reader checks the type and the form.

    ``path`` is the place as a person writes it: ``tool.comfydock.nodes.acme``.
    """

    def __init__(self, table: object, path: str, document: str = "pyproject.toml") -> None:
        self.path = path
        self.document = document
        if not isinstance(table, Mapping):
            raise self.wrong("", "must be a table")
        self._table: Mapping[str, Any] = table

    def wrong(self, key: str, problem: str) -> ManifestError:
        """Make the error for ``key`` of this table."""
        place = _shown(self._place(key))
        return ManifestError(f"`{place}` in `{self.document}` {problem}", subject=place)

    def _place(self, key: str) -> str:
        return ".".join(part for part in (self.path, key) if part)

    def has(self, key: str) -> bool:
        """Whether the key is there at all."""
        return key in self._table

    def text(
        self, key: str, default: str | None = None, *, form: re.Pattern[str] | None = None
    ) -> str:
        """Read a string that matches ``form`` as a whole; without a default it must be there."""
        value = self._table.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "is missing" if value is None else "must be a text")
        if form and value != default and not form.fullmatch(value):
            raise self.wrong(key, f"has a value that is not allowed: {value[:80]!a}")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """Read a whole number, 0 or more and below 2**63."""
        value = self._table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, "is missing" if value is None else "must be a whole number")
        if not 0 <= value < 2**63:
            raise self.wrong(key, "is out of range")
        return value

    def strings(self, key: str, *, form: re.Pattern[str] | None = None) -> tuple[str, ...]:
        """Read a list of strings; a missing key is an empty list."""
        value = self._table.get(key, ())
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "must be a list of texts")
        for item in value:
            if form and not form.fullmatch(item):
                raise self.wrong(key, f"has an entry that is not allowed: {item[:80]!a}")
        return tuple(value)

    def table(self, key: str) -> Fields:
        """Step into a table; a missing key is an empty one."""
        return Fields(self._table.get(key, {}), self._place(key), self.document)

    def tables(self, key: str) -> Iterator[Fields]:
        """Step through a list of tables; a missing key is an empty list."""
        value = self._table.get(key, ())
        if not isinstance(value, list | tuple):
            raise self.wrong(key, "must be a list of tables")
        for number, item in enumerate(value):
            yield Fields(item, f"{self._place(key)}[{number}]", self.document)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Go through the table's keys and raw values in their order."""
        for key, value in self._table.items():
            if not isinstance(key, str):
                raise self.wrong(str(key), "must have a text as its key")
            yield key, value


def _shown(place: str) -> str:
    """Return a key path, which a stranger may have chosen, as one line of bounded length."""
    cut = place if len(place) <= _LONGEST_PLACE else place[: _LONGEST_PLACE - 1] + "…"
    return escape_text(cut)
