"""Text from elsewhere, made fit for a terminal or a log: nothing hidden acts, no secret shows."""

from __future__ import annotations

import re
import unicodedata

# Control, format (bidi, zero width), surrogate, line separator, paragraph separator.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Letters and symbols that are drawn as nothing: fillers of Hangul, the empty Braille pattern.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_MANY_BLANKS = re.compile(r"\s{3,}|^\s+$")
_MASK = "***"

# `git@` is how ssh addresses name their service account; it opens nothing.
_USER_INFO = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://)(?!git@)[^\s/?#\"'`<>]+@")
_QUERY_VALUE = re.compile(r"([?&;#])([\w.\-%]{1,64})=([^\s&;#\"'`<>]+)")
_SECRET_WORDS = re.compile(
    r"token|secret|passw|pwd|signature|credential|authorization|session|jwt|api[_-]?key|access[_-]?key"
    r"|^(key|auth|sig|code|hmac|hdnts|policy|key-pair-id)$",
    re.IGNORECASE,
)
_KNOWN_TOKENS = re.compile(r"\b(hf_|ghp_|gho_|ghs_|ghu_|ghr_|github_pat_|glpat-)\w{16,255}")


def escape_text(text: str) -> str:
    """Return ``text`` as one harmless line: every hidden character as ``\\x1b`` or ``\\u202e``.

    Hidden are the C0 and C1 controls, DEL, format characters (bidi overrides among them),
    surrogates, line separators, and letters that are drawn as nothing; every other character
    stays. Escaping twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    hidden = character in _BLANK or unicodedata.category(character) in _HIDDEN
    return character.encode("unicode_escape").decode("ascii") if hidden else character


def escape_part(text: str) -> str:
    """Return ``text`` for a place inside a line of ours: as ``escape_text``, and no gaps.

    Three blanks or more, or a text of nothing else, become ``\\x20`` or ``\\u3000`` each: they
    would push what follows to where another line begins.
    """
    return _MANY_BLANKS.sub(_visible_blanks, escape_text(text))


def _visible_blanks(match: re.Match[str]) -> str:
    return "".join(
        f"\\x{ord(blank):02x}" if ord(blank) < 256 else f"\\u{ord(blank):04x}" for blank in match[0]
    )


def is_text(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8: a name of other bytes holds surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def escape_lines(text: str) -> str:
    """Escape a text of several lines: line feeds and tabs stay, CR LF becomes a line feed."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(map(escape_text, line.split("\t"))) for line in lines)


def redact_secrets(text: str) -> str:
    """Replace by ``***`` what opens doors: user info and token-like query values of addresses.

    Access tokens that their form gives away (Hugging Face, GitHub, GitLab) go wherever they stand.
    """
    text = _USER_INFO.sub(rf"\1{_MASK}@", text)
    text = _QUERY_VALUE.sub(_without_secret, text)
    return _KNOWN_TOKENS.sub(rf"\1{_MASK}", text)


def is_secret_name(name: str) -> bool:
    """Whether a value of that name, as in an address's query, is likely a token or a password."""
    return bool(_SECRET_WORDS.search(name))


def _without_secret(match: re.Match[str]) -> str:
    separator, key, _ = match.groups()
    return f"{separator}{key}={_MASK}" if is_secret_name(key) else match.group()
