from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.errors import BundleError
from comfydock_core.importing.unpacked_bundle import check_unpacked, folder_digest


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    pack = tmp_path / "bundle" / "dev_nodes" / "my-dev"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text("1")
    (tmp_path / "bundle" / "pyproject.toml").write_text("2")
    return tmp_path / "bundle"


def linked(pack: Path) -> None:
    (pack / "__init__.py").unlink()
    (pack / "__init__.py").symlink_to("/etc/passwd")


def linked_folder(pack: Path) -> None:
    (pack / "lib").symlink_to("/etc")


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda pack: (pack / "__init__.py").write_text("3"),
    "added": lambda pack: (pack / "b.py").touch(),
    "gone": lambda pack: (pack / "__init__.py").unlink(),
    "renamed": lambda pack: (pack / "__init__.py").rename(pack / "b.py"),
    "linked": linked,
    "linked folder": linked_folder,
    "all gone": lambda pack: (pack.parents[1] / "pyproject.toml").unlink(),
}


def test_what_was_not_touched_is_the_same(unpacked: Path) -> None:
    digest = folder_digest(unpacked)
    (unpacked / "pyproject.toml").touch()
    check_unpacked(unpacked, digest, "again")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_seen(unpacked: Path, change: Callable[[Path], object]) -> None:
    digest = folder_digest(unpacked)
    change(unpacked / "dev_nodes" / "my-dev")
    with pytest.raises(BundleError, match=r"is gone|is not what it was") as caught:
        check_unpacked(unpacked, digest, "again")
    assert caught.value.hint == "again"
