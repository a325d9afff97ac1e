from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.storage.folder_listing import FileState, FolderListing, is_unchanged, state_of

FILES: dict[str, FileState] = {
    "a.pt": (1, 2, 3),
    "b.pt": (4, -5, 6),
    "cé.pt": (7, 8, (1 << 63) - 1),
}


def _listing(files: dict[str, FileState]) -> FolderListing:
    listing = FolderListing("/models/loras", "loras/")
    listing.fill([*files], [number for state in files.values() for number in state])
    return listing


def test_a_listing_gives_back_what_it_was_given() -> None:
    listing = _listing(FILES)
    assert dict(listing.states()) == FILES
    assert {name: listing.known_state(name) for name in listing.names} == FILES
    assert listing.state("d.pt") is None


@pytest.mark.parametrize(
    "others",
    [
        {},
        {**FILES, "d.pt": (1, 2, 3)},
        {**FILES, "a.pt": (2, 2, 3)},
        {**FILES, "a.pt": (1, 3, 3)},
        {**FILES, "a.pt": (1, 2, 4)},
        {"A.pt": (1, 2, 3), "b.pt": (4, -5, 6), "cé.pt": FILES["cé.pt"]},
        {"a.pt": (1, 2, 3), "b.pt": (4, -5, 6), "ce\u0301.pt": FILES["cé.pt"]},
        {"b.pt": (1, 2, 3), "a.pt": (4, -5, 6), "cé.pt": FILES["cé.pt"]},
    ],
)
def test_the_digest_tells_any_change(others: dict[str, FileState]) -> None:
    assert _listing(FILES).digest() == _listing(dict(FILES)).digest()
    assert _listing(others).digest() != _listing(FILES).digest()


def test_a_listing_that_lost_a_file_has_no_digest() -> None:
    listing = _listing(FILES)
    assert listing.state("b.pt") == (4, -5, 6)
    listing.drop("b.pt")
    assert listing.digest() is None
    assert dict(listing.states()) == {name: FILES[name] for name in ("a.pt", "cé.pt")}
    assert listing.state("b.pt") is None
    assert listing.state("cé.pt") == FILES["cé.pt"]


def test_a_file_is_unchanged_by_all_that_is_known_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"weights")
    size, mtime, inode = state_of(path.stat())
    cases = {
        (size, mtime, inode): True,
        (size, mtime, 0): True,
        (size, mtime, inode + 1): False,
        (size, mtime + 1, inode): False,
        (size + 1, mtime, inode): False,
    }
    assert {state: is_unchanged(path, state) for state in cases} == cases
    assert not is_unchanged(tmp_path / "absent", (size, mtime, inode))
