"""The model index: which models lie on this machine, where, and where they can be had.

It describes files and never touches them. A model is known by its key (see ``model_keys.py``);
its digests are computed when somebody asks, and kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from comfydock_core.domain.models import ModelWithLocation, UrlType
from comfydock_core.errors import NotFoundError, StorageError
from comfydock_core.events import Notice, Reporter
from comfydock_core.storage.hashing import BytesRead, FullHashes, full_hashes
from comfydock_core.storage.index_database import BrokenIndexError, IndexDatabase
from comfydock_core.storage.model_scan import ScanResult, scan_models
from comfydock_core.storage.model_walk import is_unchanged

SourceType = UrlType | Literal["unknown"]

_SELECT = (
    "SELECT directory, relative_path, models.size, mtime_ns, inode, models.hash, blake3, sha256"
    " FROM locations JOIN models ON models.hash = locations.hash "
)
_ORDER = " ORDER BY directory, relative_path"
_SHORTEST_PREFIX = 8

_Row = tuple[str, str, int, int, int, str, str, str]


class ModelIndex(IndexDatabase):
    """Reads and writes the index at a path, which need not exist.

    Everything that returns several models returns one for each location, in the order of their
    paths, as the last scan saw them.
    """

    def scan(self, directories: Iterable[Path], reporter: Reporter) -> ScanResult:
        """Bring the index up to date with ``directories``, which are the whole library.

        Only files whose size, time or inode changed are read. A broken index file is moved
        aside and made anew, which a Notice says.
        """
        library = tuple(directories)
        try:
            return scan_models(self, library, reporter)
        except BrokenIndexError as error:
            reporter.report(Notice(text=error.sentence, hint="sources that you added lie there"))
            return scan_models(self, library, reporter)

    def get_model(self, key: str) -> ModelWithLocation | None:
        """Return the model with its first location that is still as it was scanned, if any."""
        rows = _rows(self, "WHERE models.hash = ?", key)
        return next((_model(row) for row in rows if is_unchanged(Path(*row[:2]), row[2:5])), None)

    def locations(self, key: str) -> tuple[ModelWithLocation, ...]:
        """Return a model's locations."""
        return _models(self, "WHERE models.hash = ?", key)

    def all(self) -> tuple[ModelWithLocation, ...]:
        """Return every location of every model."""
        return _models(self, "")

    def find(self, text: str) -> tuple[ModelWithLocation, ...]:
        """Return what has ``text`` in its path, or a hash that begins with it (8 characters on).

        Upper and lower case are the same for ASCII letters.
        """
        literal = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        by_path = r"WHERE relative_path LIKE ? ESCAPE '\'"
        if len(text) < _SHORTEST_PREFIX:
            return _models(self, by_path, f"%{literal}%")
        by_hash = r"models.hash LIKE ?2 ESCAPE '\' OR blake3 LIKE ?2 ESCAPE '\'"
        by_either = f"{by_path} OR {by_hash} OR " + r"sha256 LIKE ?2 ESCAPE '\'"
        return _models(self, by_either, f"%{literal}%", f"{literal}%")

    def by_relative_path(self, path: str) -> tuple[ModelWithLocation, ...]:
        """Return what lies at a POSIX path below any of the models directories."""
        name = path.rpartition("/")[2]
        return _models(self, "WHERE filename = ? AND relative_path = ?", name, path)

    def by_filename(self, name: str) -> tuple[ModelWithLocation, ...]:
        """Return the files of one name."""
        return _models(self, "WHERE filename = ?", name)

    def by_size(self, size: int) -> tuple[ModelWithLocation, ...]:
        """Return the files of one size in bytes."""
        return _models(self, "WHERE models.size = ?", size)

    def by_short_hash(self, short: str) -> tuple[ModelWithLocation, ...]:
        """Return the files that share a short hash: one model, or several that only look alike."""
        return _models(self, "WHERE short_hash = ?", short)

    def by_digest(self, *, sha256: str = "", blake3: str = "") -> tuple[ModelWithLocation, ...]:
        """Return the files known to have the given digests (hex), all of those that are given."""
        sha256, blake3 = sha256.lower(), blake3.lower()
        if blake3:
            found = _models(self, "WHERE blake3 <> '' AND blake3 = ?", blake3)
            return tuple(model for model in found if sha256 in ("", model.sha256_hash))
        return _models(self, "WHERE sha256 <> '' AND sha256 = ?", sha256)

    def calculate_full_hashes(self, key: str, progress: BytesRead | None = None) -> FullHashes:
        """Return a model's digests: from the index if it has them, otherwise the file is read.

        Raises NotFoundError where no file of the model is as it was scanned, StorageError where
        it cannot be read.
        """
        model = self.get_model(key)
        if model is None:
            raise _no_file(key)
        if model.blake3_hash and model.sha256_hash:
            return FullHashes(blake3=model.blake3_hash, sha256=model.sha256_hash, size=model.size)
        hashes = full_hashes(Path(model.path), progress)
        if self.get_model(key) != model:
            raise _no_file(key)
        return hashes

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

    def get_model_sources(self, key: str) -> tuple[str, ...]:
        """Return the URLs where a model can be had, in the order in which they were added."""
        with self.session() as connection:
            rows = connection.execute(
                "SELECT url FROM sources WHERE hash = ? AND url <> '' ORDER BY id", (key,)
            ).fetchall()
        return tuple(url for (url,) in rows)

    def add_source(self, key: str, source_type: SourceType, url: str) -> None:
        """Keep a URL of a model; ``unknown`` with an empty URL records that nobody knows one.

        Raises NotFoundError for an unknown key. A URL that is there already changes its type.
        """
        with self.transaction() as connection:
            _known(connection, key)
            connection.execute(
                "INSERT INTO sources (hash, url, type) VALUES (?, ?, ?)"
                " ON CONFLICT (hash, url) DO UPDATE SET type = excluded.type",
                (key, url, source_type),
            )


def _rows(database: IndexDatabase, where: str, *values: str | int) -> list[_Row]:
    with database.session() as connection:
        return connection.execute(_SELECT + where + _ORDER, values).fetchall()


def _models(
    database: IndexDatabase, where: str, *values: str | int
) -> tuple[ModelWithLocation, ...]:
    return tuple(_model(row) for row in _rows(database, where, *values))


def _model(row: _Row) -> ModelWithLocation:
    directory, relative, size, _, _, key, blake3, sha256 = row
    folder, _, _ = relative.partition("/")
    filename = relative.rpartition("/")[2]
    return ModelWithLocation(
        hash=key,
        filename=filename,
        size=size,
        relative_path=relative,
        category=folder if folder != relative else "",
        path=str(Path(directory, relative)),
        blake3_hash=blake3,
        sha256_hash=sha256,
    )


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
