"""JSON of others, read leniently: a missing or odd field is empty, never an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from comfydock_core.errors import WorkflowError

MAX_TABLES = 500_000
MAX_VALUES = 3_000_000

Decoder = Callable[[bytes], object]
"""Reads a JSON document, or raises ValueError or RecursionError."""


def plain_decoder(data: bytes) -> object:
    """Read with the standard library, which costs no import."""
    return json.loads(data.decode("utf-8-sig"))


def fast_decoder() -> Decoder:
    """Return a decoder that takes half the time; its import pays from about 100 files on."""
    import msgspec

    decode = msgspec.json.Decoder().decode

    def decoded(data: bytes) -> object:
        try:
            return decode(data)
        except (msgspec.DecodeError, RecursionError):
            # it refuses NaN and a byte order mark, and does not say where an error is
            return plain_decoder(data)

    return decoded


def read_json(data: bytes, name: str, decode: Decoder = plain_decoder) -> object:
    """Return the value of a UTF-8 JSON document; a byte order mark and ``NaN`` are accepted.

    Raises WorkflowError, naming ``name``, for what is no JSON, is nested too deeply, holds a number
    of thousands of digits, or has more than ``MAX_TABLES`` lists and objects or ``MAX_VALUES``
    values: 60 MB of empty lists would take 1.5 GB of memory.
    """
    if data.count(b"[") + data.count(b"{") > MAX_TABLES or data.count(b",") > MAX_VALUES:
        raise _unreadable(name, "it has more lists, objects or values than any workflow")
    try:
        return decode(data)
    except UnicodeDecodeError as error:
        raise _unreadable(name, f"it is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _unreadable(name, f"{place}: {error.msg}") from error
    except ValueError as error:
        raise _unreadable(name, "it holds a number with too many digits") from error
    except RecursionError as error:
        raise nested_too_deeply(name) from error


def nested_too_deeply(name: str) -> WorkflowError:
    """Return the refusal of a document whose lists and objects lie too deep in one another."""
    return _unreadable(name, "its lists and objects are nested too deeply")


def _unreadable(name: str, cause: str) -> WorkflowError:
    return WorkflowError(f"`{name}` cannot be read as JSON", cause=cause, subject=name)


def as_object(value: object) -> Mapping[str, object]:
    """Return an object as it is and anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> Sequence[object]:
    """Return a list as it is and anything else as an empty one."""
    return value if isinstance(value, list) else ()


def as_text(value: object) -> str:
    """Return a text or the digits of a number (node ids are either); anything else is empty."""
    if type(value) is int:
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, float) else ""
