"""What ComfyUI's log says of its start: which node packs it could not import, and why.

The sentences are those of ``nodes.py`` and ``main.py`` in ComfyUI 0.3.52 and 0.3.75. Packs print
into the same log, so a line proves nothing; it explains what is known from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from comfydock_core.domain.untrusted import escape_text, redact_secrets

_LONGEST = 400
_NOT_IMPORTED = re.compile(r"\(IMPORT FAILED\): (.+)")
_REASONS = (
    re.compile(r"Cannot import (?P<path>.+?) module for custom nodes: (?P<why>.*)"),
    re.compile(r"Error while calling comfy_entrypoint in (?P<path>.+?): (?P<why>.*)"),
    re.compile(r"Skip (?P<path>.+?) module for custom nodes due to (?P<why>.*)"),
    re.compile(r"Failed to execute startup-script: (?P<path>.+?) / (?P<why>.*)"),
)
_FRAME = re.compile(r'\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')
_EXCEPTION = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?")
_LOADING = re.compile(r"Trying to load custom node (?P<path>.+)")
_PACKS = "custom_nodes"
_SAID_BEFORE = 60
"""How many lines before ComfyUI's own sentence its traceback is looked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedPack:
    """A node pack, by its folder's name, that ComfyUI could not import, and why on one line."""

    pack: str
    reason: str


def log_lines(data: bytes) -> tuple[str, ...]:
    """Return the lines of a log, escaped, without secrets and none longer than a screen."""
    lines = data.decode(errors="replace").replace("\r", "\n").split("\n")
    return tuple(harmless(line) for line in lines if line.strip())


def harmless(line: str) -> str:
    """Return one line of a stranger's output as it may be shown and logged."""
    shown = redact_secrets(escape_text(line.rstrip()))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def failed_packs(lines: Sequence[str]) -> tuple[FailedPack, ...]:
    """Return the packs that ComfyUI lists as not imported, sorted by name."""
    named = (match[1] for line in lines if (match := _NOT_IMPORTED.search(line)))
    reasons = dict(_reasons(lines))
    return tuple(
        FailedPack(pack=pack, reason=reasons.get(pack, "the log does not say why"))
        for pack in sorted({_base_name(path) for path in named})
    )


def _reasons(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        for pattern in _REASONS:
            if match := pattern.search(line):
                pack = _pack_of(match["path"]) or _base_name(match["path"])
                before = lines[max(0, number - _SAID_BEFORE) : number]
                yield pack, _explained(match["why"], pack, before)


def _explained(why: str, pack: str, before: Sequence[str]) -> str:
    """Put the exception's name before its message and the place in the pack's code behind it."""
    start = max((n for n, line in enumerate(before) if line.startswith("Traceback ")), default=None)
    if start is None:
        return why
    traceback = before[start:]
    name, place = _exception_name(traceback, why), _place(traceback, pack)
    said = f"{name}: {why}" if name else why
    return said if not place or place in why else f"{said} ({place})"


def _exception_name(traceback: Sequence[str], why: str) -> str:
    ends = [match for line in traceback if (match := _EXCEPTION.fullmatch(line))]
    return next((match[1] for match in reversed(ends) if (match[2] or "") in why), "")


def _place(traceback: Sequence[str], pack: str) -> str:
    """Return the innermost line of the pack's own code, empty where there is none."""
    frames = [match for line in traceback if (match := _FRAME.match(line))]
    own = [frame for frame in frames if _pack_of(frame["file"]) == pack]
    if not own:
        return ""
    below = own[-1]["file"].replace("\\", "/").rpartition(f"/{_PACKS}/{pack}/")[2]
    return f"{below}, line {own[-1]['line']}"


def blamed_pack(lines: Sequence[str]) -> FailedPack | None:
    """Return the pack in whose code ComfyUI ended or stood still, None if the log names none.

    The fault handler's dump says it, else the traceback that ComfyUI died of, else the last line of
    a start with ``--verbose DEBUG`` that loads a pack.
    """
    dump = next((line for line in lines if line.startswith("Fatal Python error")), "")
    if dump:
        current = _after_last(lines, "Current thread") or _after_last(lines, "Fatal Python error")
        why = "it stands still" if dump.endswith("Aborted") else dump
        return _first_pack(current, why)
    if unhandled := _unhandled_traceback(lines):
        return _first_pack(unhandled[::-1], _exception(unhandled))
    loading = [match["path"] for line in lines if (match := _LOADING.search(line))]
    if not loading or any("Import times for custom nodes" in line for line in lines):
        return None
    return FailedPack(pack=_base_name(loading[-1]), reason="it ended ComfyUI while it was imported")


def _unhandled_traceback(lines: Sequence[str]) -> Sequence[str]:
    """Return the last traceback, empty if ComfyUI went on after it with a sentence of its own."""
    last = _after_last(lines, "Traceback (most recent call")
    handled = any(pattern.search(line) for line in last for pattern in _REASONS)
    return () if handled else last


def _exception(traceback: Sequence[str]) -> str:
    ends = (line for line in traceback[1:] if not line.startswith(" "))
    return next(ends, traceback[-1])


def _after_last(lines: Sequence[str], start: str) -> Sequence[str]:
    numbers = [number for number, line in enumerate(lines) if line.startswith(start)]
    return lines[numbers[-1] :] if numbers else ()


def _first_pack(lines: Sequence[str], why: str) -> FailedPack | None:
    for line in lines:
        frame = _FRAME.match(line)
        pack = _pack_of(frame["file"]) if frame else ""
        if pack:
            return FailedPack(pack=pack, reason=f"{why} ({_place([line], pack)})")
    return None


def _pack_of(path: str) -> str:
    """Return the name of the pack that a path lies in."""
    parts = path.replace("\\", "/").split("/")
    inside = parts[parts.index(_PACKS) + 1 :] if _PACKS in parts else []
    return inside[0] if inside else ""


def _base_name(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
