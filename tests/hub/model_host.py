"""A model host: files with Range, ETag and redirects, and every fault a URL asks for.

``/models/x``            the file, as a good host serves it
``/_/FAULT,FAULT/x``     the same with faults, see ``Faults``; e.g. ``/_/cut=1000,redir/models/x``
``/hf/REPO/resolve/REV/PATH``  as Hugging Face: a redirect with X-Repo-Commit, X-Linked-Etag and
                         X-Linked-Size; ``gated/…`` repositories want ``Bearer hf_good``
``/civitai/…``           as Civitai: without ``Bearer cv_good`` a redirect to a login page
``/login``               that login page
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.hub.serving import Exchange, Host, serving

COMMIT = "1" * 40
HF_TOKEN = "hf_good"
CIVITAI_TOKEN = "cv_good"
_BLOCK = 64 * 1024
_LOGIN_PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """What a URL asks to go wrong: ``name`` or ``name=value``, comma-separated.

    ``cut=N`` closes after N body bytes, ``cut=Nx2`` the first two times; ``slow=N`` bytes a second;
    ``stall=S`` seconds after the headers; ``hold`` waits for ``ModelHost.release``; ``fail=503x2``
    a status twice (``fail=404`` for ever), ``after=S`` its Retry-After; ``auth=TOKEN`` a bearer
    token; ``redir`` to the plain path, ``xredir=URL`` to another origin (``|`` for ``/``),
    ``loop`` for ever; ``html`` a login page, ``lyinghtml`` one that says it is binary;
    ``nolength`` chunked; ``encoded`` a Content-Encoding; ``corrupt`` one bit;
    ``noetag``, ``weak``, ``etag=X``, ``change=N`` another file from the N-th request on;
    ``norange`` ignores Range, ``badrange`` answers another one, ``overrun`` ignores where it ends,
    ``short=N`` gives N bytes of a range, ``norest`` says 416 to all that does not begin at 0;
    ``lie=N`` Content-Length N too large; ``rtt=S`` seconds before each answer; ``lame=N`` bytes a
    second for every second connection.
    """

    values: Mapping[str, str]

    def has(self, name: str) -> bool:
        """Whether the fault is asked for."""
        return name in self.values

    def number(self, name: str) -> int:
        """Its number, 0 without the fault."""
        return int(self.values.get(name) or 0)

    def text(self, name: str, default: str = "") -> str:
        """Its text."""
        return self.values.get(name, default)


def faults_in(path: str) -> tuple[Faults, str]:
    """Split ``/_/FAULTS/rest`` into the faults and ``/rest``."""
    match = re.fullmatch(r"/_/([^/]*)(/.*)", path)
    if not match:
        return Faults(values={}), path
    pairs = (fault.partition("=") for fault in match[1].split(","))
    return Faults(values={name: value for name, _, value in pairs}), match[2]


class ModelHost(Host):
    """The files below ``root``; ``cdn`` is where Hugging Face-like URLs redirect to."""

    def __init__(self, root: Path, cdn: str = "") -> None:
        self._root = root.resolve()
        self._cdn = cdn
        self._counts: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._connections: dict[tuple[str, int], int] = {}
        self._answering = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._left: int | None = None
        self.release = threading.Event()

    def sent(self, path: str) -> int:
        """How many bytes of bodies were sent for a path, faults and all."""
        with self._lock:
            return self._sent[path]

    def break_off_after(self, count: int | None) -> None:
        """Go away after ``count`` more bytes of bodies, over all connections; None comes back."""
        with self._lock:
            self._left = count

    def answer(self, exchange: Exchange) -> None:
        """Serve one request."""
        with self._lock:
            self._answering += 1
            self.most_at_once = max(self.most_at_once, self._answering)
        try:
            self._answer(exchange, exchange.path_asked)
        finally:
            with self._lock:
                self._answering -= 1

    def _answer(self, exchange: Exchange, path: str) -> None:
        if path.startswith("/hf/"):
            self._as_hugging_face(exchange, path.removeprefix("/hf/"))
        elif path.startswith("/civitai/"):
            self._as_civitai(exchange, path.removeprefix("/civitai"))
        elif path == "/login":
            exchange.reply(200, _LOGIN_PAGE, {"Content-Type": "text/html; charset=utf-8"})
        else:
            faults, plain = faults_in(path)
            if not self._refused(exchange, faults, plain):
                self._send(exchange, faults, plain)

    def _as_hugging_face(self, exchange: Exchange, path: str) -> None:
        repository, _, rest = path.partition("/resolve/")
        file = self._file(rest.partition("/")[2])
        if repository.startswith("gated/") and not _bears(exchange, HF_TOKEN):
            exchange.reply(401, headers={"X-Error-Code": "GatedRepo"})
        elif file is None:
            exchange.reply(404, headers={"X-Error-Code": "EntryNotFound"})
        else:
            data = file.read_bytes()
            stated = {
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"',
                "X-Linked-Size": str(len(data)),
                "Location": f"{self._cdn or self.url}/{file.relative_to(self._root).as_posix()}",
            }
            exchange.reply(302, headers=stated)

    def _as_civitai(self, exchange: Exchange, plain: str) -> None:
        known = _bears(exchange, CIVITAI_TOKEN)
        exchange.reply(302, headers={"Location": plain if known else "/login"})

    def _refused(self, exchange: Exchange, faults: Faults, plain: str) -> bool:
        """Give the answers that are no file."""
        with self._lock:
            self._counts[exchange.path] += 1
            count = self._counts[exchange.path]
            number = self._connections.setdefault(exchange.client_address, len(self._connections))
        time.sleep(float(faults.text("rtt", "0")))
        is_lame = faults.has("lame") and number % 2
        exchange.pace = faults.number("lame" if is_lame else "slow")
        status, _, times = faults.text("fail").partition("x")
        elsewhere = {"redir": plain, "xredir": faults.text("xredir") + plain, "loop": exchange.path}
        location = next((to for name, to in elsewhere.items() if faults.has(name)), "")
        if status and count <= int(times or 10**9):
            pause = {"Retry-After": faults.text("after")} if faults.has("after") else {}
            exchange.reply(int(status), b"fault", pause)
        elif faults.has("auth") and not _bears(exchange, faults.text("auth")):
            exchange.reply(401, headers={"WWW-Authenticate": "Bearer"})
        elif location:
            exchange.reply(302, b"elsewhere", {"Location": location.replace("|", "/")})
        elif faults.has("html") or faults.has("lyinghtml"):
            kind = "text/html" if faults.has("html") else "application/octet-stream"
            exchange.reply(200, _LOGIN_PAGE, {"Content-Type": kind})
        else:
            return False
        return True

    def _send(self, exchange: Exchange, faults: Faults, plain: str) -> None:
        file = self._file(plain.lstrip("/"))
        if file is None:
            exchange.reply(404, b"not found")
            return
        data = file.read_bytes()
        if faults.has("change") and self._counts[exchange.path] >= faults.number("change"):
            data = data[::-1]
        etag = _etag(faults, data)
        span = _span(exchange, faults, etag, len(data))
        if span and (span[0] >= len(data) or (faults.has("norest") and span[0])):
            exchange.reply(416, headers={"Content-Range": f"bytes */{len(data)}"})
            return
        headers = _file_headers(faults, len(data), span, etag)
        exchange.start(200 if span is None else 206, headers)
        if exchange.command != "HEAD":
            if faults.has("hold"):
                exchange.wfile.flush()
                self.release.wait(30)
            first, end = span or (0, len(data))
            body = data[first:end]
            cut = self._cut(exchange, faults, len(body))
            sent = 0
            for count in _send_body(exchange, faults, body, cut):
                sent += count
                with self._lock:
                    self._sent[exchange.path_asked] += count
            with self._lock:
                if self._left is not None and cut is not None:
                    # A client that turns away leaves to others what it was granted.
                    self._left += cut - sent

    def _cut(self, exchange: Exchange, faults: Faults, size: int) -> int | None:
        """Return the number of bytes after which this answer of ``size`` bytes is to break off."""
        where, _, times = faults.text("cut").partition("x")
        with self._lock:
            if self._left is not None:
                granted = min(size, self._left)
                self._left -= granted
                return granted
            over = self._counts[exchange.path] > int(times or 10**9)
        return int(where) if where and not over else None

    def _file(self, relative: str) -> Path | None:
        file = (self._root / relative).resolve()
        return file if file.is_relative_to(self._root) and file.is_file() else None


def _bears(exchange: Exchange, token: str) -> bool:
    return exchange.headers.get("Authorization") == f"Bearer {token}"


def _etag(faults: Faults, data: bytes) -> str:
    if faults.has("noetag"):
        return ""
    tag = faults.text("etag") or hashlib.sha256(data).hexdigest()[:32]
    return f'W/"{tag}"' if faults.has("weak") else f'"{tag}"'


def _span(exchange: Exchange, faults: Faults, etag: str, size: int) -> tuple[int, int] | None:
    """Return what a Range request wants, None when the whole file is to be sent."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", exchange.headers.get("Range", ""))
    if not match or faults.has("norange") or exchange.headers.get("If-Range", etag) != etag:
        return None
    first = int(match[1])
    end = min(int(match[2]) + 1, size) if match[2] and not faults.has("overrun") else size
    return first, min(end, first + (faults.number("short") or size))


def _file_headers(
    faults: Faults, size: int, span: tuple[int, int] | None, etag: str
) -> dict[str, str]:
    headers = {"Content-Type": "application/octet-stream"}
    if etag:
        headers["ETag"] = etag
    if faults.has("encoded"):
        headers["Content-Encoding"] = "gzip"
    first, end = span or (0, size)
    if span:
        stated = first + 1 if faults.has("badrange") else first
        headers["Content-Range"] = f"bytes {stated}-{end - 1}/{size}"
    if faults.has("nolength"):
        return {**headers, "Transfer-Encoding": "chunked"}
    return {**headers, "Content-Length": str(end - first + faults.number("lie"))}


def _send_body(exchange: Exchange, faults: Faults, data: bytes, cut: int | None) -> Iterator[int]:
    """Send a body as the faults have it; yield how many bytes of it went out, as they do."""
    if faults.has("corrupt"):
        data = bytes([data[0] ^ 1]) + data[1:]
    if faults.has("stall"):
        exchange.wfile.flush()
        time.sleep(float(faults.text("stall")))
    pace = exchange.pace
    block = max(1, pace // 20) if pace else _BLOCK
    kept, sent = data[:cut], 0
    with suppress(ConnectionError):
        for start in range(0, len(kept), block):
            piece = kept[start : start + block]
            chunked = b"%x\r\n%s\r\n" % (len(piece), piece)
            exchange.wfile.write(chunked if faults.has("nolength") else piece)
            sent += len(piece)
            yield len(piece)
            if pace:
                exchange.wfile.flush()
                time.sleep(0.05)
    if sent < len(data):
        exchange.cut()
    elif faults.has("nolength"):
        exchange.wfile.write(b"0\r\n\r\n")
    exchange.close_connection = exchange.close_connection or faults.has("lie")


@contextmanager
def model_host(root: Path, cdn: str = "") -> Iterator[ModelHost]:
    """Serve the files below ``root`` until the block ends."""
    host = ModelHost(root, cdn)
    with serving(host.answer) as served:
        host.served = served
        try:
            yield host
        finally:
            host.release.set()
