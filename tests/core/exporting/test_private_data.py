from __future__ import annotations

import getpass
import hashlib
import json
from pathlib import Path

import pytest
from comfydock_core.domain.secret_findings import Owner
from comfydock_core.errors import StorageError
from comfydock_core.exporting.private_data import owner_of, search_private

from tests.core.exporting.secret_corpus import OWNER, mixed

TOKEN = "h" + "f_" + mixed(34)


@pytest.mark.parametrize(
    ("environment", "owner"),
    [
        ({"HOME": "/home/ann", "USER": "ann"}, Owner(home="/home/ann", user_name="ann")),
        (
            {"USERPROFILE": r"C:\Users\ann", "USERNAME": "ann"},
            Owner(home=r"C:\Users\ann", user_name="ann"),
        ),
        ({"HOME": "/root"}, Owner(home="/root", user_name=getpass.getuser())),
        ({"USER": "ann"}, Owner(home=str(Path.home()), user_name="ann")),
    ],
)
def test_who_exports(environment: dict[str, str], owner: Owner) -> None:
    assert owner_of(environment) == owner


def flow(widget: str) -> bytes:
    node = {"id": 3, "type": "Note", "inputs": [], "widgets_values": [widget]}
    return json.dumps({"nodes": [node], "links": []}).encode()


@pytest.mark.parametrize(
    ("member", "content", "places"),
    [
        ("workflows/a/b.json", flow(TOKEN), ['workflow a/b.json, node 3 "Note", widget 0']),
        ("workflows/cut.json", flow(TOKEN)[:-1], ["workflows/cut.json"]),
        ("dev_nodes/n/flow.json", flow(TOKEN), ["dev_nodes/n/flow.json"]),
        ("dev_nodes/n/a.py", f"x = '{TOKEN}'".encode(), ["dev_nodes/n/a.py"]),
        ("inputs/a.txt", TOKEN.encode("utf-16"), ["inputs/a.txt"]),
        ("pyproject.toml", f'sources = ["https://h.org/?x={TOKEN}"]'.encode(), ["pyproject.toml"]),
        ("dev_nodes/n/a.py", b"x = 1\n", []),
    ],
)
def test_every_member_is_searched_by_what_it_is(
    tmp_path: Path, member: str, content: bytes, places: list[str]
) -> None:
    file = tmp_path / "whatever"
    file.write_bytes(content)
    searched = search_private({member: file}, OWNER)
    assert [found.place for found in searched.findings] == places
    assert searched.digests == {member: hashlib.sha256(content).hexdigest()}
    assert TOKEN not in repr(searched)


def test_a_member_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="gone"):
        search_private({"dev_nodes/n/x": tmp_path / "gone"}, OWNER)
