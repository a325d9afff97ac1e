"""What lies in the library against what the index says of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from comfydock_core.storage.folder_listing import FileState, FolderListing, Place, path_of
from comfydock_core.storage.model_walk import Walk


class Difference:
    """Files by what a scan has to do with them; ``stale`` are the folders it has to note anew."""

    def __init__(self, *, added: Iterable[Place] = (), changed: Iterable[Place] = ()) -> None:
        self.added = list(added)
        self.changed = list(changed)
        self.removed: list[Place] = []
        self.unchanged = 0
        self.stale: list[FolderListing] = []

    @property
    def fresh(self) -> list[Place]:
        """The places whose files have to be read."""
        return self.added + self.changed


_KnownFolder = tuple[int, str, bytes | None]


def compare(connection: sqlite3.Connection, walk: Walk) -> Difference:
    """Compare the index with what lies there; folders whose digest is the same are not opened.

    What a folder holds that could not be looked into stays as it is; what is in none of the
    walked folders is forgotten.
    """
    difference = Difference()
    known: dict[str, _KnownFolder] = {
        path: (number, prefix, digest)
        for path, number, prefix, digest in connection.execute(
            "SELECT path, id, prefix, digest FROM folders"
        )
    }
    for path, listing in walk.listings.items():
        before = known.pop(path, None)
        if before is None and not listing.names:
            continue
        if before is not None and before[2] is not None and before[2] == listing.digest():
            difference.unchanged += len(listing.names)
            if before[1] != listing.prefix:
                difference.stale.append(listing)
        else:
            states = _states(connection, before[0]) if before else {}
            _compare_folder(listing, states, walk, difference)
    for path, (number, _, _) in known.items():
        if not walk.may_hold(path):
            difference.removed += [(path, name) for name in _states(connection, number)]
    return difference


def _states(connection: sqlite3.Connection, folder: int) -> dict[str, FileState]:
    rows = connection.execute(
        "SELECT filename, size, mtime_ns, inode FROM locations WHERE folder = ?", (folder,)
    )
    return {name: (size, mtime, inode) for name, size, mtime, inode in rows}


def _compare_folder(
    listing: FolderListing, known: dict[str, FileState], walk: Walk, difference: Difference
) -> None:
    """Compare the files one by one; ``known`` loses those that are there."""
    path = listing.path
    for name, state in listing.states():
        before = known.pop(name, None)
        if before is None:
            difference.added.append((path, name))
        elif before != state:
            difference.changed.append((path, name))
        else:
            difference.unchanged += 1
    gone = [(path, name) for name in known]
    removed = [place for place in gone if not walk.may_hold(str(path_of(place)))]
    if len(removed) < len(gone):
        listing.is_whole = False
    difference.removed += removed
    difference.stale.append(listing)
