"""Plain tables -> TOML in the form that tomlkit gives the same tables, in a fraction of the time.

Format: TOML 1.0. Tables, texts, integers and truth values are all that our files hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def toml_text(tables: Mapping[str, Any]) -> str:
    """Return a TOML document; a list of tables that has ``node_id`` in them is written inline."""
    return "\n".join(_table(tables, "")).removeprefix("\n") + "\n"


def _table(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield the lines of a table without its header: values first, then what has one of its own."""
    nested = {key: value for key, value in table.items() if _has_header(value)}
    for key, value in table.items():
        if key not in nested:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in nested.items():
        name = f"{prefix}{_key(key)}"
        if isinstance(value, list):
            for each in value:
                yield from ("", f"[[{name}]]", *_table(each, f"{name}."))
        else:
            if not value or not all(map(_has_header, value.values())):
                yield from ("", f"[{name}]")
            yield from _table(value, f"{name}.")


def _has_header(value: object) -> bool:
    return isinstance(value, dict) or (_holds_tables(value) and not _is_inline(value))


def _holds_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _is_inline(value: Any) -> bool:
    return "node_id" in value[0]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        items = [_inline(item) if isinstance(item, dict) else _value(item) for item in value]
        if len(items) < 2:
            return f"[{''.join(items)}]"
        return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    return json.dumps(value)


def _inline(table: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in table.items()) + "}"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"
