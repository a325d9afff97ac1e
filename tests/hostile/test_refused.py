"""Every bad bundle is refused in one line by the real command, and nothing else happens.

What is promised of every run (limits, files, hosts, secrets) is in ``victim.py``.
"""

from __future__ import annotations

import sys

import pytest

from tests.hostile.bundles import listed, packed
from tests.hostile.corpus import REFUSED
from tests.hostile.foreign import FOREIGN
from tests.hostile.good import GOOD
from tests.hostile.refusals import check_envelope, check_text
from tests.hostile.victim import Victim

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own figures")


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_and_nothing_else_happens(what: str, victim: Victim) -> None:
    wanted = REFUSED[what]
    # git reads the `.gitignore` files of other tools' bundles.
    git = ("git",) if what in FOREIGN else ()
    bundle = victim.bundle(wanted.make(GOOD)).name
    words = ("import", "--yes", "--trust-code", "--json", bundle)
    check_envelope(victim.run(*words, programs=git), wanted)
    if wanted.inspected:
        check_text(victim.run("inspect", bundle, programs=git), wanted)


def test_the_good_one_is_good_and_there_are_many_bad_ones(victim: Victim) -> None:
    ran = victim.run("inspect", "--json", victim.bundle(packed(listed(GOOD))).name)
    assert ran.envelope["data"]["bundle"]["environment"] == "studio"
    assert len(REFUSED) >= 120
    assert len({wanted.make(GOOD) for wanted in REFUSED.values()}) == len(REFUSED)


def test_every_refusal_names_something_and_says_a_rule() -> None:
    assert [what for what, wanted in REFUSED.items() if not (wanted.named and wanted.rule)] == []
