"""Git over HTTP on loopback: bare repositories below a folder, served by ``git http-backend``."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.hub.serving import Exchange, Served, serving

_SETTINGS = {
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    "safe.directory": "*",
}


@contextmanager
def git_host(root: Path, user: str = "") -> Iterator[Served]:
    """Serve ``root/OWNER/NAME`` for reading at ``/OWNER/NAME``, with or without ``.git``.

    ``user`` is ``name:password`` where clients have to sign in.
    """

    def answer(exchange: Exchange) -> None:
        wanted = "Basic " + base64.b64encode(user.encode()).decode()
        if user and exchange.headers.get("Authorization") != wanted:
            exchange.reply(401, headers={"WWW-Authenticate": 'Basic realm="git"'})
            return
        _run_backend(root, exchange)

    with serving(answer) as served:
        yield served


def _run_backend(root: Path, exchange: Exchange) -> None:
    body = exchange.body()
    done = subprocess.run(
        ["git", "http-backend"],
        input=body,
        env=_environment(root, exchange, len(body)),
        capture_output=True,
        check=False,
    )
    head, _, data = done.stdout.partition(b"\r\n\r\n")
    fields = (line.partition(": ") for line in head.decode().split("\r\n"))
    headers = {name: value for name, separator, value in fields if separator}
    status = headers.pop("Status", "200" if headers else "500")
    exchange.reply(int(status.split()[0]), data, headers)


def _environment(root: Path, exchange: Exchange, length: int) -> dict[str, str]:
    """The CGI variables of RFC 3875 that http-backend reads, and the repository settings."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "PATH_INFO": _repository_path(root, exchange.path_asked),
        "QUERY_STRING": urlsplit(exchange.path).query,
        "REQUEST_METHOD": exchange.command,
        "CONTENT_TYPE": exchange.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(length),
        "REMOTE_ADDR": "127.0.0.1",
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
        "GIT_PROTOCOL": exchange.headers.get("Git-Protocol", ""),
        "HTTP_CONTENT_ENCODING": exchange.headers.get("Content-Encoding", ""),
    }
    for number, (key, value) in enumerate(_SETTINGS.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def _repository_path(root: Path, path: str) -> str:
    """Forges serve a repository under its name with and without ``.git``."""
    _, owner, name, *rest = [*path.split("/"), "", ""]
    bare = name.removesuffix(".git")
    found = next((n for n in (name, bare, f"{bare}.git") if (root / owner / n).is_dir()), name)
    return "/".join(("", owner, found, *rest)).rstrip("/")
