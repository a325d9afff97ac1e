"""A rescan: what lies in the model library, against what the index says of it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

from comfydock_core.domain.models import ModelRoot
from comfydock_core.events import Reporter, StepFinished
from comfydock_core.storage.folder_listing import FolderListing, Place
from comfydock_core.storage.index_database import IndexDatabase
from comfydock_core.storage.model_difference import Difference, compare
from comfydock_core.storage.model_evidence import SCAN_STEP, Evidence
from comfydock_core.storage.model_keys import KeyAssignment
from comfydock_core.storage.model_walk import SkippedFile, Walk, walk_models

# What a killed scan has to read again. Every transaction writes much of what is there already
# (hashes come in no order), so that the next one is due when there is as much to store again.
_STORE_SECONDS = 10
_STORE_FILES = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanResult:
    """How many locations the index gained, changed, lost and kept, and what was left out."""

    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: tuple[SkippedFile, ...]
    seconds: float


def scan_models(
    database: IndexDatabase, roots: Iterable[ModelRoot], reporter: Reporter
) -> ScanResult:
    """Bring the index up to date with ``roots``, which are the whole library.

    Files are read while nobody is kept waiting; the index is held only to compare and to write.
    What another process wrote in between counts. Models that nothing has to be compared with are
    stored while the others are still read, and an interruption stores what is settled.
    """
    started = time.monotonic()
    walk = walk_models(roots)
    evidence = Evidence(walk, reporter)
    scan = _Scan(database, evidence)
    difference = scan.settle()
    result = ScanResult(
        added=len(difference.added) + scan.kept,
        changed=len(difference.changed),
        removed=len(difference.removed),
        unchanged=difference.unchanged - scan.kept,
        skipped=tuple(sorted(walk.skipped, key=lambda skipped: skipped.path)),
        seconds=time.monotonic() - started,
    )
    if evidence.began:
        reporter.report(StepFinished(step=SCAN_STEP, detail=_summary(result)))
    return result


class _Scan:
    """Compares and reads in turns until every fresh file is known; ``kept`` were stored early."""

    def __init__(self, database: IndexDatabase, evidence: Evidence) -> None:
        self.kept = 0
        self._database = database
        self._evidence = evidence

    def settle(self) -> Difference:
        """Bring the index up to date; return what was different in the end."""
        while True:
            with self._database.transaction() as connection:
                difference = compare(connection, self._evidence.walk)
                shorts = self._evidence.shorts
                unsampled = [place for place in difference.fresh if place not in shorts]
                assignment = KeyAssignment(connection, self._evidence)
                if not unsampled:
                    assignment.assign(difference.fresh)
                    if not assignment.undigested:
                        _write(connection, difference, assignment, self._evidence.walk)
                        return difference
            if unsampled:
                self._sample(unsampled, set(difference.added))
            else:
                self._digest(sorted(assignment.undigested))

    def _sample(self, unsampled: Sequence[Place], added: set[Place]) -> None:
        """Read the samples; what is new goes into the index now and then, and when interrupted."""
        stored, last_time = 0, time.monotonic()
        try:
            with closing(self._evidence.sample(unsampled)) as progress:
                for done in progress:
                    is_late = time.monotonic() - last_time > _STORE_SECONDS
                    if is_late or done - stored > max(stored, _STORE_FILES):
                        self._keep_new(unsampled[stored:done], added)
                        stored, last_time = done, time.monotonic()
        finally:
            self._keep_new(unsampled[stored:], added)

    def _keep_new(self, places: Sequence[Place], added: set[Place]) -> None:
        shorts = self._evidence.shorts
        new = [place for place in places if place in added and place in shorts]
        with self._database.transaction() as connection:
            self.kept += _keep_new_models(connection, new, self._evidence)

    def _digest(self, undigested: Sequence[Place]) -> None:
        try:
            self._evidence.digest(undigested)
        except BaseException:
            self._keep_settled()
            raise

    def _keep_settled(self) -> None:
        """Store the files whose models are known, so that the next scan need not read them."""
        with self._database.transaction() as connection:
            found = compare(connection, self._evidence.walk)
            assignment = KeyAssignment(connection, self._evidence)
            assignment.assign(place for place in found.fresh if place in self._evidence.shorts)
            settled = Difference(
                added=(place for place in found.added if place in assignment.keys),
                changed=(place for place in found.changed if place in assignment.keys),
            )
            _write(connection, settled, assignment, self._evidence.walk)


def _keep_new_models(
    connection: sqlite3.Connection, places: Sequence[Place], evidence: Evidence
) -> int:
    """Store the files whose short hash nothing shares; return how many.

    They can be no other model's copy or twin, whatever the files that are still unread turn out
    to be: a file whose model was moved or changed shares its short hash with what is stored.
    """
    walk, shorts = evidence.walk, evidence.shorts
    seen = Counter(shorts[place] for place in places)
    known = connection.execute(
        "SELECT short_hash FROM models WHERE short_hash IN (SELECT value FROM json_each(?))",
        (json.dumps(list(seen)),),
    )
    seen.update(short for (short,) in known)
    new = [place for place in places if seen[shorts[place]] == 1]
    connection.executemany(
        "INSERT INTO models (hash, short_hash, size) VALUES (?1, ?1, ?2)",
        sorted((shorts[place], walk.known_state(place)[0]) for place in new),
    )
    folders = _folder_ids(connection, [walk.listings[path] for path in {place[0] for place in new}])
    stored = connection.executemany(
        "INSERT OR IGNORE INTO locations (folder, filename, hash, size, mtime_ns, inode)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(folders[place[0]], place[1], shorts[place], *walk.known_state(place)) for place in new],
    )
    for place in new:
        del shorts[place]
    return stored.rowcount if new else 0


def _folder_ids(
    connection: sqlite3.Connection, listings: Iterable[FolderListing]
) -> dict[str, int]:
    """Store folders of which nothing is said yet, and return the numbers of ``listings``."""
    numbers = {}
    for listing in listings:
        ((number,),) = connection.execute(
            "INSERT INTO folders (path, prefix) VALUES (?, ?)"
            " ON CONFLICT (path) DO UPDATE SET prefix = excluded.prefix, digest = NULL"
            " RETURNING id",
            (listing.path, listing.prefix),
        )
        numbers[listing.path] = number
    return numbers


def _write(
    connection: sqlite3.Connection, difference: Difference, assignment: KeyAssignment, walk: Walk
) -> None:
    _write_models(connection, assignment)
    paths = {path for path, _ in difference.fresh}
    folders = _folder_ids(connection, [walk.listings[path] for path in paths])
    connection.executemany(
        "DELETE FROM locations WHERE folder = (SELECT id FROM folders WHERE path = ?)"
        " AND filename = ?",
        difference.removed,
    )
    connection.executemany(
        "INSERT OR REPLACE INTO locations (folder, filename, hash, size, mtime_ns, inode)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (folders[place[0]], place[1], assignment.keys[place], *walk.known_state(place))
            for place in difference.fresh
        ],
    )
    connection.executemany(
        "INSERT INTO folders (path, prefix, digest) VALUES (?, ?, ?) ON CONFLICT (path)"
        " DO UPDATE SET prefix = excluded.prefix, digest = excluded.digest",
        [(folder.path, folder.prefix, folder.digest()) for folder in difference.stale],
    )
    if difference.removed or difference.changed:
        _forget_what_has_no_files(connection)


def _write_models(connection: sqlite3.Connection, assignment: KeyAssignment) -> None:
    contents = assignment.contents()
    connection.executemany(
        "INSERT INTO models (hash, short_hash, size, blake3, sha256) VALUES (?, ?, ?, ?, ?)",
        [(c.key, c.short, c.size, c.blake3, c.sha256) for c in contents if c.is_new],
    )
    connection.executemany(
        "UPDATE models SET blake3 = ?, sha256 = ? WHERE hash = ?",
        [(c.blake3, c.sha256, c.key) for c in contents if c.has_learned and not c.is_new],
    )


def _forget_what_has_no_files(connection: sqlite3.Connection) -> None:
    """A source may have been typed in by a person and is worth keeping until the file returns."""
    connection.execute("DELETE FROM folders WHERE id NOT IN (SELECT folder FROM locations)")
    connection.execute(
        "DELETE FROM models WHERE hash NOT IN (SELECT hash FROM locations)"
        " AND hash NOT IN (SELECT hash FROM sources)"
    )


def _summary(result: ScanResult) -> str:
    return (
        f"{result.added} added, {result.changed} changed, "
        f"{result.removed} removed, {result.unchanged} unchanged"
    )
