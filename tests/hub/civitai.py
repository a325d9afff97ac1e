"""Civitai on loopback: versions by id and by sha256, downloads that sign in or redirect.

``/api/v1/model-versions/{id}``, ``/api/v1/model-versions/by-hash/{sha256}``, and POST
``/api/v1/model-versions/by-hash`` with at most 100 digests (404 with ``batches=False``);
``/api/download/models/{id}?fileId=``: 302 to signed storage for KEY. Without a key 401 for who
says ``Content-Type: application/json``, else a redirect to ``/login``, which is a web page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.hub.serving import Exchange, Host, serving
from tests.hub.signed_storage import SignedStorage

KEY = "cv_key"
ARCHIVED, UNPUBLISHED, EARLY = "410", "404", "403"
_VERSIONS = "/api/v1/model-versions/"
_DOWNLOADS = "/api/download/models/"


@dataclass(frozen=True, kw_only=True, slots=True)
class CivitaiFile:
    """A file of a version; ``stored`` is its name in the signed storage."""

    file_id: int
    name: str
    sha256: str
    size_kb: object
    stored: str = ""
    primary: bool = False
    kind: str = "Model"
    form: str = "SafeTensor"

    @property
    def described(self) -> dict[str, Any]:
        """As the interface shows it; the digest is in capitals there."""
        return {
            "id": self.file_id,
            "name": self.name,
            "sizeKB": self.size_kb,
            "type": self.kind,
            "metadata": {"format": self.form, "size": None, "fp": None},
            "hashes": {"AutoV2": self.sha256[:10].upper(), "SHA256": self.sha256.upper()},
            "downloadUrl": "https://elsewhere.invalid/file",
            **({"primary": True} if self.primary else {}),
        }


class Civitai(Host):
    """``versions`` maps ids to files, ``answers`` ids to what is said of a version instead."""

    def __init__(
        self,
        versions: Mapping[str, Sequence[CivitaiFile]],
        storage: SignedStorage,
        *,
        answers: Mapping[str, object],
        batches: bool,
    ) -> None:
        self._versions = versions
        self._storage = storage
        self._answers = answers
        self._batches = batches

    def answer(self, exchange: Exchange) -> None:
        """Serve one request."""
        path = exchange.path_asked
        if path.startswith(_DOWNLOADS):
            self._download(exchange, path.removeprefix(_DOWNLOADS))
        elif exchange.command == "POST":
            self._batch(exchange)
        elif path.startswith(f"{_VERSIONS}by-hash/"):
            found = self._having(path.rpartition("/")[2])
            exchange.reply_json(200 if found else 404, found[0] if found else {"error": "none"})
        elif path.startswith(_VERSIONS):
            version = path.removeprefix(_VERSIONS)
            described = self._answers.get(version) or self._described(version)
            exchange.reply_json(200 if described else 404, described or {"error": "none"})
        else:
            exchange.reply(200, b"<html>sign in", {"Content-Type": "text/html"})

    def _described(self, version: str) -> dict[str, Any]:
        files = self._versions.get(version)
        if files is None:
            return {}
        return {"id": int(version), "modelId": 7, "files": [file.described for file in files]}

    def _having(self, digest: str) -> list[dict[str, Any]]:
        return [
            self._described(version)
            for version, files in self._versions.items()
            if any(file.sha256 == digest.lower() for file in files)
        ]

    def _batch(self, exchange: Exchange) -> None:
        digests = json.loads(exchange.body())
        if not self._batches or len(digests) > 100:
            exchange.reply(404 if not self._batches else 400)
            return
        exchange.reply_json(200, [found for each in digests for found in self._having(each)])

    def _download(self, exchange: Exchange, version: str) -> None:
        key = exchange.headers.get("Authorization", "").removeprefix("Bearer ")
        wants_json = exchange.headers.get("Content-Type") == "application/json"
        if version in (ARCHIVED, UNPUBLISHED):
            exchange.reply(int(version))
        elif key != KEY and not wants_json:
            exchange.reply(302, headers={"Location": "/login"})
        elif key != KEY or version == EARLY:
            exchange.reply(401 if key != KEY else 403)
        else:
            wanted = exchange.query.get("fileId", "")
            file = next(f for f in self._versions[version] if wanted in ("", str(f.file_id)))
            address = self._storage.address(file.stored, file.name)
            exchange.reply(307, headers={"Location": address})


@contextmanager
def civitai(
    versions: Mapping[str, Sequence[CivitaiFile]],
    storage: SignedStorage,
    *,
    answers: Mapping[str, object] | None = None,
    batches: bool = True,
) -> Iterator[Civitai]:
    """Serve versions until the block ends."""
    site = Civitai(versions, storage, answers=answers or {}, batches=batches)
    with serving(site.answer) as served:
        site.served = served
        yield site
