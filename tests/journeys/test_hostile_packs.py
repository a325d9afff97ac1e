"""Node packs that a registry should not have: each fails by name, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.storage.archive_bytes import ZipEntry, zip_bytes
from tests.hostile.bundles import PROJECT, Files, files_of, listed, packed
from tests.hub.registry import Pack, PackVersion, node_registry, zip_of
from tests.journeys.machines import Machine, Ran
from tests.journeys.town import Town, pack_files

_DEEP = "[" * 100_000
_GOOD = ZipEntry(name=b"__init__.py", data=b"NODE_CLASS_MAPPINGS = {}\n")
_ZEROS = bytes(80 << 20)


def _entry(name: str, **fields: object) -> bytes:
    return zip_bytes(_GOOD, ZipEntry(name=name.encode(), **fields))  # type: ignore[arg-type]


def _files(**files: str) -> bytes:
    return zip_of({"__init__.py": "", **files})


def _named(name: str, text: str) -> bytes:
    return zip_of({"__init__.py": "", name: text})


ARCHIVES: dict[str, tuple[bytes, str]] = {
    "link": (_entry("x.py", data=b"/etc/passwd", unix_mode=0o120777), "is a link"),
    "device": (_entry("x.py", unix_mode=0o020644), "is a link, a device"),
    "parent": (_entry("../../x.py"), "`..` part"),
    "root": (_entry("/tmp/comfydock-hostile"), "absolute path"),
    "backslash": (_entry("..\\..\\x.py"), "one of"),
    "drive": (_entry("C:x.py"), "one of"),
    "escape": (_entry("x\x1b[2J.py"), "control or format"),
    "twin": (_entry("__INIT__.py"), "the same as"),
    "repository": (_entry(".git/config"), "git repository"),
    "bomb": (_entry("x.bin", data=_ZEROS), "67,108,864 are allowed"),
    "liar": (_entry("x.bin", data=_ZEROS, size=1), "more data than its size"),
    "short": (_entry("x.bin", data=b"x", size=2), "less data than its size"),
    "checksum": (_entry("x.bin", data=b"x", crc=1), "checksum"),
    "renamed": (_entry("x.py", local_name=b"../x"), "differs from the directory"),
    "encrypted": (_entry("x.py", flags=1), "encrypted"),
    "method": (_entry("x.py", method=99), "not known"),
    "count": (zip_bytes(_GOOD, count=2), "directory"),
    "between": (zip_bytes(_GOOD, between=b"evil"), "belong to no member"),
    "page": (b"<!DOCTYPE html><title>Sign in</title>", "a web page"),
    "toml": (_named("pyproject.toml", f"x = {_DEEP}"), "nested too deeply"),
    "number": (_named("pyproject.toml", f"x = {'9' * 5000}"), "too long"),
    "marker": (_named("requirements.txt", f"x; {'(' * 5000}os_name=='a'"), "cannot be locked"),
    "tracking": (_named(".tracking/x", ""), ".tracking"),
    "address": (_named("requirements.txt", "x @ file:///etc/passwd"), "file:///etc/passwd"),
    "digest": (_files(), "sha256"),
}


def _with_packs(files: Files) -> None:
    """Have the bundle name all of them; the registry's good pack has no digest then."""
    lines = files[PROJECT].splitlines(keepends=True)
    project = b"".join(line for line in lines if not line.startswith(b"sha256 = "))
    for name in ARCHIVES:
        table = f'\n[tool.comfydock.nodes.{name}]\nsource = "registry"\nversion = "1.0.0"\n'
        digest = f'sha256 = "{"0" * 64}"\n' if name == "digest" else ""
        project += (table + digest).encode()
    files[PROJECT] = project


@pytest.fixture(scope="module")
def ran(bundle: Path, town: Town, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Machine]:
    """One import of a bundle with all of them."""
    folder = tmp_path_factory.mktemp("packs")
    files = files_of(bundle.read_bytes())
    _with_packs(files)
    (folder / "hostile.tar.gz").write_bytes(packed(listed(files)))
    good = PackVersion(version="1.2.0", files=pack_files("AcmeText", "tabulate>=0.9"))
    packs = [Pack(node_id="acme-text", versions=(good,), classes=("AcmeText",))]
    for name, (archive, _) in ARCHIVES.items():
        version = PackVersion(version="1.0.0", archive=archive)
        packs.append(Pack(node_id=name, versions=(version,)))
    with node_registry(packs) as registry:
        variables = dict(town.variables) | {"COMFYDOCK_REGISTRY": registry.url}
        receiver = Machine(home=folder / "home", variables=variables)
        words = ("--yes", "--trust-code", "--json")
        return receiver.run("import", str(folder / "hostile.tar.gz"), *words), receiver


@pytest.mark.parametrize("name", ARCHIVES)
def test_it_fails_by_name(name: str, ran: tuple[Ran, Machine]) -> None:
    answer, receiver = ran
    failed = {each["name"]: each["reason"] for each in answer.envelope["data"]["nodes"]["failed"]}
    assert ARCHIVES[name][1] in failed[name]
    assert "\x1b" not in failed[name]
    assert not (receiver.place("studio") / "ComfyUI/custom_nodes" / name).exists()


def test_the_rest_is_installed_and_nothing_lies_outside(ran: tuple[Ran, Machine]) -> None:
    answer, receiver = ran
    assert answer.exit_code == 3
    assert answer.envelope["data"]["nodes"]["installed"] == 3
    nodes = receiver.place("studio") / "ComfyUI/custom_nodes"
    assert {path.name for path in nodes.iterdir()} >= {"acme-git", "acme-text", "my-dev"}
    assert not Path("/tmp/comfydock-hostile").exists()
    assert not list(receiver.home.rglob("x.py"))
