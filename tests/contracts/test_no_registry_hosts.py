"""No file names a package registry's host: mirrors and offline machines could not work then."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.contracts.source_tree import ROOT

# In two parts, so that this file names none either.
_HOSTS = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("crates", "io"),
    ("anaconda", "org"),
    ("rubygems", "org"),
)
_ANY_HOST = re.compile(
    rb"\b(" + b"|".join(rf"{name}\.{end}".encode() for name, end in _HOSTS) + rb")\b", re.IGNORECASE
)


def named_hosts(content: bytes) -> list[str]:
    """Return the hosts of package registries that ``content`` names."""
    return [match.decode() for match in _ANY_HOST.findall(content)]


def test_no_file_names_a_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    places = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    files = [place for place in places if place.is_file()]
    assert len(files) > 50
    found = {str(place): named_hosts(place.read_bytes()) for place in files}
    assert {place: hosts for place, hosts in found.items() if hosts} == {}


@pytest.mark.parametrize(("name", "end"), _HOSTS)
def test_a_host_is_seen(name: str, end: str) -> None:
    host = f"{name}.{end}"
    assert named_hosts(f"get https://files.{host.upper()}/simple".encode()) == [host.upper()]
    assert named_hosts(f"{name}-{end}.example and my{host}x".encode()) == []
