"""Honest bundles of every shape are looked at and planned; what they ask of uv is not heard.

What is promised of every run (limits, files, hosts, secrets) is in ``victim.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from comfydock_core.domain.untrusted import escape_lines
from comfydock_core.importing.opening import open_bundle
from comfydock_core.storage.project_file import project_text
from comfydock_core.workspace.workspace import Workspace

from tests.hostile.foreign import THEIR_OWN
from tests.hostile.good import GOOD
from tests.hostile.honest import HONEST, UNHEEDED
from tests.hostile.victim import Victim

_NEVER_HEARD = ("evil", "../", "/etc", "unsafe", "build-system", "scripts")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own figures")


ACCEPTED = {**HONEST, **THEIR_OWN}


@pytest.mark.parametrize("what", ACCEPTED)
def test_it_is_accepted(what: str, victim: Victim) -> None:
    honest = ACCEPTED[what]
    # git reads the `.gitignore` files of other tools' bundles.
    git = ("git",) if what in THEIR_OWN else ()
    bundle = victim.bundle(honest.make(GOOD)).name
    inspected = victim.run("inspect", bundle, programs=git)
    planned = victim.run("import", "--dry-run", "--json", bundle, programs=("uv", *git))
    assert (inspected.exit_code, planned.exit_code) == (0, 0)
    assert planned.envelope["data"]["dry_run"] is True
    assert honest.warning in f"{inspected.out}{planned.err}"
    for text in (inspected.out, planned.out, planned.err):
        assert escape_lines(text) == text


@pytest.mark.parametrize("what", UNHEEDED)
def test_uv_is_not_told(what: str, tmp_path: Path) -> None:
    bundle = tmp_path / "honest.tar.gz"
    bundle.write_bytes(UNHEEDED[what].make(GOOD))
    workspace = Workspace.open(tmp_path / "home", {"HOME": str(tmp_path)})
    opened = open_bundle(workspace, bundle, tmp_path / "unpacked")
    text = project_text(opened.manifest)
    assert [word for word in _NEVER_HEARD if word in text] == []


def test_there_are_many() -> None:
    assert len(HONEST) >= 20
