"""What is made to be too much costs little: the limits are those of ``victim.py``."""

from __future__ import annotations

import sys

import pytest

from tests.hostile.bombs import BOMBS, READ
from tests.hostile.good import GOOD
from tests.hostile.refusals import check_envelope
from tests.hostile.victim import Victim

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own figures")


@pytest.mark.parametrize("command", [("inspect",), ("import", "--yes", "--trust-code")])
@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(
    what: str, command: tuple[str, ...], victim: Victim
) -> None:
    bundle = victim.bundle(BOMBS[what].make(GOOD)).name
    check_envelope(victim.run(*command, "--json", bundle), BOMBS[what])


@pytest.mark.parametrize("what", READ)
def test_what_is_just_allowed_is_read_within_the_bounds(what: str, victim: Victim) -> None:
    bundle = victim.bundle(READ[what].make(GOOD)).name
    assert victim.run("inspect", "--json", bundle).exit_code == 0
