"""Storage that hosts of models redirect to: signed addresses, for GET alone, without tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.hub.serving import Exchange, SeenRequest, Served, serving

_SIGNATURE = "signature=5ee7"


class SignedStorage:
    """``contents`` by name. HEAD and a missing signature are refused with 403, a request that
    carries an Authorization with 400, as S3 does. ``name=`` of the query is the file's name."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self.served: Served

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """Everything that was asked so far."""
        return self.served.requests

    def address(self, name: str, shown: str = "") -> str:
        """Return the signed address of a content."""
        return f"{self.served.url}/{name}?{_SIGNATURE}&name={shown or name}"

    def answer(self, exchange: Exchange) -> None:
        """Serve one request."""
        data = self._contents.get(exchange.path_asked.strip("/"))
        if exchange.headers.get("Authorization"):
            exchange.reply(400, b"Only one auth mechanism allowed")
        elif exchange.command != "GET" or _SIGNATURE not in exchange.path:
            exchange.reply(403, b"SignatureDoesNotMatch")
        elif data is None:
            exchange.reply(404)
        else:
            _send(exchange, data)


def _send(exchange: Exchange, data: bytes) -> None:
    name = exchange.query["name"]
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", exchange.headers.get("Range", ""))
    if not match:
        exchange.reply(200, data, headers)
        return
    first, last = int(match[1]), min(int(match[2] or len(data)), len(data) - 1)
    stated = {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}
    exchange.reply(206, data[first : last + 1], stated)


@contextmanager
def signed_storage(contents: Mapping[str, bytes]) -> Iterator[SignedStorage]:
    """Serve ``contents`` until the block ends."""
    storage = SignedStorage(contents)
    with serving(storage.answer) as served:
        storage.served = served
        yield storage
