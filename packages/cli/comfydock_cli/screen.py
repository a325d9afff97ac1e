"""The one way by which text reaches a stream: escaped, without secrets, in what it can show."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from typing import TextIO

from comfydock_core.domain.untrusted import escape_lines, redact_secrets

_WORDS = {
    "✓": "[ok]",
    "⚠": "[warning]",
    "✗": "[failed]",
    "⬇": "[download]",
    "↔": "[substitute]",
    "⊗": "[skip]",
    "•": "-",
    "→": "->",
    "…": "...",
}
_PICTURES = "📦📋📊🔍✅📥🔧🔄"
_GLYPHS = "".join(_WORDS) + _PICTURES
# A picture only decorates its line: it goes together with the space behind it.
_PICTURE = re.compile(rf"[{_PICTURES}]\ufe0f? *")
_GLYPH = re.compile(rf"([{''.join(_WORDS)}])\ufe0f?")

_COLOURS = {
    "✓": "32",
    "⚠": "33",
    "✗": "31",
    "⬇": "36",
    "↔": "36",
    "⊗": "2",
    "error:": "1;31",
    "warning:": "33",
    "hint:": "36",
    "next:": "36",
}
_COLOURED = re.compile(r"[✓⚠✗⬇↔⊗]\ufe0f?|^(?:error|warning|hint|next):", re.MULTILINE)


class Screen:
    """One output stream and what it can show; several threads may write.

    ``loss`` says why what was written did not arrive (a full disk); a reader that left is no loss.
    """

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        self.stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self.is_terminal = stream.isatty()
        self.has_colour = _wants_colour(environment, self.is_terminal)
        self.has_glyphs = _can_encode(_GLYPHS, self.encoding)
        self.is_animated = self.is_terminal and environment.get("TERM") != "dumb"
        self.loss = ""
        self._lock = threading.Lock()

    def render(self, text: str) -> str:
        """Return ``text`` as this stream can show it: glyphs or words, colours or none."""
        text = redact_secrets(escape_lines(text))
        if not self.has_glyphs:
            text = _GLYPH.sub(lambda match: _WORDS[match[1]], _PICTURE.sub("", text))
        text = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        return _COLOURED.sub(_coloured, text) if self.has_colour else text

    def write(self, text: str) -> None:
        """Render ``text`` and write it as it is, with no line feed added."""
        self.write_raw(self.render(text))

    def write_line(self, text: str) -> None:
        """Render ``text`` and write it as a line or lines."""
        self.write(text + "\n")

    def write_raw(self, text: str) -> None:
        """Write what is rendered already; a reader that has gone away is no failure."""
        with self._lock:
            try:
                self.stream.write(text)
                self.stream.flush()
            except BrokenPipeError:
                forget_stream(self.stream)
            except OSError as error:
                self.loss = self.loss or str(error.strerror or error)
                forget_stream(self.stream)


def forget_stream(stream: TextIO) -> None:
    """Send what is left in ``stream`` nowhere, so that the interpreter's last flush is silent."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _wants_colour(environment: Mapping[str, str], is_terminal: bool) -> bool:
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    # Old Windows consoles print the codes; the new one and ports of Unix shells say who they are.
    understood = os.name != "nt" or "WT_SESSION" in environment or "TERM" in environment
    return is_terminal and understood and environment.get("TERM") != "dumb"


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _coloured(match: re.Match[str]) -> str:
    return f"\x1b[{_COLOURS[match[0].rstrip(chr(0xFE0F))]}m{match[0]}\x1b[0m"
