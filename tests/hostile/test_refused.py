"""Every bad bundle is refused in one line, and nothing else happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import BundleError, ComfydockError, ManifestError
from comfydock_core.services.import_service import ImportService
from comfydock_core.services.inspect_service import InspectService
from comfydock_core.workspace.workspace import Workspace

from tests.hostile.bundles import listed, packed
from tests.hostile.corpus import REFUSED
from tests.hostile.good import GOOD
from tests.hostile.watching import tree, watched

_LONGEST = 500
_CANARY = Path("/tmp/comfydock-hostile")


def _refusal(act: Callable[[Path], object], bundle: Path) -> ComfydockError:
    started = time.monotonic()
    with watched() as acts, pytest.raises((BundleError, ManifestError)) as caught:
        act(bundle)
    assert acts == []
    assert time.monotonic() - started < 20
    return caught.value


def _check(error: ComfydockError, words: tuple[str, ...]) -> None:
    for word in words:
        assert word in error.sentence
    assert len(error.sentence) < _LONGEST
    for text in (error.sentence, error.hint, error.subject):
        assert escape_text(text) == text
    assert error.exit_code == 1


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_and_nothing_else_happens(what: str, place: Path, tmp_path: Path) -> None:
    wanted = REFUSED[what]
    bundle = tmp_path / "hostile.tar.gz"
    bundle.write_bytes(wanted.make(GOOD))
    workspace = Workspace.open(place / "home", {"HOME": str(place)})
    before = tree(place)
    _check(_refusal(ImportService(workspace).plan_import, bundle), wanted.words)
    if wanted.inspected:
        _check(_refusal(InspectService(workspace).inspect, bundle), wanted.words)
    assert tree(place) == before
    assert not _CANARY.exists()


def test_the_good_one_is_good_and_there_are_many_bad_ones(place: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "good.tar.gz"
    bundle.write_bytes(packed(listed(GOOD)))
    workspace = Workspace.open(place / "home", {"HOME": str(place)})
    inspection = InspectService(workspace).inspect(bundle)
    assert inspection.opened.bundle.environment_name == "studio"
    assert len(REFUSED) >= 120
    assert len({wanted.make(GOOD) for wanted in REFUSED.values()}) == len(REFUSED)
