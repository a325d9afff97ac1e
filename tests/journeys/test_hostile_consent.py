"""Who agreed to a stranger's hosts, code and workflows gives away no password and gets no crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from comfydock_core.storage.uv import uv_cache_folder

from tests.hostile.bundles import PROJECT, Files, files_of, listed, packed
from tests.hostile.victim import SECRETS, write_secrets
from tests.hostile.workflows import GRAPHS
from tests.hub.serving import Exchange, Served, serving
from tests.journeys.machines import Machine, Ran
from tests.journeys.town import Town

_HOST = "https://evil.example"
_SECRET = SECRETS["HF_TOKEN"]
# What so many models are recorded in is more than the 4 MiB that are read of a pyproject.toml.
_KEPT = [graph for what, graph in GRAPHS.items() if what != "50,000 models"]
_WORKFLOW = "\n[tool.comfydock.workflows.{name}]\nnodes = []\n"
_MORE = f"""
[tool.comfydock.nodes.evil-git]
source = "git"
version = "{"ab" * 20}"
repository = "{_HOST}/acme/evil-git"

[tool.comfydock.nodes.evil-zip]
source = "registry"
version = "1.0.0"
registry_id = "evil-zip"
download_url = "{_HOST}/evil-zip.zip"

[tool.comfydock.workflows.evil]
nodes = []

[[tool.comfydock.workflows.evil.models]]
filename = "evil.safetensors"
category = "vae"
criticality = "required"
status = "resolved"
hash = "{"ab" * 16}"

[tool.comfydock.models.{"ab" * 16}]
size = 5
relative_path = "vae/evil.safetensors"
sources = ["{_HOST}/evil.safetensors", "{_HOST}/api/download/models/5"]
"""


def _with_all(files: Files) -> Files:
    text = _MORE
    for number, graph in enumerate(_KEPT):
        name = f"graph-{number}"
        files[f"workflows/{name}.json"] = graph.encode()
        text += _WORKFLOW.format(name=name)
    files["workflows/evil.json"] = b'{"nodes": [], "links": [], "version": 0.4}'
    files[PROJECT] += text.encode()
    return listed(files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """An import that somebody agreed to, and what the stranger's host saw of it."""

    ran: Ran
    receiver: Machine
    host: Served


@pytest.fixture(scope="module")
def agreed(bundle: Path, town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agreed]:
    """Import all of it on a machine with passwords everywhere; the host asks for one each time."""
    folder = tmp_path_factory.mktemp("agreed")
    write_secrets(folder)
    hostile = folder / "hostile.tar.gz"
    hostile.write_bytes(packed(_with_all(files_of(bundle.read_bytes()))))

    def ask(exchange: Exchange) -> None:
        exchange.reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    with serving(ask) as host:
        variables = dict(town.variables) | {
            **{key: value for key, value in SECRETS.items() if key.endswith(("TOKEN", "KEY"))},
            "HOME": str(folder / "home"),
            "COMFYDOCK_MIRRORS": f"{town.variables['COMFYDOCK_MIRRORS']} {_HOST}/={host.url}/",
            "COMFYDOCK_UV_CACHE": str(uv_cache_folder(os.environ, Path.home())),
        }
        receiver = Machine(home=folder / "workspace", variables=variables)
        words = ("--yes", "--trust-code", "--no-verify", "--json")
        yield Agreed(ran=receiver.run("import", str(hostile), *words), receiver=receiver, host=host)


def test_the_host_is_asked_and_told_no_secret(agreed: Agreed) -> None:
    assert len(agreed.host.requests) >= 2
    for request in agreed.host.requests:
        assert request.headers.keys() & {"authorization", "cookie"} == set()
        assert _SECRET not in f"{request.target}{request.headers}"


def test_what_it_keeps_back_is_told_and_the_rest_is_there(agreed: Agreed) -> None:
    ran = agreed.ran
    assert ran.exit_code == 3, ran.envelope["errors"]
    failed = {each["name"] for each in ran.envelope["data"]["nodes"]["failed"]}
    assert failed == {"evil-git", "evil-zip"}
    assert _SECRET not in f"{ran.out}{ran.err}"
    workflows = agreed.receiver.place("studio") / "ComfyUI/user/default/workflows"
    for number, graph in enumerate(_KEPT):
        assert (workflows / f"graph-{number}.json").read_bytes() == graph.encode()


@pytest.mark.parametrize("words", [("status",), ("workflow", "list"), ("-e", "studio", "status")])
def test_what_came_in_can_be_looked_at(words: tuple[str, ...], agreed: Agreed) -> None:
    one = agreed.receiver
    one.ok("use", "studio")
    ran = one.run(*words)
    assert ran.exit_code in (0, 3)
    assert "hit a bug" not in ran.err
    assert "\x1b" not in f"{ran.out}{ran.err}"
