"""TOML from elsewhere -> plain tables, under limits (trust.md rule 7)."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from comfydock_core.errors import ManifestError

MAX_KEY_PARTS = 64
MAX_TABLES = 150_000
MAX_VALUES = 300_000
_MAX_DOTS = 50_000
_ASCII_FROM = 4 << 20
_TOO_DEEP = "is nested too deeply or has a number that is too long"
# Comments and the four kinds of strings, as TOML ends them; one without an end goes to where
# tomllib gives up. Every character is looked at once.
_OPAQUE = re.compile(
    r"#[^\n]*+"
    r'|"""(?:[^"\\]++|\\.|"{1,2}+(?!"))*+"{0,5}+'
    r"|'''(?:[^']++|'{1,2}+(?!'))*+'{0,5}+"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?",
    re.DOTALL,
)
# tomllib needs time in the square of a dotted key's parts: 100 KB of them cost minutes.
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]++[ \t]*+\.[ \t]*+){{{MAX_KEY_PARTS}}}")


def read_toml(data: bytes, document: str, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """Parse the bytes of a TOML file; ManifestError names the ``document`` and says what is wrong.

    A dotted key has at most ``MAX_KEY_PARTS`` parts; tables and lists together are at most
    ``MAX_TABLES``, keys and entries ``max_values``; what is larger than 4 MiB is ASCII.
    """
    try:
        text = data.decode()
        if problem := _excess(text, max_values):
            raise ManifestError(f"`{document}` {problem}", subject=document)
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"`{document}` is not valid TOML", cause=str(error), subject=document
        ) from error
    except (RecursionError, ValueError) as error:
        raise ManifestError(f"`{document}` {_TOO_DEEP}", subject=document) from error


def _excess(text: str, max_values: int) -> str:
    """Say which limit a text breaks before tomllib pays for it; ``""`` for none."""
    if len(text) > _ASCII_FROM and not text.isascii():
        # One wide character makes every other one four times as large in memory.
        return "is larger than 4 MiB and not in ASCII"
    structure = _OPAQUE.sub("s", text)
    if structure.count(".") > _MAX_DOTS or _LONG_KEY.search(structure):
        return _TOO_DEEP
    if structure.count("[") + structure.count("{") > MAX_TABLES:
        return f"has more than {MAX_TABLES:,} tables and lists"
    if structure.count("=") + structure.count(",") > max_values:
        return f"has more than {max_values:,} values"
    return ""
