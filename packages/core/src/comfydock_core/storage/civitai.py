"""Civitai: files by version and file id, and the files that have a sha256.

civitai.com and civitai.red have one interface (``/api/v1``) and not all the same models. What a
file is called and which digests it has is the site's word; odd entries are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from urllib3.util import Url

from comfydock_core.domain.lenient_json import as_list, as_object, as_text
from comfydock_core.domain.model_sources import ExaminedSource, safe_filename
from comfydock_core.domain.names import SHA256
from comfydock_core.errors import NetworkError
from comfydock_core.storage.http import HttpClient, HttpStatusError, redact
from comfydock_core.storage.http_addresses import parsed
from comfydock_core.storage.http_answers import NoFileError

CIVITAI_HOSTS = ("civitai.com", "civitai.red")
_BATCH = 100
_PAGE = re.compile(r"/models/\d+(?:/.*)?")
_DOWNLOAD = re.compile(r"/api/download/models/(\d{1,15})/?")
_VERSION = re.compile(r"\d{1,15}")
_CHOICES = ("type", "format", "size", "fp")
# How a site says that it does not take many digests at once.
_NO_BATCH = frozenset({400, 404, 405, 413, 501})

_Entry = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class CivitaiFile:
    """A file that an address means. ``choices`` are what it says of the file besides: its
    ``fileId``, or some of type, format, size and fp."""

    host: str
    version: str
    choices: Mapping[str, str]

    @property
    def url(self) -> str:
        """The address of the download, without anything else that was in the given one."""
        address = f"https://{self.host}/api/download/models/{self.version}"
        return f"{address}?{urlencode(self.choices)}" if self.choices else address


def civitai_file(url: str) -> CivitaiFile | None:
    """Read the address of a download or of a model's page; None for any other.

    A page that names no version shows another one each time: a NetworkError.
    """
    parts = parsed(url)
    host = (parts.host or "").removeprefix("www.")
    if host not in CIVITAI_HOSTS:
        return None
    path, query = parts.path or "", dict(parse_qsl(parts.query or ""))
    if match := _DOWNLOAD.fullmatch(path):
        names = ("fileId", *_CHOICES)
        choices = {name: query[name] for name in names if name in query}
        return CivitaiFile(host=host, version=match[1], choices=choices)
    if not _PAGE.fullmatch(path):
        return None
    version = query.get("modelVersionId", "")
    if not _VERSION.fullmatch(version):
        raise _no_version(parts)
    return CivitaiFile(host=host, version=version, choices={})


class Civitai:
    """Asks both sites."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def pin(self, url: str) -> ExaminedSource | None:
        """Ask which file an address means (one request); None if it is none of Civitai's files."""
        meant = civitai_file(url)
        if meant is None:
            return None
        answer = self._client.get_json(_api(meant.host, meant.version))
        version = as_object(answer)
        files = tuple(map(as_object, as_list(version.get("files"))))
        if as_text(version.get("id")) != meant.version or not files:
            raise _no_answer(meant.host)
        return _source(meant.host, version, _chosen(files, meant), meant.url)

    def find(self, digests: Collection[str], host: str) -> Iterator[tuple[str, ExaminedSource]]:
        """Yield (digest, source) for the files of a site that have one of the sha256.

        One request for a hundred digests. What was found before a NetworkError is right all the
        same. A file can be in several versions, and then has several sources.
        """
        wanted = sorted(digests)
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            for version in self._versions(host, batch):
                for file in map(as_object, as_list(version.get("files"))):
                    digest = _sha256(file)
                    if digest in batch and _id(file) and _id(version):
                        yield digest, _source(host, version, file, "")

    def _versions(self, host: str, batch: Sequence[str]) -> Iterator[_Entry]:
        try:
            answer = self._client.post_json(_api(host, "by-hash"), batch)
        except HttpStatusError as error:
            if error.answer.status not in _NO_BATCH:
                raise
            yield from self._one_by_one(host, batch)
            return
        if not isinstance(answer, list):
            raise _no_answer(host)
        yield from map(as_object, answer)

    def _one_by_one(self, host: str, batch: Sequence[str]) -> Iterator[_Entry]:
        for digest in batch:
            try:
                answer = self._client.get_json(_api(host, f"by-hash/{digest}"))
            except HttpStatusError as error:
                if error.answer.status != 404:
                    raise
                continue
            if not isinstance(answer, dict):
                raise _no_answer(host)
            yield answer


def _api(host: str, rest: str) -> str:
    return f"https://{host}/api/v1/model-versions/{rest}"


def _source(host: str, version: _Entry, file: _Entry, original: str) -> ExaminedSource:
    url = f"https://{host}/api/download/models/{_id(version)}?fileId={_id(file)}"
    return ExaminedSource(
        url=url,
        original=original or url,
        kind="civitai",
        size=_size(file),
        sha256=_sha256(file),
        filename=safe_filename(file.get("name")),
        problem=_problem(version, file),
    )


def _chosen(files: Sequence[_Entry], meant: CivitaiFile) -> _Entry:
    """Return the file that fits what the address says; of several, the version's primary one."""
    fitting = [file for file in files if _id(file) and _fits(file, meant.choices)]
    if len(fitting) > 1:
        fitting = [file for file in fitting if file.get("primary") is True]
    if len(fitting) == 1:
        return fitting[0]
    offered = ", ".join(f"fileId={_id(f)} {safe_filename(f.get('name'))}" for f in files[:10])
    raise NetworkError(
        f"`{meant.host}` does not know which file of version {meant.version} is meant",
        cause=f"it has {offered}",
        hint=f"use https://{meant.host}/api/download/models/{meant.version}?fileId=…",
        subject=meant.url,
    )


def _fits(file: _Entry, choices: Mapping[str, str]) -> bool:
    told = {**as_object(file.get("metadata")), "type": file.get("type"), "fileId": file.get("id")}
    return all(as_text(told.get(name)).lower() == value.lower() for name, value in choices.items())


def _problem(version: _Entry, file: _Entry) -> str:
    if version.get("availability") == "EarlyAccess":
        return "is in early access: others may have to pay for it, or to wait"
    if version.get("usageControl", "Download") not in ("Download", None):
        return "may only be used on the site: it cannot be downloaded"
    return "" if _sha256(file) else "has no sha256 there, so that a download cannot be checked"


def _sha256(file: _Entry) -> str:
    digest = as_text(as_object(file.get("hashes")).get("SHA256")).lower()
    return digest if SHA256.fullmatch(digest) else ""


def _id(entry: _Entry) -> int:
    value = entry.get("id")
    return value if type(value) is int and 0 < value < 10**15 else 0


def _size(file: _Entry) -> int | None:
    """Return the size in bytes where sizeKB holds all of it: some sizes there are rounded.

    A 1024th is exact in a float, so a whole number of bytes is no accident.
    """
    kilobytes = file.get("sizeKB")
    if not isinstance(kilobytes, float) or not 0 < kilobytes < 2**40 or kilobytes.is_integer():
        return None
    size = kilobytes * 1024
    return int(size) if size.is_integer() else None


def _no_version(parts: Url) -> NetworkError:
    page = redact(str(parts))
    return NoFileError(
        f"`{page}` is the page of a model in all its versions",
        hint="choose a version there and copy the address again: it then has modelVersionId=…",
        subject=page,
    )


def _no_answer(host: str) -> NetworkError:
    return NetworkError(
        f"`{host}` gave an answer that is not Civitai's",
        hint="check hosts.mirrors in config.toml, then try again later",
        subject=host,
    )
