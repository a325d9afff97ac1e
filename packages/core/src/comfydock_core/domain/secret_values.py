"""Whether a text is likely a secret or a word, a name, a hash, a placeholder."""

from __future__ import annotations

import math
import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"your|my[_-]|x{4,}|\*{3}|\.{3}|…|example|sample|change[_-]?(?:me|this|it)|placeholder|dummy"
    r"|replace|insert|paste|redact|hidden|fake|todo|goes[_-]?here|[_-]here\b|<[^>]*>|\$\{|\$\(|\{\{"
    r"|%\(|\benviron|getenv|process\.env|secrets\.|^(?:\$|%)\w+%?$|^\{\w*\}$"
    r"|^(?:test|none|null|true|false|undefined|default|secret|password|token|string)\d*$"
    r"|0123456789|1234567890|12345678$|abcdefgh|(.)\1{7}",
    re.IGNORECASE,
)
# The short words of placeholders happen in long random texts as well.
_MADE_UP = re.compile(
    r"your|example|placeholder|0123456789|1234567890|abcdefgh|(.)\1{7}", re.IGNORECASE
)
_PART = re.compile(r"[A-Za-z0-9]+")
_WORDY = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+|\d{1,8})|(?:[A-Z]?[a-z]+|[A-Z]+)\d{1,4}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Possessive, so that the time stays linear.
_PIECES = re.compile(r"(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,}+|[0-9]{1,8}+)++")
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_CLASSES = tuple(map(re.compile, ("[a-z]", "[A-Z]", "[0-9]", r"[^A-Za-z0-9\s]")))
_NAME = re.compile(r"[A-Za-z_][A-Za-z_.\-]*")


def entropy(text: str) -> float:
    """Return Shannon's entropy of ``text`` in bits a character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def is_placeholder(text: str) -> bool:
    """Tell whether ``text`` only stands for a secret: ``your-api-key``, ``${TOKEN}``, ``xxxx``."""
    return len(set(text)) < 5 or _PLACEHOLDER.search(text) is not None


def is_random(text: str) -> bool:
    """Tell whether ``text`` looks drawn by chance and not written: no words, no numbers."""
    return not is_placeholder(text) and _is_strange(text)


def is_token(text: str) -> bool:
    """Tell whether a text in the form of a token is one, and no example of the form."""
    return not _MADE_UP.search(text) and _is_strange(text)


def _is_strange(text: str) -> bool:
    strange = "".join(part for part in _PART.findall(text) if not _is_wordy(part))
    return len(strange) >= 12 and entropy(strange) >= 2.8 and _mixed(strange)


def _is_wordy(part: str) -> bool:
    """Tell words run together, as in ``StableZero123``; chance makes shorter pieces."""
    if _WORDY.fullmatch(part):
        return True
    return _PIECES.fullmatch(part) is not None and len(part) >= 4 * len(_PIECE.findall(part))


def _mixed(text: str) -> bool:
    """Chance puts digits between letters: long texts without any are words run together."""
    digits = sum(letter.isdigit() for letter in text)
    if _HEX.fullmatch(text):
        return digits >= 2
    return digits >= 1 or (len(text) >= 20 and entropy(text) >= 4.0)


def is_key(text: str) -> bool:
    """Tell whether a value under a name like ``api_key`` is a key."""
    if len(text) < 16 or " " in text:
        return False
    return is_random(text) or (_UUID.match(text) is not None and not is_placeholder(text))


def is_password(text: str) -> bool:
    """Tell whether a value under a name like ``password`` is one: two kinds of characters."""
    if not 6 <= len(text) <= 128 or is_placeholder(text) or _NAME.fullmatch(text):
        return False
    return not re.search(r"\s|[()]", text) and sum(bool(c.search(text)) for c in _CLASSES) >= 2


def is_random_alone(text: str) -> bool:
    """Tell whether ``text`` is a key although nothing beside it says so; hashes are none."""
    if not 32 <= len(text) <= 128 or _HEX.fullmatch(text.replace("-", "")):
        return False
    # 33 characters from a 1 on name a file at Google Drive.
    if re.match(r"sha\d|md5", text) or (len(text) == 33 and text.startswith("1")):
        return False
    three = all(kind.search(text) for kind in _CLASSES[:3])
    return three and entropy(text) >= 4.2 and is_random(text)
