"""What is learned of new files while a scan decides which models they are."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from comfydock_core.errors import StorageError
from comfydock_core.events import (
    ItemFailed,
    ItemFinished,
    ItemProgress,
    ItemStarted,
    Reporter,
    StepStarted,
)
from comfydock_core.storage.folder_listing import FileState, Place, is_unchanged, path_of
from comfydock_core.storage.hashing import (
    LARGEST_READ_WHOLE,
    FullHashes,
    full_hashes_of_many,
    short_hash,
)
from comfydock_core.storage.model_walk import Walk

SCAN_STEP = "index"
_SAMPLING = "new model files"
_REPORT_EVERY = 64

_BATCH = 1024

# Sampling waits for the disk more than it computes.
_THREADS_PER_CORE = 2


class Evidence:
    """Short hashes and full digests by place; a file that cannot be read leaves the walk.

    The scan is a step for a reporter only once there is something to read: ``began``.
    """

    def __init__(self, walk: Walk, reporter: Reporter) -> None:
        self.shorts: dict[Place, str] = {}
        self.digests: dict[Place, FullHashes] = {}
        self.walk = walk
        self._report = reporter.report
        self.began = False

    def _begin(self) -> None:
        if not self.began:
            self.began = True
            self._report(StepStarted(step=SCAN_STEP, title="Indexing models"))

    def sample(self, places: Sequence[Place]) -> Generator[int, None, None]:
        """Learn the short hashes of ``places`` in their order; yields now and then how many."""
        sizes = [self.walk.known_state(place)[0] for place in places]
        total, done = sum(sizes), 0
        self._begin()
        self._report(ItemStarted(step=SCAN_STEP, item=_SAMPLING, size=total))
        for first in range(0, len(places), _BATCH):
            beyond = first + _BATCH
            self._sample_batch(places[first:beyond], done, total)
            done += sum(sizes[first:beyond])
            yield min(beyond, len(places))
        self._report(ItemFinished(step=SCAN_STEP, item=_SAMPLING, detail=f"{len(places)} files"))

    def _sample_batch(self, batch: Sequence[Place], done: int, total: int) -> None:
        states = {place: self.walk.known_state(place) for place in batch}
        with closing(_samples(states)) as samples:
            for count, (place, outcome) in enumerate(samples, 1):
                done += states[place][0]
                if isinstance(outcome, StorageError):
                    self._drop(place, outcome)
                else:
                    self.shorts[place] = outcome
                if count % _REPORT_EVERY == 0:
                    self._report(
                        ItemProgress(step=SCAN_STEP, item=_SAMPLING, done=done, total=total)
                    )

    def digest(self, places: Iterable[Place]) -> None:
        """Learn the full digests of ``places``, which share a short hash with other files."""
        by_path = {path_of(place): place for place in places}
        sizes = {path: self.walk.known_state(place)[0] for path, place in by_path.items()}
        names = {path: self.walk.relative_path(place) for path, place in by_path.items()}
        self._begin()
        for name in names.values():
            self._report(ItemStarted(step=SCAN_STEP, item=name))

        def progress(path: Path, done: int) -> None:
            self._report(
                ItemProgress(step=SCAN_STEP, item=names[path], done=done, total=sizes[path])
            )

        with closing(full_hashes_of_many(by_path, progress)) as outcomes:
            for path, outcome in outcomes:
                place = by_path[path]
                if isinstance(outcome, StorageError):
                    self._drop(place, outcome)
                elif not is_unchanged(path, self.walk.known_state(place)):
                    self._drop(place, _changed())
                else:
                    self.digests[place] = outcome
                    self._report(ItemFinished(step=SCAN_STEP, item=names[path]))

    def _drop(self, place: Place, error: StorageError) -> None:
        reason = error.cause or error.sentence
        name = self.walk.relative_path(place)
        self.walk.listings[place[0]].drop(place[1])
        self.walk.skip(str(path_of(place)), reason)
        self._report(ItemFailed(step=SCAN_STEP, item=name, reason=reason))


def _samples(
    states: Mapping[Place, FileState],
) -> Generator[tuple[Place, str | StorageError], None, None]:
    """Sample small files in turn (a thread would cost more than it brings), large ones at once."""
    large = [item for item in states.items() if item[1][0] > LARGEST_READ_WHOLE]
    yield from (_sample(item) for item in states.items() if item[1][0] <= LARGEST_READ_WHOLE)
    if large:
        with ThreadPoolExecutor((os.cpu_count() or 1) * _THREADS_PER_CORE) as pool:
            yield from pool.map(_sample, large)


def _sample(item: tuple[Place, FileState]) -> tuple[Place, str | StorageError]:
    place, state = item
    path = path_of(place)
    try:
        short = short_hash(path)
    except StorageError as error:
        return place, error
    return place, short if is_unchanged(path, state) else _changed()


def _changed() -> StorageError:
    """What was read is not what the walk saw; the next scan will take it."""
    return StorageError("changed while it was read")
