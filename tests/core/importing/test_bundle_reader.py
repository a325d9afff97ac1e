from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from comfydock_core.errors import BundleError, ManifestError
from comfydock_core.importing.bundle_reader import BundleContents, read_bundle
from comfydock_core.storage.archive import MemberSource, contents_digest
from comfydock_core.storage.tar_writer import write_archive

from tests.core.importing.projects import project
from tests.core.storage.archive_bytes import gz, member, tar

CONTENTS = {
    "pyproject.toml": project("one", "two"),
    "uv.lock": b"version = 1",
    ".python-version": b"3.11\n",
    "workflows/b.json": b"{}",
    "workflows/sub/a.json": b"{}",
    "dev_nodes/one/__init__.py": b"",
    "dev_nodes/one/lib/x.py": b"1",
    "dev_nodes/two/__init__.py": b"",
}


def manifest(contents: dict[str, bytes], **changes: object) -> bytes:
    """Return the manifest.json that fits ``contents``; None takes a key away."""
    document: dict[str, object] = {
        "timestamp": "2025-01-15T10:30:00Z",
        "comfydock_version": "2.0.0",
        "environment_name": "env",
        "workflows": ["b.json", "sub/a.json"],
        "python_version": "3.11",
        "comfyui_version": "v0.3.75",
        "platform": "linux",
        "total_models": 0,
        "total_nodes": 2,
        "files": {
            path: {"size": len(data), "sha256": sha256(data).hexdigest()}
            for path, data in contents.items()
        },
    }
    merged = document | changes
    return json.dumps({key: value for key, value in merged.items() if value is not None}).encode()


def read(tmp_path: Path, contents: dict[str, bytes]) -> BundleContents:
    """Write an archive of ``contents`` and read it as a bundle."""
    sources = [MemberSource(path=path, content=data) for path, data in contents.items()]
    write_archive(tmp_path / "x.tar.gz", sources, mtime=0)
    (tmp_path / "staging").mkdir(0o700)
    return read_bundle(tmp_path / "x.tar.gz", tmp_path / "staging")


def test_a_whole_bundle_is_unpacked_and_described(tmp_path: Path) -> None:
    bundle = read(tmp_path, CONTENTS | {"manifest.json": manifest(CONTENTS)})
    assert bundle.pyproject_path.read_bytes() == CONTENTS["pyproject.toml"]
    assert bundle.lock_path.read_bytes() == b"version = 1"
    assert bundle.python_version == "3.11"
    assert bundle.workflows == ("b.json", "sub/a.json")
    assert {name: [m.path for m in members] for name, members in bundle.dev_nodes.items()} == {
        "one": ["dev_nodes/one/__init__.py", "dev_nodes/one/lib/x.py"],
        "two": ["dev_nodes/two/__init__.py"],
    }
    assert bundle.manifest.environment_name == "env"
    assert bundle.digest == contents_digest(bundle.members)
    assert bundle.warnings == ()


@pytest.mark.parametrize(
    ("changes", "warning"),
    [({"files": None}, "lists no digests"), ({"format_version": 2}, "has format 2")],
)
def test_other_exporters_are_read_with_a_warning(
    tmp_path: Path, changes: dict[str, object], warning: str
) -> None:
    bundle = read(tmp_path, CONTENTS | {"manifest.json": manifest(CONTENTS, **changes)})
    assert len(bundle.warnings) == 1
    assert warning in bundle.warnings[0]


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (CONTENTS | {"uv.lock": b"version = 2"}, "`uv.lock` is not what `manifest.json` lists"),
        (CONTENTS | {"uv.lock": b"v"}, "`uv.lock` has 11 bytes where `manifest.json` says 1"),
        (CONTENTS | {"dev_nodes/x/y": b""}, "`dev_nodes/x/y` is listed in `manifest.json` but"),
        (CONTENTS | {"manifest.json": b""}, "`manifest.json` is listed in `manifest.json` but"),
        ({"uv.lock": b"version = 1"}, "`.python-version` is not listed"),
    ],
)
def test_every_member_is_held_against_the_manifest(
    tmp_path: Path, listed: dict[str, bytes], words: str
) -> None:
    with pytest.raises(BundleError) as caught:
        read(tmp_path, CONTENTS | {"manifest.json": manifest(listed)})
    assert words in caught.value.sentence


@pytest.mark.parametrize(
    ("nodes", "told"),
    [(("one",), "dev_nodes/two"), (("ONE", "two"), "dev_nodes/one"), ((), "dev_nodes/one")],
)
@pytest.mark.parametrize("changes", [{}, {"files": None}])
def test_the_source_of_a_node_that_is_not_listed_is_refused(
    tmp_path: Path, nodes: tuple[str, ...], told: str, changes: dict[str, object]
) -> None:
    contents = CONTENTS | {"pyproject.toml": project(*nodes)}
    with pytest.raises(BundleError) as caught:
        read(tmp_path, contents | {"manifest.json": manifest(contents, **changes)})
    rule = "is no development node that `pyproject.toml` lists"
    assert caught.value.sentence == f"`x.tar.gz`: member `{told}` {rule}"
    assert caught.value.subject == told


@pytest.mark.parametrize("path", ["pyproject.toml", "uv.lock", ".python-version", "manifest.json"])
def test_a_missing_file_is_named(tmp_path: Path, path: str) -> None:
    # A file of [tool.comfydock] without manifest.json would be a bundle of ComfyDock 1.x.
    contents = CONTENTS | {"pyproject.toml": b"[project]", "manifest.json": manifest(CONTENTS)}
    del contents[path]
    with pytest.raises(BundleError) as caught:
        read(tmp_path, contents)
    assert caught.value.sentence == f"`x.tar.gz` is not a comfydock bundle: it has no `{path}`"


@pytest.mark.parametrize(
    "path",
    ["uv.toml", "workflows/a.txt", "dev_nodes/a.py", "other/a.json", ".env"],
)
def test_a_member_without_a_place_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(BundleError, match=f"`{path}` has no place in a bundle"):
        read(tmp_path, CONTENTS | {path: b""})


@pytest.mark.parametrize(
    ("version", "expected"),
    [(b"3.11", "3.11"), (b" 3.12.4\r\n", "3.12.4")],
)
def test_python_versions_that_are_taken(tmp_path: Path, version: bytes, expected: str) -> None:
    contents = CONTENTS | {".python-version": version}
    bundle = read(tmp_path, contents | {"manifest.json": manifest(contents)})
    assert bundle.python_version == expected


@pytest.mark.parametrize(
    "version",
    [
        b"",
        b"/tmp/evil",
        b"3",
        b"3.11.1.1",
        b"2.7",
        b"3.11\n3.12",
        "3.1١".encode(),
        b"3.\xff",
        b">=3.11",
    ],
)
def test_python_versions_that_are_refused(tmp_path: Path, version: bytes) -> None:
    contents = CONTENTS | {".python-version": version}
    with pytest.raises(BundleError, match=r"`\.python-version` must be a version like"):
        read(tmp_path, contents | {"manifest.json": manifest(contents)})


def test_a_manifest_that_cannot_be_read_is_a_manifest_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        read(tmp_path, CONTENTS | {"manifest.json": b"[" * 100_000})


def test_the_records_of_folders_that_other_tools_write_are_taken(tmp_path: Path) -> None:
    folders = [
        b"./",
        b"./workflows/",
        b"./dev_nodes/",
        b"./dev_nodes/one/",
        b"./dev_nodes/one/lib/",
    ]
    contents = CONTENTS | {"manifest.json": manifest(CONTENTS)}
    records = [member(name, kind=b"5") for name in folders]
    records += [member(b"./" + path.encode(), data) for path, data in contents.items()]
    (tmp_path / "x.tar.gz").write_bytes(gz(tar(*records)))
    (tmp_path / "staging").mkdir()
    bundle = read_bundle(tmp_path / "x.tar.gz", tmp_path / "staging")
    assert [found.path for found in bundle.members] == sorted(contents)


@pytest.mark.parametrize("folder", [b"uv.lock/", b"other/", b"Dev_nodes/"])
def test_a_folder_without_a_place_is_refused(tmp_path: Path, folder: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(gz(tar(member(folder, kind=b"5"))))
    (tmp_path / "staging").mkdir()
    with pytest.raises(BundleError, match="has no place in a bundle"):
        read_bundle(tmp_path / "x.tar.gz", tmp_path / "staging")


def test_a_text_file_has_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BundleError) as caught:
        read_bundle(tmp_path / "notes.txt", tmp_path)
    assert caught.value.sentence == ("`notes.txt` is not a comfydock bundle: it is not a gzip file")
    assert caught.value.hint
