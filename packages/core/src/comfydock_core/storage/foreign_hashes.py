"""The short hashes by which ComfyDock 1.x and ComfyGit know a model.

Both are the first 16 hex characters of H(size as decimal digits, first 5 MiB and, of a file above
30 MiB, 5 MiB from size // 2 - 2.5 MiB and the last 5 MiB). H is blake3 in comfydock-core up to
1.0.11 and in early comfygit-core, XXH3-128 in comfygit-core since about 0.2.4; nothing that they
write says which. They sample the file, so one that is equal is ``probable``; one that is not is
another file for sure.
"""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3

from comfydock_core.domain.names import FOREIGN_MODEL_KEY
from comfydock_core.storage.steady_file import SteadyFile, steady_file

_MIB = 1024 * 1024
_SAMPLE = 5 * _MIB
_SAMPLED_ABOVE = 30 * _MIB
_LENGTH = 16


def is_foreign_key(key: str) -> bool:
    """Whether a model's key has the form of those two tools; ours are longer."""
    return bool(FOREIGN_MODEL_KEY.fullmatch(key))


def has_foreign_hash(path: Path, key: str) -> bool:
    """Whether a file's short hash is ``key`` in one of the two tools' ways.

    Reads at most 15 MiB. Raises StorageError for what cannot be read, is no regular file or changes
    meanwhile.
    """
    with steady_file(path) as file:
        sampled = _sampled(file)
    if blake3(sampled).hexdigest(length=_LENGTH // 2) == key:
        return True
    import xxhash

    return xxhash.xxh3_128_hexdigest(sampled)[:_LENGTH] == key


def _sampled(file: SteadyFile) -> bytes:
    offsets = [0]
    if file.size > _SAMPLED_ABOVE:
        offsets += [file.size // 2 - _SAMPLE // 2, file.size - _SAMPLE]
    samples = [file.read_at(offset, min(_SAMPLE, file.size)) for offset in offsets]
    return b"".join([str(file.size).encode(), *samples])
