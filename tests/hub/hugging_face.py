"""Hugging Face on loopback: files of repositories by commit, their trees, its refusals.

``/{repo}/resolve/{rev}/{path}``    302 to signed storage (200 for a small file), X-Repo-Commit,
                                    X-Linked-Etag and X-Linked-Size; ``/old/r`` moved to ``/o/r``
``/api/models/{repo}/tree/{rev}``   the files in pages of two, with a Link to the next one
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from tests.hub.serving import Exchange, Host, serving
from tests.hub.signed_storage import SignedStorage

COMMIT = "4f" * 20
BRANCHES = ("main", COMMIT, "refs/pr/3")
READER, STRANGER = "hf_reader", "hf_stranger"
SMALL = b'{"small": true}'
_PAGE = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A status and its X-Error-Code."""

    status: int
    code: str = ""


class HuggingFace(Host):
    """``files`` maps ``owner/name`` to contents by path; they lie in ``storage`` under the sha256.

    Repositories of ``gated`` want the token READER, those of ``private`` are not seen without it;
    STRANGER is valid and may read neither; any other token is wrong.
    """

    def __init__(self, files: Mapping[str, Mapping[str, bytes]], storage: SignedStorage) -> None:
        self._files = files
        self._storage = storage

    def answer(self, exchange: Exchange) -> None:
        """Serve one request."""
        path = exchange.path_asked.lstrip("/")
        if path.startswith("old/r/"):
            exchange.reply(307, headers={"Location": f"/o{exchange.path.removeprefix('/old')}"})
        elif path.startswith("api/models/"):
            repository, _, revision = path.removeprefix("api/models/").partition("/tree/")
            if not self._refused(exchange, repository, revision):
                self._tree(exchange, repository)
        elif "/resolve/" in path:
            self._resolve(exchange, path)
        else:
            exchange.reply(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"})

    def _refused(self, exchange: Exchange, repository: str, revision: str) -> bool:
        refusal = self._refusal(_token(exchange), repository, revision)
        if refusal:
            exchange.reply(refusal.status, headers={"X-Error-Code": refusal.code})
        return refusal is not None

    def _refusal(self, token: str, repository: str, revision: str) -> Refusal | None:
        owner = repository.partition("/")[0]
        if token not in ("", READER, STRANGER):
            return Refusal(status=401)
        if owner == "gated" and token != READER:
            return Refusal(status=403 if token else 401, code="GatedRepo")
        if repository not in self._files or (owner == "private" and token != READER):
            return Refusal(status=404 if token else 401, code="RepoNotFound")
        if revision not in BRANCHES:
            return Refusal(status=404, code="RevisionNotFound")
        return None

    def _resolve(self, exchange: Exchange, path: str) -> None:
        repository, _, rest = path.partition("/resolve/")
        revision = next((name for name in BRANCHES if rest.startswith(f"{name}/")), "")
        if self._refused(exchange, repository, revision):
            return
        data = self._files[repository].get(rest.removeprefix(f"{revision}/"))
        if data is None:
            exchange.reply(404, headers={"X-Error-Code": "EntryNotFound"})
        elif data == SMALL:
            exchange.reply(200, data, {"X-Repo-Commit": COMMIT, "ETag": '"0a1b"'})
        else:
            digest = hashlib.sha256(data).hexdigest()
            stated = {
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(data)),
                "Location": self._storage.address(digest, quote(rest.rpartition("/")[2])),
                "Content-Type": "text/html",
            }
            exchange.reply(302, headers=stated)

    def _tree(self, exchange: Exchange, repository: str) -> None:
        start = int(exchange.query.get("cursor", "0"))
        entries = [_entry(path, data) for path, data in self._files[repository].items()]
        headers = {"Content-Type": "application/json"}
        if start + _PAGE < len(entries):
            path = exchange.path.partition("?")[0]
            following = f"https://elsewhere.invalid{path}?recursive=true&cursor={start + _PAGE}"
            headers["Link"] = f'<{following}>; rel="next"'
        if repository == "o/endless":
            headers["Link"] = f'<{exchange.path}>; rel="next"'
        exchange.reply(200, json.dumps(entries[start : start + _PAGE]).encode(), headers)


def _entry(path: str, data: bytes) -> object:
    entry = {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
    if data == SMALL:
        return entry
    digest = hashlib.sha256(data).hexdigest()
    return {**entry, "lfs": {"oid": digest, "size": len(data), "pointerSize": 134}}


def _token(exchange: Exchange) -> str:
    return exchange.headers.get("Authorization", "").removeprefix("Bearer ")


@contextmanager
def hugging_face(
    files: Mapping[str, Mapping[str, bytes]], storage: SignedStorage
) -> Iterator[HuggingFace]:
    """Serve repositories until the block ends."""
    host = HuggingFace(files, storage)
    with serving(host.answer) as served:
        host.served = served
        yield host
