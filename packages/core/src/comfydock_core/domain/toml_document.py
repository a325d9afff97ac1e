"""TOML from elsewhere -> plain tables, under limits (trust.md rule 7)."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from comfydock_core.errors import ManifestError

MAX_KEY_PARTS = 64
# tomllib needs time in the square of a dotted key's parts: 100 KB of them cost minutes.
_LONG_KEY = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"""
    rf"{{{MAX_KEY_PARTS}}}"
)


def read_toml(data: bytes, document: str) -> dict[str, Any]:
    """Parse the bytes of a TOML file; ManifestError names the ``document`` and says what is wrong.

    A dotted key has at most ``MAX_KEY_PARTS`` parts.
    """
    try:
        text = data.decode()
        if _LONG_KEY.search(text):
            raise _too_much(document)
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"`{document}` is not valid TOML", cause=str(error), subject=document
        ) from error
    except (RecursionError, ValueError) as error:
        raise _too_much(document) from error


def _too_much(document: str) -> ManifestError:
    return ManifestError(
        f"`{document}` is nested too deeply or has a number that is too long", subject=document
    )
