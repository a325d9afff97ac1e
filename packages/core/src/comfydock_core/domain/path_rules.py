"""What a path from elsewhere may be called (trust.md, rule 2), the same on every system.

A name that is fine on Linux and overwrites another file on macOS is refused on both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from unicodedata import category, is_normalized, normalize

MAX_NAME_BYTES = 512
MAX_PART_BYTES = 255
MAX_DEPTH = 32
_NOT_ON_WINDOWS = re.compile(r'[\\:*?"<>|]')
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9]) *(\..*)?", re.DOTALL)
# Git for Windows also answers to the short name that NTFS gives a `.git` folder.
_REPOSITORY = frozenset({".git", "git~1"})
_MADE_ANEW = frozenset({".venv", "__pycache__"})

_Rule = tuple[Callable[[str], object], str]

_PATH_RULES: tuple[_Rule, ...] = (
    (lambda path: not path, "has no name"),
    (lambda path: path.startswith("/"), "has an absolute path"),
    (
        lambda path: len(path.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES,
        f"has a name of more than {MAX_NAME_BYTES} bytes",
    ),
    (lambda path: path.count("/") >= MAX_DEPTH, f"lies more than {MAX_DEPTH} levels deep"),
    (lambda path: not _is_unicode(path), "has a name that is not UTF-8"),
    (lambda path: not is_normalized("NFC", path), "has a name that is not in Unicode form NFC"),
)
_PART_RULES: tuple[_Rule, ...] = (
    (lambda part: not part, "has an empty part in its name"),
    (lambda part: part in (".", ".."), "has a `.` or `..` part in its name"),
    (
        # What no common file system takes; the operating system would not name the member.
        lambda part: len(part.encode()) > MAX_PART_BYTES,
        f"has a part of more than {MAX_PART_BYTES} bytes",
    ),
    (
        # What is not printable is a wider class: the loop only decides about the rest of it.
        lambda part: not part.isprintable() and any(category(c) in _UNSEEN for c in part),
        "has a control or format character in its name",
    ),
    (_NOT_ON_WINDOWS.search, r'has one of \ : * ? " < > | in its name'),
    (lambda part: part[0] in "~-", "has a part that begins with `~` or `-`"),
    (lambda part: part[-1] in ". ", "has a part that ends with a dot or a space"),
    (lambda part: _DEVICE.fullmatch(folded(part)), "has a part that Windows reserves for a device"),
    (lambda part: folded(part) in _REPOSITORY, "belongs to a git repository of its own"),
)


def folded(text: str) -> str:
    """Return ``text`` as file systems that ignore case and composition compare it."""
    if text.isascii():
        return text.lower()
    return normalize("NFKC", normalize("NFKC", text).casefold())


def broken_rule(path: str) -> str:
    """Say which rule the name ``path`` breaks, as the end of a sentence; ``""`` for none."""
    for breaks, rule in _PATH_RULES:
        if breaks(path):
            return rule
    for part in path.split("/"):
        if rule := _broken_part_rule(part):
            return rule
    return ""


def is_made_anew(path: str) -> bool:
    """Whether ``path`` is what every machine makes for itself: bytecode, a virtual environment."""
    plain = folded(path)
    return plain.endswith(".pyc") or not _MADE_ANEW.isdisjoint(plain.split("/"))


# The same folders come again and again.
@lru_cache(maxsize=4096)
def _broken_part_rule(part: str) -> str:
    return next((rule for breaks, rule in _PART_RULES if breaks(part)), "")


def _is_unicode(text: str) -> bool:
    return text.isascii() or all(category(letter) != "Cs" for letter in text)
