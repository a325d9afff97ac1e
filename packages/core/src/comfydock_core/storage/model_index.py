"""The model index: which models lie on this machine, where, and where they can be had.

It describes files and never touches them. A model is known by its key (see ``model_keys.py``);
its digests are computed when somebody asks, and kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

from comfydock_core.domain.models import ModelRoot, ModelWithLocation, UrlType
from comfydock_core.domain.source_urls import storable_url
from comfydock_core.errors import NotFoundError, StorageError
from comfydock_core.events import Notice, Reporter
from comfydock_core.storage.hashing import (
    BytesRead,
    FullHashes,
    full_hashes,
    full_hashes_of_many,
    short_hash,
)
from comfydock_core.storage.index_database import BrokenIndexError
from comfydock_core.storage.model_queries import ModelQueries
from comfydock_core.storage.model_scan import ScanResult, scan_models

SourceType = UrlType | Literal["unknown"]

Verdict = Literal["intact", "different", "unproven"]
"""Of a file read again: as its digests say; something else; now digested for the first time."""

ModelBytesRead = Callable[[ModelWithLocation, int], None]
"""Gets a model and how many of its bytes have been read, from several threads."""


class ModelIndex(ModelQueries):
    """Reads and writes the index at a path, which need not exist."""

    def scan(self, roots: Iterable[ModelRoot], reporter: Reporter) -> ScanResult:
        """Bring the index up to date with ``roots``, which are the whole library.

        Only files whose size, time or inode changed are read. A broken index file is moved
        aside and made anew, which a Notice says.
        """
        library = tuple(roots)
        try:
            return scan_models(self, library, reporter)
        except BrokenIndexError as error:
            reporter.report(Notice(text=error.sentence, hint="sources that you added lie there"))
            return scan_models(self, library, reporter)

    def calculate_full_hashes(self, key: str, progress: BytesRead | None = None) -> FullHashes:
        """Return a model's digests: from the index if it has them, otherwise the file is read.

        Raises NotFoundError where no file of the model is as it was scanned, StorageError where
        it cannot be read.
        """
        model = self.get_model(key)
        if model is None:
            raise _no_file(key)
        if model.blake3_hash and model.sha256_hash:
            return _hashes_of(model)
        hashes = full_hashes(Path(model.path), progress)
        if self.get_model(key) != model:
            raise _no_file(key)
        return hashes

    def digest_many(
        self, keys: Iterable[str], progress: ModelBytesRead | None = None
    ) -> Generator[tuple[str, FullHashes | StorageError | NotFoundError], None, None]:
        """Yield every key with its model's digests, or why there are none, as they are done.

        Several files are read at once, and each result is kept before it is yielded. Closing the
        generator, or interrupting it, stops the files under way and loses nothing that was done.
        """
        to_read: dict[Path, ModelWithLocation] = {}
        for key in dict.fromkeys(keys):
            model = self.get_model(key)
            if model is None:
                yield key, _no_file(key)
            elif model.blake3_hash and model.sha256_hash:
                yield key, _hashes_of(model)
            else:
                to_read[Path(model.path)] = model
        for model, outcome in _read_in_full(to_read, progress):
            yield model.hash, self._kept(model, outcome)

    def verify(
        self, models: Iterable[ModelWithLocation], progress: ModelBytesRead | None = None
    ) -> Generator[tuple[ModelWithLocation, Verdict | StorageError], None, None]:
        """Read the files of locations again and say whether they still are what the index knows.

        Digests that are known are never changed, and keys neither. A model that has none is
        compared by its short hash, and has them afterwards if its file is as it was scanned.
        """
        to_read = {Path(model.path): model for model in models}
        for model, outcome in _read_in_full(to_read, progress):
            if isinstance(outcome, StorageError):
                yield model, outcome
            else:
                yield model, self._verdict(model, outcome)

    def _kept(
        self, model: ModelWithLocation, outcome: FullHashes | StorageError
    ) -> FullHashes | StorageError | NotFoundError:
        if isinstance(outcome, StorageError):
            return outcome
        if not self.is_as_scanned(model):
            return _no_file(model.hash)
        try:
            self.update_model_hashes(model.hash, outcome)
        except BrokenIndexError:
            raise
        except (StorageError, NotFoundError) as error:
            return error
        return outcome

    def _verdict(self, model: ModelWithLocation, hashes: FullHashes) -> Verdict | StorageError:
        known = next(iter(self.locations(model.hash)), model)
        if known.blake3_hash and known.sha256_hash:
            return "intact" if _hashes_of(known) == hashes else "different"
        try:
            short = short_hash(Path(model.path))
        except StorageError as error:
            return error
        if short != model.hash or hashes.size != model.size:
            return "different"
        self._kept(model, hashes)
        return "unproven"

    def update_model_hashes(self, key: str, hashes: FullHashes) -> None:
        """Keep a model's digests.

        Raises NotFoundError for an unknown key, StorageError if the model has other digests: a
        key never changes its content.
        """
        with self.transaction() as connection:
            size, *digests = _known(connection, key)
            if size != hashes.size or {*digests} - {"", hashes.blake3, hashes.sha256}:
                raise StorageError(
                    f"the model `{key}` has other digests than these",
                    hint="run `comfydock model index scan`",
                    subject=key,
                )
            connection.execute(
                "UPDATE models SET blake3 = ?, sha256 = ? WHERE hash = ?",
                (hashes.blake3, hashes.sha256, key),
            )

    def add_source(self, key: str, source_type: SourceType, url: str) -> None:
        """Keep a URL of a model; ``unknown`` with an empty URL records that nobody knows one.

        What could open doors is left out of the URL first (``source_urls.py``). Raises
        NotFoundError for an unknown key. A URL that is there already changes its type.
        """
        with self.transaction() as connection:
            _known(connection, key)
            connection.execute(
                "INSERT INTO sources (hash, url, type) VALUES (?, ?, ?)"
                " ON CONFLICT (hash, url) DO UPDATE SET type = excluded.type",
                (key, storable_url(url), source_type),
            )


def _hashes_of(model: ModelWithLocation) -> FullHashes:
    return FullHashes(blake3=model.blake3_hash, sha256=model.sha256_hash, size=model.size)


def _read_in_full(
    models: Mapping[Path, ModelWithLocation], progress: ModelBytesRead | None
) -> Iterator[tuple[ModelWithLocation, FullHashes | StorageError]]:
    def tick(path: Path, done: int) -> None:
        if progress is not None:
            progress(models[path], done)

    with closing(full_hashes_of_many(models, tick)) as outcomes:
        for path, outcome in outcomes:
            yield models[path], outcome


def _known(connection: sqlite3.Connection, key: str) -> tuple[int, str, str]:
    """Return size, blake3 and sha256 of a model that is in the index."""
    row: tuple[int, str, str] | None = connection.execute(
        "SELECT size, blake3, sha256 FROM models WHERE hash = ?", (key,)
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"no model `{key}` is in the index",
            hint="run `comfydock model index scan`, then `comfydock model list`",
            subject=key,
        )
    return row


def _no_file(key: str) -> NotFoundError:
    return NotFoundError(
        f"no file of the model `{key}` is as it was when the models were scanned",
        hint="run `comfydock model index scan`",
        subject=key,
    )
