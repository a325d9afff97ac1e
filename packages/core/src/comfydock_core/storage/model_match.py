"""Whether a model that a manifest describes is already on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.errors import NotFoundError, StorageError
from comfydock_core.storage.foreign_hashes import has_foreign_hash, is_foreign_key
from comfydock_core.storage.hashing import SHORT_HASH_LENGTH, BytesRead, FullHashes
from comfydock_core.storage.index_database import BrokenIndexError
from comfydock_core.storage.model_index import ModelIndex


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalMatch:
    """A local model: ``verified`` is that content by a full digest, ``probable`` looks like it."""

    kind: Literal["verified", "probable"]
    model: ModelWithLocation


def identify(
    model: ManifestModel, index: ModelIndex, progress: BytesRead | None = None
) -> LocalMatch | None:
    """Return the local model that ``model`` is, if any.

    Where the manifest has a digest, only an equal digest counts: files of the same size whose
    digests are unknown are read (``progress`` counts the bytes of one), and their digests kept.
    Where it has none, a file with the same short hash, or with the same name and size, is
    ``probable``. Files that changed since the last scan are left alone.
    """
    if model.blake3_hash or model.sha256_hash:
        return _verified(model, index, progress)
    if is_foreign_key(model.hash):
        return _foreign(model, index)
    return _probable(model, index)


def _verified(
    model: ManifestModel, index: ModelIndex, progress: BytesRead | None
) -> LocalMatch | None:
    known = index.by_digest(sha256=model.sha256_hash, blake3=model.blake3_hash)
    for key in dict.fromkeys(found.hash for found in known):
        local = index.get_model(key)
        if local is not None:
            return LocalMatch(kind="verified", model=local)
    for key in _undigested(model, index):
        try:
            hashes = index.calculate_full_hashes(key, progress)
        except BrokenIndexError:
            raise
        except (StorageError, NotFoundError):
            # A file that cannot be read, or was changed, is no reason not to look at the next.
            continue
        index.update_model_hashes(key, hashes)
        local = index.get_model(key)
        if local is not None and _is(model, hashes):
            return LocalMatch(kind="verified", model=local)
    return None


def _undigested(model: ManifestModel, index: ModelIndex) -> Iterator[str]:
    """Yield the keys of what may be the model but has no digests yet, files of its name first.

    A short hash of our scheme rules out everything that does not share it.
    """
    is_sampled = len(model.hash) == SHORT_HASH_LENGTH and not model.blake3_hash.startswith(
        model.hash
    )
    found = index.by_short_hash(model.hash) if is_sampled else index.by_size(model.size)
    found = tuple(local for local in found if local.size == model.size and not local.blake3_hash)
    yield from dict.fromkeys(
        local.hash for local in sorted(found, key=lambda local: local.filename != model.filename)
    )


def _is(model: ManifestModel, hashes: FullHashes) -> bool:
    return (
        model.size == hashes.size
        and model.blake3_hash.lower() in ("", hashes.blake3)
        and model.sha256_hash.lower() in ("", hashes.sha256)
    )


def _foreign(model: ManifestModel, index: ModelIndex) -> LocalMatch | None:
    """Look for the short hash of another tool: equal is probable, and nothing else is a match."""
    alike = index.by_size(model.size)
    for candidate in sorted(alike, key=lambda local: local.filename != model.filename):
        with suppress(StorageError):
            local = index.get_model(candidate.hash)
            if local is not None and has_foreign_hash(Path(local.path), model.hash):
                return LocalMatch(kind="probable", model=local)
    return None


def _probable(model: ManifestModel, index: ModelIndex) -> LocalMatch | None:
    alike = (*index.by_short_hash(model.hash), *index.locations(model.hash))
    namesakes = index.by_filename(model.filename)
    for candidate in (*alike, *namesakes):
        local = index.get_model(candidate.hash) if candidate.size == model.size else None
        if local is not None:
            return LocalMatch(kind="probable", model=local)
    return None
