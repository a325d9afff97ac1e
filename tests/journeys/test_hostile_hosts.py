"""Hosts that serve something else than the model: nothing is kept, nobody else is asked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from comfydock_core.storage.uv import uv_cache_folder

from tests.hostile.bundles import PROJECT, Files, files_of, listed, packed, swap
from tests.hub.model_host import ModelHost, model_host
from tests.hub.serving import Exchange, SeenRequest, Served, serving
from tests.journeys.machines import Machine, Ran
from tests.journeys.town import Town, tensor_file

_FILE = "vae/honest.safetensors"
_CONTENT = tensor_file("honest")
_TOKEN = "hf_" + "s" * 30
# A fault of tests/hub/model_host.py; {sink} is the port of a server that nobody may ask.
FAULTS = {
    "page": "html",
    "lying-page": "lyinghtml",
    "other-bytes": "corrupt",
    "cut": "cut=100",
    "loopback": "xredir=http:||127.0.0.1:{sink}",
    "localhost": "xredir=http:||localhost:{sink}",
    "loopback6": "xredir=http:||[::1]:{sink}",
    "decimal": "xredir=http:||2130706433:{sink}",
    "metadata": "xredir=http:||169.254.169.254",
    "private": "xredir=https:||10.0.0.1",
    "a-file": "xredir=file:||",
    "a-password": "xredir=https:||u:p@127.0.0.1:{sink}",
    "round": "loop",
    "encoded": "encoded",
    "gone": "fail=404",
}
_MODEL = """
[[tool.comfydock.workflows.more.models]]
filename = "{name}.safetensors"
category = "vae"
criticality = "required"
status = "resolved"
hash = "{key}"

[tool.comfydock.models.{key}]
size = {size}
relative_path = "vae/{name}.safetensors"
sha256_hash = "{sha256}"
sources = ["{url}"]
"""


class EndlessHost:
    """Sends for as long as anybody takes it; ``sent`` are the bytes that were taken."""

    def __init__(self) -> None:
        self.sent = 0

    def answer(self, exchange: Exchange) -> None:
        """Serve one request."""
        exchange.start(200, {"Content-Type": "application/octet-stream"})
        exchange.close_connection = True
        with suppress(OSError):
            while exchange.command == "GET":
                self.sent += exchange.wfile.write(bytes(1 << 16))


def _with_models(files: Files, sink: int) -> None:
    text = "\n[tool.comfydock.workflows.more]\nnodes = []\n"
    urls = {
        name: f"https://models.example/_/{quote(fault.format(sink=sink))}/{_FILE}"
        for name, fault in FAULTS.items()
    }
    urls["endless"] = "https://endless.example/x.safetensors"
    for name, url in urls.items():
        text += _MODEL.format(
            name=name,
            key=hashlib.sha256(name.encode()).hexdigest()[:32],
            size=len(_CONTENT),
            sha256=hashlib.sha256(_CONTENT).hexdigest(),
            url=url,
        )
    files[PROJECT] += text.encode()
    files["workflows/more.json"] = b'{"nodes": [], "links": [], "version": 0.4}'


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One import, and what everybody saw of it."""

    ran: Ran
    receiver: Machine
    host: ModelHost
    endless: EndlessHost
    sink: Served
    asked: tuple[SeenRequest, ...]


@pytest.fixture(scope="module")
def seen(bundle: Path, town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Import a bundle with all of these models on a machine with a .netrc and tokens."""
    folder = tmp_path_factory.mktemp("hosts")
    file = folder / "served" / _FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(_CONTENT)
    netrc = "machine 127.0.0.1 login me password secret\ndefault login me password secret\n"
    (folder / ".netrc").write_text(netrc, encoding="ascii")
    (folder / ".netrc").chmod(0o600)
    endless = EndlessHost()
    with (
        serving(lambda exchange: exchange.reply(200, _CONTENT)) as sink,
        serving(endless.answer) as without_end,
        model_host(folder / "served") as host,
    ):
        files = files_of(bundle.read_bytes())
        _with_models(files, sink.port)
        (folder / "hostile.tar.gz").write_bytes(packed(listed(files)))
        mirrors = {"https://models.example/": host.url, "https://endless.example/": without_end.url}
        more = " ".join(f"{public}={url}/" for public, url in mirrors.items())
        variables = dict(town.variables) | {
            "COMFYDOCK_MIRRORS": f"{town.variables['COMFYDOCK_MIRRORS']} {more}",
            "COMFYDOCK_ALLOWED_HOSTS": "",
            "NETRC": str(folder / ".netrc"),
            **dict.fromkeys(("HF_TOKEN", "GITHUB_TOKEN", "CIVITAI_API_KEY"), _TOKEN),
        }
        receiver = Machine(home=folder / "home", variables=variables)
        words = ("--yes", "--trust-code", "--skip-nodes", "--json")
        before = len(town.models.requests)
        ran = receiver.run("import", str(folder / "hostile.tar.gz"), *words)
        asked = (*host.requests, *without_end.requests, *town.models.requests[before:])
        yield Seen(ran=ran, receiver=receiver, host=host, endless=endless, sink=sink, asked=asked)


@pytest.mark.parametrize("name", [*FAULTS, "endless"])
def test_it_is_not_taken(name: str, seen: Seen) -> None:
    failed = {m["name"]: m["reason"] for m in seen.ran.envelope["data"]["models"]["failed"]}
    reason = failed[f"{name}.safetensors"]
    assert reason.isprintable()
    assert "Traceback" not in reason
    assert not (seen.receiver.home / f"models/vae/{name}.safetensors").exists()


def test_nobody_else_is_asked_and_no_secret_is_told(seen: Seen) -> None:
    assert seen.ran.exit_code == 3
    assert seen.sink.requests == ()
    assert len(seen.asked) >= len(FAULTS)
    told = [request.headers.keys() & {"authorization", "cookie"} for request in seen.asked]
    assert not any(told)
    assert _TOKEN not in f"{seen.ran.out}{seen.ran.err}{[r.target for r in seen.asked]}"


def test_what_has_no_end_is_left_soon(seen: Seen) -> None:
    assert 0 < seen.endless.sent < 64 << 20


def test_a_repository_that_asks_for_a_password_gets_none(
    bundle: Path, town: Town, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login me password secret\n", encoding="ascii")
    wanted = {"WWW-Authenticate": 'Basic realm="x"'}
    with serving(lambda exchange: exchange.reply(401, headers=wanted)) as host:
        files = files_of(bundle.read_bytes())
        swap(PROJECT, "https://github.com/acme/acme-git", "https://git.example/x")(files)
        (tmp_path / "hostile.tar.gz").write_bytes(packed(listed(files)))
        mirrors = f"{town.variables['COMFYDOCK_MIRRORS']} https://git.example/={host.url}/"
        cache = uv_cache_folder(os.environ, tmp_path)
        receiver = Machine(
            home=tmp_path / "home",
            variables=dict(town.variables)
            | {"COMFYDOCK_MIRRORS": mirrors, "COMFYDOCK_UV_CACHE": str(cache)},
        )
        words = ("--yes", "--trust-code", "--skip-models", "--json")
        ran = receiver.run("import", str(tmp_path / "hostile.tar.gz"), *words, HOME=str(tmp_path))
    (failed,) = ran.envelope["data"]["nodes"]["failed"]
    assert failed["name"] == "acme-git"
    assert host.requests
    assert [seen for seen in host.requests if "authorization" in seen.headers] == []
