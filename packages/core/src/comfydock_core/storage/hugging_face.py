"""Hugging Face: files by commit, with the digest the host states; a repository's files by digest.

The interface is that of ``https://huggingface.co``; there is no search by digest over all of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from comfydock_core.domain.lenient_json import as_list, as_object, as_text
from comfydock_core.domain.model_sources import ExaminedSource
from comfydock_core.domain.names import COMMIT
from comfydock_core.domain.path_rules import broken_rule
from comfydock_core.errors import NetworkError
from comfydock_core.storage.file_head import name_in, refuse_web_page
from comfydock_core.storage.http import JSON_LIMIT, HttpClient, json_of
from comfydock_core.storage.http_addresses import parsed
from comfydock_core.storage.http_answers import HttpAnswer, whole_number
from comfydock_core.storage.http_routes import HUGGING_FACE

_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_NAME = r"[A-Za-z0-9][\w.-]{0,127}"
_REPOSITORY = re.compile(rf"(?P<kind>(?:datasets|spaces)/)?(?P<name>{_NAME}(?:/{_NAME})?)")
# `raw` gives the pointer where a file is large; people mean the file.
_FILE = re.compile(
    rf"/(?P<repository>(?:(?:datasets|spaces)/)?{_NAME}(?:/{_NAME})?)/(?:resolve|blob|raw)/"
    r"(?P<revision>refs(?:/|%2F)(?:pr|convert)(?:/|%2F)[^/%]+|[^/]+)/(?P<path>.+)"
)
_NEXT_PAGE = re.compile(r'<([^<>]{1,2000})>\s*;\s*rel="?next"?')
_JSON = {"Accept": "application/json"}
_PAGES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class HuggingFaceFile:
    """A file of a repository; ``revision`` and ``path`` are percent-encoded."""

    repository: str
    revision: str
    path: str

    def at(self, revision: str) -> str:
        """Return the address of its content at ``revision``."""
        return f"{HUGGING_FACE}{self.repository}/resolve/{revision}/{self.path}"


def hugging_face_file(url: str) -> HuggingFaceFile | None:
    """Read the address of a file there, in any form that people copy; None for any other."""
    parts = parsed(url)
    if parts.host not in _HOSTS:
        return None
    match = _FILE.fullmatch(parts.path or "")
    return HuggingFaceFile(**match.groupdict()) if match else None


class HuggingFace:
    """Asks Hugging Face, or what ``HF_ENDPOINT`` names in its place."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def pin(self, url: str) -> ExaminedSource | None:
        """Ask for a file's commit, digest and size (one request); None if it is of another host."""
        file = hugging_face_file(url)
        if file is None:
            return None
        answer = self._client.head(file.at(file.revision))
        refuse_web_page(answer)
        commit = answer.headers.get("x-repo-commit", "")
        pinned = bool(COMMIT.fullmatch(commit))
        return ExaminedSource(
            url=file.at(commit if pinned else file.revision),
            original=file.at(file.revision),
            kind="huggingface",
            size=_size(answer),
            sha256=answer.linked_sha256,
            filename=name_in(f"{HUGGING_FACE}{file.path}"),
            problem="" if pinned else "can change: its host does not say which commit it is of",
        )

    def find(
        self, digests: Collection[str], repository: str
    ) -> Iterator[tuple[str, ExaminedSource]]:
        """Yield (digest, source) for the files of a repository that have one of the sha256.

        ``repository`` is ``owner/name``, or ``datasets/owner/name``. What was found before a
        NetworkError is right all the same.
        """
        missing = set(digests)
        if not missing:
            return
        for page in self._pages(repository):
            for sha256, path in _large_files(page):
                if sha256 not in missing:
                    continue
                file = HuggingFaceFile(repository=repository, revision="main", path=quote(path))
                source = self.pin(file.at(file.revision))
                if source and source.sha256 == sha256:
                    missing.discard(sha256)
                    yield sha256, source
            if not missing:
                return

    def _pages(self, repository: str) -> Iterator[object]:
        match = _REPOSITORY.fullmatch(repository)
        if match is None:
            raise NetworkError(
                f"`{repository[:200]}` is no name of a Hugging Face repository",
                hint="they look like owner/name",
                subject=repository[:200],
            )
        address = f"{HUGGING_FACE}api/{match['kind'] or 'models/'}{match['name']}/tree/main"
        query = "recursive=true"
        for _ in range(_PAGES):
            with self._client.stream(f"{address}?{query}", _JSON) as stream:
                page = json_of(stream, JSON_LIMIT)
            yield page
            query = _next_query(stream.answer)
            if not query:
                return
        raise NetworkError(
            f"`{HUGGING_FACE}{repository}` lists more files than are looked through",
            hint="give the address of the file itself",
            subject=repository,
        )


def _size(answer: HttpAnswer) -> int | None:
    size = whole_number(answer.headers.get("x-linked-size", ""))
    return answer.length if size is None and answer.status < 300 else size


def _large_files(page: object) -> Iterator[tuple[str, str]]:
    """Yield (sha256, path) of the files that are stored by their digest."""
    if not isinstance(page, list):
        raise NetworkError(
            "`huggingface.co` gave an answer that is no list of files",
            hint="check HF_ENDPOINT and hosts.mirrors in config.toml",
        )
    for entry in map(as_object, as_list(page)):
        path = as_text(entry.get("path"))
        digest = as_text(as_object(entry.get("lfs")).get("oid")).lower()
        if not broken_rule(path):
            yield digest, path


def _next_query(answer: HttpAnswer) -> str:
    """Return the query of the next page: where it is asked is not for the answer to say."""
    match = _NEXT_PAGE.search(answer.headers.get("link", ""))
    try:
        return urlsplit(match[1]).query if match else ""
    except ValueError:
        return ""
