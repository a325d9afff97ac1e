"""Honest bundles of every shape are looked at and planned; what they ask of uv is not heard."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.domain.import_summary import ImportSummary
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import CancelledError
from comfydock_core.interaction import Unattended
from comfydock_core.services.import_service import ImportService
from comfydock_core.services.inspect_service import InspectService
from comfydock_core.storage.project_file import project_text
from comfydock_core.workspace.workspace import Workspace

from tests.hostile.good import GOOD
from tests.hostile.honest import HONEST, UNHEEDED
from tests.hostile.watching import tree, watched

_NEVER_HEARD = ("evil", "../", "/etc", "unsafe", "build-system", "scripts")


class _SaysNo(Unattended):
    """Looks at the summary, which is the first thing an import asks about, and says no."""

    def __init__(self) -> None:
        self.seen: list[ImportSummary] = []

    def confirm_summary(self, summary: ImportSummary) -> bool:
        """Refuse."""
        self.seen.append(summary)
        return False


@pytest.mark.parametrize("what", HONEST)
def test_it_is_accepted(what: str, place: Path, tmp_path: Path) -> None:
    honest = HONEST[what]
    bundle = tmp_path / "honest.tar.gz"
    bundle.write_bytes(honest.make(GOOD))
    workspace = Workspace.open(place / "home", {"HOME": str(place)})
    before = tree(place)
    person = _SaysNo()
    with watched() as acts:
        inspection = InspectService(workspace).inspect(bundle)
        with pytest.raises(CancelledError):
            ImportService(workspace, person).plan_import(bundle)
    (summary,) = person.seen
    assert acts == []
    assert tree(place) == before
    assert summary.digest == inspection.summary.digest
    assert any(honest.warning in escape_text(text) for text in (*summary.warnings, ""))
    text = project_text(summary.manifest)
    if what in UNHEEDED:
        assert [word for word in _NEVER_HEARD if word in text] == []


def test_there_are_many() -> None:
    assert len(HONEST) >= 20
