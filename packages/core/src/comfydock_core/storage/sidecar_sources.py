"""Where a model came from, as the files that other tools left beside it tell.

* ``x.civitai.info`` (Civitai Helper): Civitai's model version, with ``files`` and their hashes;
* ``x.metadata.json`` (LoRA Manager): the same below ``civitai``, or ``hf_url``, a repository;
* ``x.cm-info.json`` (Stability Matrix): ``VersionId``, ``RemoteFileId``, ``Hashes``;
* ``.comfy-downloads/*.json`` above it (comfy-cli): ``url`` and ``dest`` of a download;
* the Hugging Face client's cache and its records of downloads (see ``hugging_face_cache``).

All of them can be about an older file of that name, or be somebody's invention: what they say is
checked for its form, and is a hypothesis unless a sha256 ties it to the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.lenient_json import as_list, as_object, as_text, plain_decoder
from comfydock_core.domain.names import SHA256, url_problem
from comfydock_core.domain.untrusted import redact_secrets
from comfydock_core.storage.hugging_face_cache import REPOSITORY, HubFile, hub_file, local_record

MOST_BYTES = 4 * 1024 * 1024
_MOST_SOURCES = 20
_MOST_RECORDS = 1000
_HUB = "https://huggingface.co/"
_NUMBER = re.compile(r"[0-9]{1,18}")
_RECORDS = ".comfy-downloads"

_Object = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class HarvestedSource:
    """An address that a tool noted for a file, and ``found_in``, the file that says so.

    ``sha256`` is what is said to be there (lower-case hex, or empty). ``is_claimed`` tells that
    nothing ties it to the file: no digest is said, or the file's own is not known.
    """

    url: str
    found_in: str
    sha256: str = ""
    is_claimed: bool = True


def sources_beside(path: Path, sha256: str = "") -> tuple[HarvestedSource, ...]:
    """Return where ``path`` can be had by what lies beside it, the proven before the claimed.

    ``sha256`` is the file's own digest as far as it is known; what is said to have another one is
    left out, and so is all but plain https. Never an error: what cannot be read says nothing.
    """
    own = sha256.lower()
    found: dict[str, HarvestedSource] = {}
    for place in dict.fromkeys((path, Path(os.path.realpath(path)))):
        for url, said, witness in _told(place):
            if said in ("", own) or not own:
                source = HarvestedSource(
                    url=url,
                    found_in=str(witness),
                    sha256=said,
                    is_claimed=not said or said != own,
                )
                known = found.get(url)
                if _is_fit(url) and (known is None or known.is_claimed):
                    found[url] = source
    ordered = sorted(found.values(), key=lambda source: source.is_claimed)
    return tuple(ordered[:_MOST_SOURCES])


_Told = Iterator[tuple[str, str, Path]]
"""Address, sha256 or empty, and the file that says so."""


def _told(path: Path) -> _Told:
    record = local_record(path)
    readers = (
        (".civitai.info", _version_files),
        (".metadata.json", lambda document: _lora_manager(document, path.name, record)),
        (".cm-info.json", _stability_matrix),
    )
    if file := hub_file(path):
        yield file.url, file.sha256, path
    for ending, read in readers:
        sidecar = path.with_name(f"{path.stem}{ending}")
        for url, said in read(_document(sidecar)):
            yield url, said, sidecar
    yield from _comfy_cli(path)


_Addresses = Iterator[tuple[str, str]]


def _version_files(version: _Object) -> _Addresses:
    """Read Civitai's model version; one of several files without a digest could be any of them."""
    files = [as_object(file) for file in as_list(version.get("files"))]
    for file in files:
        said = _sha256(as_object(file.get("hashes")).get("SHA256"))
        if said or len(files) == 1:
            yield as_text(file.get("downloadUrl")), said
    if not files:
        yield as_text(version.get("downloadUrl")), ""


def _lora_manager(document: _Object, name: str, record: HubFile | None) -> _Addresses:
    yield from _version_files(as_object(document.get("civitai")))
    page = as_text(document.get("hf_url"))
    repository = page.removeprefix(_HUB).rstrip("/")
    if repository == page or not REPOSITORY.fullmatch(repository):
        return
    file = HubFile(repository=repository, commit="main", path=name)
    if record:
        file = HubFile(
            repository=repository, commit=record.commit, path=record.path, sha256=record.sha256
        )
    yield file.url, file.sha256


def _stability_matrix(document: _Object) -> _Addresses:
    """Read a ConnectedModelInfo; its source is Civitai (0) where it names none."""
    version, file = as_text(document.get("VersionId")), as_text(document.get("RemoteFileId"))
    source = as_text(document.get("Source")).lower()
    if _NUMBER.fullmatch(version) and source in ("", "0", "civitai"):
        chosen = f"?fileId={file}" if _NUMBER.fullmatch(file) else ""
        said = _sha256(as_object(document.get("Hashes")).get("SHA256"))
        yield f"https://civitai.com/api/download/models/{version}{chosen}", said


def _comfy_cli(path: Path) -> _Told:
    """Read the records of finished downloads, in the nearest folder above that has such."""
    above = (folder / _RECORDS for folder in path.absolute().parents)
    folder = next((place for place in above if place.is_dir()), None)
    if folder is None:
        return
    records: list[Path] = []
    with suppress(OSError):
        records = sorted(folder.glob("*.json"))[:_MOST_RECORDS]
    for file in records:
        record = _document(file)
        if record.get("status") == "completed" and _is_same(as_text(record.get("dest")), path):
            yield as_text(record.get("url")), "", file


def _is_same(target: str, path: Path) -> bool:
    with suppress(OSError, ValueError):
        return bool(target) and path.samefile(target)
    return False


def _document(file: Path) -> _Object:
    with suppress(OSError, ValueError, RecursionError):
        if file.is_file():
            with file.open("rb") as opened:
                data = opened.read(MOST_BYTES + 1)
            return as_object(plain_decoder(data)) if len(data) <= MOST_BYTES else {}
    return {}


def _sha256(value: object) -> str:
    text = as_text(value).lower()
    return text if SHA256.fullmatch(text) else ""


def _is_fit(url: str) -> bool:
    """Whether an address may be kept: plain https, and nothing secret in it."""
    return url.startswith("https://") and not url_problem(url) and redact_secrets(url) == url
