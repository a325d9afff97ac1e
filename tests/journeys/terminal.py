"""comfydock in a real terminal, with somebody typing."""

from __future__ import annotations

import pexpect

from tests.journeys.machines import Machine


def terminal(one: Machine, *words: str) -> pexpect.spawn[str]:
    """Start comfydock in a terminal of 50 lines and 110 columns."""
    command, *rest = one.command(words)
    return pexpect.spawn(
        command,
        rest,
        env=one.environment(TERM="xterm"),
        cwd=str(one.home.parent),
        encoding="utf-8",
        dimensions=(50, 110),
        timeout=60,
    )


def exit_code(child: pexpect.spawn[str]) -> int | None:
    """Wait for the end and return the exit code."""
    child.expect(pexpect.EOF)
    child.close()
    code: int | None = child.exitstatus
    return code
