"""How every refusal must read: one line with the thing in backticks and the rule that it breaks."""

from __future__ import annotations

import re

from comfydock_core.domain.untrusted import escape_text

from tests.hostile.bundles import Case
from tests.hostile.victim import Ran

_LONGEST = 500
_QUOTED = re.compile(r"`([^`]*)`")


def _check(sentence: str, wanted: Case) -> None:
    named = wanted.named.strip("`")
    assert any(named in quoted for quoted in _QUOTED.findall(sentence)), sentence
    assert wanted.named in sentence
    assert wanted.rule in sentence
    assert len(sentence) < _LONGEST
    assert escape_text(sentence) == sentence


def check_text(ran: Ran, wanted: Case) -> None:
    """Hold what a command without ``--json`` said against its label."""
    first, *others = ran.err.removesuffix("\n").split("\n")
    assert first.startswith("error: ")
    _check(first.removeprefix("error: "), wanted)
    assert [line for line in others if escape_text(line) != line] == []
    assert (ran.exit_code, ran.out) == (1, "")


def check_envelope(ran: Ran, wanted: Case) -> None:
    """Hold what a command with ``--json`` said against its label."""
    (error,) = ran.envelope["errors"]
    assert error["code"] in ("bundle", "manifest")
    _check(error["message"].partition("\n")[0], wanted)
    assert escape_text(error["hint"] + error["subject"]) == error["hint"] + error["subject"]
    assert (ran.exit_code, ran.err) == (1, "")
