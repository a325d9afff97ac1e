"""What is learned of new files while a scan decides which models they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
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
from comfydock_core.storage.hashing import (
    LARGEST_READ_WHOLE,
    FullHashes,
    full_hashes_of_many,
    short_hash,
)
from comfydock_core.storage.model_walk import FileState, Place, Walk, is_unchanged, path_of

SCAN_STEP = "index"
_SAMPLING = "new model files"
_REPORT_EVERY = 64

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

    def sample(self, places: Iterable[Place]) -> None:
        """Learn the short hashes of ``places``."""
        states = {place: self.walk.files[place] for place in places}
        total, done = sum(size for size, _, _ in states.values()), 0
        self._begin()
        self._report(ItemStarted(step=SCAN_STEP, item=_SAMPLING, size=total))
        for count, (place, outcome) in enumerate(_samples(states), 1):
            done += states[place][0]
            if isinstance(outcome, StorageError):
                self._drop(place, outcome)
            else:
                self.shorts[place] = outcome
            if count % _REPORT_EVERY == 0:
                self._report(ItemProgress(step=SCAN_STEP, item=_SAMPLING, done=done, total=total))
        self._report(ItemFinished(step=SCAN_STEP, item=_SAMPLING, detail=f"{len(states)} files"))

    def digest(self, places: Iterable[Place]) -> None:
        """Learn the full digests of ``places``, which share a short hash with other files."""
        by_path = {path_of(place): place for place in places}
        self._begin()
        for _, relative in by_path.values():
            self._report(ItemStarted(step=SCAN_STEP, item=relative))

        def progress(path: Path, done: int) -> None:
            size, _, _ = self.walk.files[by_path[path]]
            name = by_path[path][1]
            self._report(ItemProgress(step=SCAN_STEP, item=name, done=done, total=size))

        for path, outcome in full_hashes_of_many(by_path, progress):
            place = by_path[path]
            if isinstance(outcome, StorageError):
                self._drop(place, outcome)
            elif not is_unchanged(path, self.walk.files[place]):
                self._drop(place, _changed())
            else:
                self.digests[place] = outcome
                self._report(ItemFinished(step=SCAN_STEP, item=place[1]))

    def _drop(self, place: Place, error: StorageError) -> None:
        reason = error.cause or error.sentence
        del self.walk.files[place]
        self.walk.skip(str(path_of(place)), reason)
        self._report(ItemFailed(step=SCAN_STEP, item=place[1], reason=reason))


def _samples(states: Mapping[Place, FileState]) -> Iterator[tuple[Place, str | StorageError]]:
    """Sample small files in turn (a thread would cost more than it brings), large ones at once."""
    large = [item for item in states.items() if item[1][0] > LARGEST_READ_WHOLE]
    yield from (_sample(item) for item in states.items() if item[1][0] <= LARGEST_READ_WHOLE)
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
