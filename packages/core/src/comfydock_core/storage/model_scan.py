"""A rescan: what lies in the models directories, against what the index says of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.events import Reporter, StepFinished
from comfydock_core.storage.index_database import IndexDatabase
from comfydock_core.storage.model_evidence import SCAN_STEP, Evidence
from comfydock_core.storage.model_keys import KeyAssignment
from comfydock_core.storage.model_walk import (
    FileState,
    Place,
    SkippedFile,
    Walk,
    walk_models,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanResult:
    """How many locations the index gained, changed, lost and kept, and what was left out."""

    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: tuple[SkippedFile, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Places by what a scan has to do with them."""

    added: tuple[Place, ...]
    changed: tuple[Place, ...]
    removed: tuple[Place, ...]
    unchanged: int

    @property
    def fresh(self) -> tuple[Place, ...]:
        """The places whose files have to be read."""
        return self.added + self.changed


def compare(known: Mapping[Place, FileState], walk: Walk) -> Difference:
    """Compare what the index knows with what lies there.

    What a folder holds that could not be looked into stays as it is; what is in none of the
    walked directories is forgotten.
    """
    added, changed = [], []
    for place, state in walk.files.items():
        before = known.get(place)
        if before is None:
            added.append(place)
        elif before != state:
            changed.append(place)
    gone = known.keys() - walk.files.keys() if len(known) > len(walk.files) - len(added) else ()
    return Difference(
        added=tuple(added),
        changed=tuple(changed),
        removed=tuple(place for place in gone if not walk.may_hold(place)),
        unchanged=len(walk.files) - len(added) - len(changed),
    )


def scan_models(
    database: IndexDatabase, directories: Iterable[Path], reporter: Reporter
) -> ScanResult:
    """Bring the index up to date with ``directories``, which are the whole library.

    Files are read while nobody is kept waiting; the index is held only to compare and to write,
    and everything is written in one transaction. What another process wrote in between counts.
    """
    started = time.monotonic()
    walk = walk_models(directories)
    evidence = Evidence(walk, reporter)
    difference = _settle(database, evidence)
    if evidence.began:
        reporter.report(StepFinished(step=SCAN_STEP, detail=_summary(difference)))
    return ScanResult(
        added=len(difference.added),
        changed=len(difference.changed),
        removed=len(difference.removed),
        unchanged=difference.unchanged,
        skipped=tuple(sorted(walk.skipped, key=lambda skipped: skipped.path)),
        seconds=time.monotonic() - started,
    )


def _settle(database: IndexDatabase, evidence: Evidence) -> Difference:
    """Compare and read in turns until every fresh file is known, then write."""
    while True:
        with database.transaction() as connection:
            difference = compare(_known_states(connection), evidence.walk)
            unsampled = [place for place in difference.fresh if place not in evidence.shorts]
            assignment = KeyAssignment(connection, evidence)
            if not unsampled:
                assignment.assign(difference.fresh)
                if not assignment.undigested:
                    _write(connection, difference, assignment, evidence.walk)
                    return difference
        if unsampled:
            evidence.sample(unsampled)
        else:
            evidence.digest(sorted(assignment.undigested))


def _known_states(connection: sqlite3.Connection) -> dict[Place, FileState]:
    rows = connection.execute(
        "SELECT directory, relative_path, size, mtime_ns, inode FROM locations"
    )
    return {(directory, path): (size, mtime, inode) for directory, path, size, mtime, inode in rows}


def _write(
    connection: sqlite3.Connection, difference: Difference, assignment: KeyAssignment, walk: Walk
) -> None:
    contents = assignment.contents()
    connection.executemany(
        "INSERT INTO models (hash, short_hash, size, blake3, sha256) VALUES (?, ?, ?, ?, ?)",
        [(c.key, c.short, c.size, c.blake3, c.sha256) for c in contents if c.is_new],
    )
    connection.executemany(
        "UPDATE models SET blake3 = ?, sha256 = ? WHERE hash = ?",
        [(c.blake3, c.sha256, c.key) for c in contents if c.has_learned and not c.is_new],
    )
    connection.executemany(
        "DELETE FROM locations WHERE directory = ? AND relative_path = ?", difference.removed
    )
    connection.executemany(
        "INSERT OR REPLACE INTO locations"
        " (directory, relative_path, filename, hash, size, mtime_ns, inode)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (*place, place[1].rpartition("/")[2], assignment.keys[place], *walk.files[place])
            for place in difference.fresh
        ],
    )
    if difference.removed or difference.changed:
        _forget_models_without_files(connection)


def _forget_models_without_files(connection: sqlite3.Connection) -> None:
    """A source may have been typed in by a person and is worth keeping until the file returns."""
    connection.execute(
        "DELETE FROM models WHERE hash NOT IN (SELECT hash FROM locations)"
        " AND hash NOT IN (SELECT hash FROM sources)"
    )


def _summary(difference: Difference) -> str:
    return (
        f"{len(difference.added)} added, {len(difference.changed)} changed, "
        f"{len(difference.removed)} removed, {difference.unchanged} unchanged"
    )
