"""The demo's internet: one quiet HTTP server on loopback for a folder of files.

Everything that the public hosts would answer lies there as a file, below the host's name, git
repositories too: git reads them as plain files, so that no git server has to be installed.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

INDEX = "index"


class _Shelf(BaseHTTPRequestHandler):
    """Answers every request with the file of that path, a folder with the ``INDEX`` in it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, root: Path, *arguments: object) -> None:
        self._root = root
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        found = self._found()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(found.stat().st_size if found else 0))
        if found:
            kind = "application/json" if found.name == INDEX else "application/octet-stream"
            self.send_header("Content-Type", kind)
        self.end_headers()
        if found and self.command != "HEAD":
            with found.open("rb") as file:
                shutil.copyfileobj(file, self.wfile)

    do_HEAD = do_GET  # noqa: N815 (the name it has)

    def do_POST(self) -> None:
        """Questions that are asked by POST have one answer here too."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def _found(self) -> Path | None:
        path = (self._root / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
        path = path / INDEX if path.is_dir() else path
        return path if path.is_file() and path.is_relative_to(self._root) else None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name it has)
        """Requests are not shown."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news here."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve ``folder`` until the block ends; yields the address, without a slash at its end."""
    server = _Server(("127.0.0.1", 0), partial(_Shelf, folder.resolve()))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
