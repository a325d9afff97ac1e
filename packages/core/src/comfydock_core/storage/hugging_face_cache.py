"""What the Hugging Face client keeps on this machine, and what that says of where it came from.

Its cache has ``models--<owner>--<name>/blobs/<sha256>`` and, as links to those,
``snapshots/<commit>/<path>``. A download into a folder (``local_dir``) leaves three lines in
``<folder>/.cache/huggingface/download/<path>.metadata``: commit, etag (the sha256 of a large
file), time. The repository's name is not among them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.names import COMMIT, SHA256
from comfydock_core.errors import StorageError
from comfydock_core.storage.extra_model_paths import expanded
from comfydock_core.storage.hashing import full_hashes

REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,95})?")
_MODELS = "models--"
_RECORDS = Path(".cache", "huggingface", "download")
_MOST_LINKS = 10_000
_LONGEST_RECORD = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFile:
    """A file of a model repository at one commit; ``path`` is POSIX, below the repository.

    ``repository`` is empty where only the rest is known, ``sha256`` where nothing says it.
    """

    repository: str
    commit: str
    path: str
    sha256: str = ""

    @property
    def url(self) -> str:
        """The address that will always mean this file; it takes a repository."""
        return f"https://huggingface.co/{self.repository}/resolve/{self.commit}/{quote(self.path)}"


def is_hub_cache(folder: Path) -> bool:
    """Whether a folder is the Hugging Face client's cache of repositories, or inside one."""
    if (folder.name, folder.parent.name) == ("hub", "huggingface"):
        return True
    return any(name.startswith(_MODELS) for name in (folder.name, *_names_in(folder)))


def hub_cache_folders(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where caches may be: ``HF_HUB_CACHE``, ``HF_HOME``, the default, as they are there."""
    home = environment.get("HOME") or environment.get("USERPROFILE") or str(Path.home())
    general = environment.get("XDG_CACHE_HOME") or str(Path(home, ".cache"))
    chosen = [environment.get(name, "") for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")]
    chosen += [str(Path(environment["HF_HOME"], "hub"))] if environment.get("HF_HOME") else []
    chosen.append(str(Path(general, "huggingface", "hub")))
    places = (Path(expanded(place)) for place in chosen if place)
    return tuple(dict.fromkeys(place for place in places if place.is_dir()))


def find_in_caches(
    model: ManifestModel, environment: Mapping[str, str]
) -> ModelWithLocation | None:
    """Return where a cache has ``model``, proven by its digests; None without a known sha256.

    The location has the manifest's key and file name; ``relative_path`` is the place in the cache,
    where no loader looks.
    """
    for blob in _blobs(model.sha256_hash.lower(), model.size, environment):
        with suppress(StorageError):
            found = full_hashes(blob)
            same = model.blake3_hash.lower() in ("", found.blake3)
            if same and (found.sha256, found.size) == (model.sha256_hash.lower(), model.size):
                return ModelWithLocation(
                    hash=model.hash,
                    filename=model.filename,
                    size=found.size,
                    relative_path="/".join(blob.parts[-3:]),
                    category="",
                    path=str(blob),
                    blake3_hash=found.blake3,
                    sha256_hash=found.sha256,
                )
    return None


def hub_file(path: Path) -> HubFile | None:
    """Say which repository's file ``path`` is, if it is one of a cache or a link to one."""
    place, blob = path.absolute(), Path(os.path.realpath(path))
    if found := _in_snapshot(place, blob):
        return found
    if blob.parent.name != "blobs" or not SHA256.fullmatch(blob.name):
        return None
    for link in _links(blob.parent.parent / "snapshots"):
        if os.path.realpath(link) == str(blob):
            return _in_snapshot(link, blob)
    return None


def local_record(path: Path) -> HubFile | None:
    """Return what the client noted when it downloaded ``path`` into a folder; no repository."""
    place = path.absolute()
    for folder in place.parents:
        relative = place.relative_to(folder)
        record = folder / _RECORDS / relative.with_name(f"{relative.name}.metadata")
        with suppress(OSError, UnicodeDecodeError):
            if record.is_file():
                with record.open(encoding="utf-8") as file:
                    return _record(file.read(_LONGEST_RECORD), relative.as_posix())
    return None


def _record(text: str, path: str) -> HubFile | None:
    commit, etag, *_ = [*text.split("\n"), "", ""]
    if not COMMIT.fullmatch(commit):
        return None
    return HubFile(
        repository="", commit=commit, path=path, sha256=etag if SHA256.fullmatch(etag) else ""
    )


def _in_snapshot(place: Path, blob: Path) -> HubFile | None:
    """Read ``…/models--<owner>--<name>/snapshots/<commit>/<path>``."""
    parts = place.parts
    for position in range(len(parts) - 3, 0, -1):
        folder, snapshots, commit = parts[position - 1 : position + 2]
        repository = folder.removeprefix(_MODELS).replace("--", "/")
        if (
            folder.startswith(_MODELS)
            and snapshots == "snapshots"
            and COMMIT.fullmatch(commit)
            and REPOSITORY.fullmatch(repository)
        ):
            return HubFile(
                repository=repository,
                commit=commit,
                path="/".join(parts[position + 2 :]),
                sha256=blob.name if SHA256.fullmatch(blob.name) else "",
            )
    return None


def _links(snapshots: Path) -> Iterator[Path]:
    """Yield the links below, a bounded number: a repository can hold very many files."""
    entries = (
        Path(folder, name) for folder, _, names in os.walk(snapshots) for name in sorted(names)
    )
    yield from (entry for entry in islice(entries, _MOST_LINKS) if entry.is_symlink())


def _blobs(sha256: str, size: int, environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files that caches call by this digest: their names are the client's word alone."""
    if not SHA256.fullmatch(sha256):
        return
    for cache in hub_cache_folders(environment):
        for name in _names_in(cache):
            blob = cache / name / "blobs" / sha256
            if name.startswith(_MODELS) and _is_file_of(blob, size):
                yield blob


def _is_file_of(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
