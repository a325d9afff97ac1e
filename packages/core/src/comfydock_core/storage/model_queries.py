"""Questions to the model index: what lies where, what it is, where it can be had."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.storage.folder_listing import is_unchanged
from comfydock_core.storage.index_database import IndexDatabase

SELECT = (
    "SELECT path, prefix, filename, models.size, mtime_ns, inode, models.hash, blake3, sha256"
    " FROM locations JOIN folders ON folders.id = folder"
    " JOIN models ON models.hash = locations.hash "
)
_ORDER = " ORDER BY prefix || filename, path"

# Both ways find their rows before the models are joined: an index may hold a million of them.
_BY_PATH = (
    "(folder, filename) IN (SELECT folder, filename FROM locations"
    r" JOIN folders ON folders.id = folder WHERE prefix || filename LIKE ?1 ESCAPE '\')"
)
_BY_HASH = (
    "SELECT hash FROM models WHERE hash BETWEEN ?2 AND ?3"
    " UNION SELECT hash FROM models WHERE blake3 <> '' AND blake3 BETWEEN ?2 AND ?3"
    " UNION SELECT hash FROM models WHERE sha256 <> '' AND sha256 BETWEEN ?2 AND ?3"
)
_LONGEST_PATH = 4096
_HASH_BEGINNING = re.compile("[0-9a-f]{8,64}")

_Row = tuple[str, str, str, int, int, int, str, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexCounts:
    """What the index holds, every model with files counted once; ``size`` is their bytes."""

    models: int
    locations: int
    size: int
    with_digests: int
    with_source: int


class ModelQueries(IndexDatabase):
    """Reads the index.

    Everything that returns several models returns one for each location, in the order of their
    paths, as the last scan saw them.
    """

    def get_model(self, key: str) -> ModelWithLocation | None:
        """Return the model with its first location that is still as it was scanned, if any."""
        rows = self._rows("WHERE models.hash = ?", key)
        return next((_model(row) for row in rows if _is_as_scanned(row)), None)

    def is_as_scanned(self, model: ModelWithLocation) -> bool:
        """Whether this location of the model is in the index, and its file unchanged since."""
        rows = self._rows("WHERE models.hash = ?", model.hash)
        return any(_path(row) == model.path and _is_as_scanned(row) for row in rows)

    def locations(self, key: str) -> tuple[ModelWithLocation, ...]:
        """Return a model's locations."""
        return self._models("WHERE models.hash = ?", key)

    def all(self) -> tuple[ModelWithLocation, ...]:
        """Return every location of every model."""
        return self._models("")

    def find(self, text: str) -> tuple[ModelWithLocation, ...]:
        """Return what has ``text`` in its path, or a hash that begins with it (8 characters on).

        Upper and lower case are the same for ASCII letters.
        """
        if len(text) > _LONGEST_PATH:
            return ()
        literal = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        pattern, digits = f"%{literal}%", text.lower()
        if not _HASH_BEGINNING.fullmatch(digits):
            return self._models(f"WHERE {_BY_PATH}", pattern)
        # `g` comes after every hex digit.
        return self._models(
            f"WHERE {_BY_PATH} OR locations.hash IN ({_BY_HASH})", pattern, digits, f"{digits}g"
        )

    def by_relative_path(self, path: str) -> tuple[ModelWithLocation, ...]:
        """Return what lies at a POSIX path below any of the models directories."""
        name = path.rpartition("/")[2]
        return self._models("WHERE filename = ? AND prefix || filename = ?", name, path)

    def by_filename(self, name: str) -> tuple[ModelWithLocation, ...]:
        """Return the files of one name."""
        return self._models("WHERE filename = ?", name)

    def by_size(self, size: int) -> tuple[ModelWithLocation, ...]:
        """Return the files of one size in bytes."""
        return self._models("WHERE models.size = ?", size)

    def by_short_hash(self, short: str) -> tuple[ModelWithLocation, ...]:
        """Return the files that share a short hash: one model, or several that only look alike."""
        return self._models("WHERE short_hash = ?", short)

    def by_digest(self, *, sha256: str = "", blake3: str = "") -> tuple[ModelWithLocation, ...]:
        """Return the files known to have the given digests (hex), all of those that are given."""
        sha256, blake3 = sha256.lower(), blake3.lower()
        if blake3:
            found = self._models("WHERE blake3 <> '' AND blake3 = ?", blake3)
            return tuple(model for model in found if sha256 in ("", model.sha256_hash))
        return self._models("WHERE sha256 <> '' AND sha256 = ?", sha256)

    def get_model_sources(self, key: str) -> tuple[str, ...]:
        """Return the URLs where a model can be had, in the order in which they were added."""
        with self.session() as connection:
            rows = connection.execute(
                "SELECT url FROM sources WHERE hash = ? AND url <> '' ORDER BY id", (key,)
            ).fetchall()
        return tuple(url for (url,) in rows)

    def is_source_unknown(self, key: str) -> bool:
        """Whether somebody said that nobody knows a URL of a model, and none is known since."""
        with self.session() as connection:
            rows = connection.execute("SELECT url FROM sources WHERE hash = ?", (key,)).fetchall()
        return rows == [("",)]

    def counts(self) -> IndexCounts:
        """Count what the index holds."""
        with self.session() as connection:
            ((locations,),) = connection.execute("SELECT count(*) FROM locations")
            ((models, size, digested, sourced),) = connection.execute(
                "SELECT count(*), coalesce(sum(size), 0),"
                " count(nullif(blake3, '') || nullif(sha256, '')),"
                " coalesce(sum(hash IN (SELECT hash FROM sources WHERE url <> '')), 0)"
                " FROM models WHERE hash IN (SELECT hash FROM locations)"
            )
        return IndexCounts(
            models=models,
            locations=locations,
            size=size,
            with_digests=digested,
            with_source=sourced,
        )

    def _rows(self, where: str, *values: str | int) -> list[_Row]:
        try:
            with self.session() as connection:
                return connection.execute(SELECT + where + _ORDER, values).fetchall()
        except UnicodeEncodeError:
            return []  # a name that is no valid text is never indexed

    def _models(self, where: str, *values: str | int) -> tuple[ModelWithLocation, ...]:
        return tuple(_model(row) for row in self._rows(where, *values))


def _is_as_scanned(row: _Row) -> bool:
    return is_unchanged(Path(_path(row)), row[3:6])


def _path(row: _Row) -> str:
    return f"{row[0].rstrip(os.sep)}{os.sep}{row[2]}"


def _model(row: _Row) -> ModelWithLocation:
    _, prefix, filename, size, _, _, key, blake3, sha256 = row
    return ModelWithLocation(
        hash=key,
        filename=filename,
        size=size,
        relative_path=f"{prefix}{filename}",
        category=prefix.partition("/")[0],
        path=_path(row),
        blake3_hash=blake3,
        sha256_hash=sha256,
    )
