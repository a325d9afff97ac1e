from __future__ import annotations

import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.bundle import BundleManifest
from comfydock_core.errors import BundleError, StorageError
from comfydock_core.exporting.bundle_writer import ExportBundle
from comfydock_core.importing.bundle_reader import BundleContents, read_bundle

from tests.core.importing.projects import project

MANIFEST = BundleManifest(
    timestamp="2025-01-15T10:30:00Z",
    comfydock_version="2.0.0",
    environment_name="env",
    workflows=("main.json",),
    python_version="3.11",
    comfyui_version="v0.3.75",
    platform="linux",
    total_models=0,
    total_nodes=1,
)
FILES = {
    "pyproject.toml": project("node"),
    "uv.lock": b"version = 1",
    ".python-version": b"3.11\n",
    "workflows/main.json": b"{}",
    "workflows/sub/two.json": b"{}",
    "workflows/notes.txt": b"stays at home",
    "dev_nodes/node/__init__.py": b"",
    "dev_nodes/node/.gitignore": b"*.bin",
    "dev_nodes/node/install.sh": b"#!/bin/sh",
}


@pytest.fixture
def bundle(tmp_path: Path) -> ExportBundle:
    """An environment's files below ``tmp_path/cec``."""
    for name, data in FILES.items():
        path = tmp_path / "cec" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    cec = tmp_path / "cec"
    (cec / "dev_nodes/node/install.sh").chmod(0o775)
    (tmp_path / "out").mkdir()
    return ExportBundle(
        pyproject_path=cec / "pyproject.toml",
        uv_lock_path=cec / "uv.lock",
        python_version_path=cec / ".python-version",
        workflows_dir=cec / "workflows",
        dev_nodes_dir=cec / "dev_nodes",
        manifest=MANIFEST,
        mtime=1_700_000_000,
    )


def read(tmp_path: Path, archive: Path) -> BundleContents:
    """Read a bundle into a new folder."""
    staging = tmp_path / f"staging-{archive.name}"
    staging.mkdir(0o700)
    return read_bundle(archive, staging)


def test_everything_that_travels_is_in_the_bundle(tmp_path: Path, bundle: ExportBundle) -> None:
    target = bundle.to_tarball(tmp_path / "out/x.tar.gz")
    contents = read(tmp_path, target)
    kept = {path: data for path, data in FILES.items() if path != "workflows/notes.txt"}
    found = {m.path: (contents.root / m.path).read_bytes() for m in contents.members}
    assert found.pop("manifest.json").startswith(b'{\n  "timestamp"')
    assert found == kept
    assert [m.path for m in contents.members if m.mode == 0o755] == ["dev_nodes/node/install.sh"]
    assert replace(contents.manifest, files={}) == MANIFEST
    assert sorted(contents.manifest.files) == sorted(kept)
    assert contents.warnings == ()
    assert os.listdir(tmp_path / "out") == ["x.tar.gz"]


def test_equal_environments_give_equal_bytes(tmp_path: Path, bundle: ExportBundle) -> None:
    first = bundle.to_tarball(tmp_path / "out/1")
    os.utime(tmp_path / "cec/uv.lock", (5, 5))
    second = bundle.to_tarball(tmp_path / "out/2")
    assert first.read_bytes() == second.read_bytes()
    later = replace(bundle, manifest=replace(MANIFEST, timestamp="2026-01-01T00:00:00Z"))
    third = later.to_tarball(tmp_path / "out/3")
    one, other = read(tmp_path, first), read(tmp_path, third)
    differing = {m.path for m in set(one.members) ^ set(other.members)}
    assert differing == {"manifest.json"}


def test_members_have_the_time_of_the_commit(tmp_path: Path, bundle: ExportBundle) -> None:
    with tarfile.open(bundle.to_tarball(tmp_path / "out/x.tar.gz")) as archive:
        assert {member.mtime for member in archive} == {1_700_000_000}


def test_workflows_and_development_nodes_may_be_absent(
    tmp_path: Path, bundle: ExportBundle
) -> None:
    small = replace(bundle, workflows_dir=tmp_path / "none", dev_nodes_dir=None)
    contents = read(tmp_path, small.to_tarball(tmp_path / "out/x.tar.gz"))
    assert (contents.workflows, contents.dev_nodes) == ((), {})


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("dev_nodes/loose.py", "`dev_nodes/loose.py` has no place in a bundle"),
        ("dev_nodes/node/.git/config", "git repository"),
        ("dev_nodes/node/a.pyc", "bytecode"),
        ("dev_nodes/node/a:b", "has one of"),
        ("dev_nodes/node/INSTALL.sh", "the same as"),
        ("workflows/e\u0301.json", "Unicode form NFC"),
        (".python-version", "must be a version like"),
    ],
)
def test_what_no_reader_would_take_is_not_exported(
    tmp_path: Path, bundle: ExportBundle, path: str, words: str
) -> None:
    (tmp_path / "cec" / path).parent.mkdir(exist_ok=True)
    (tmp_path / "cec" / path).write_bytes(b"x")
    with pytest.raises(BundleError) as caught:
        bundle.to_tarball(tmp_path / "out/x.tar.gz")
    assert words in caught.value.sentence
    assert os.listdir(tmp_path / "out") == []


def test_links_are_not_followed(tmp_path: Path, bundle: ExportBundle) -> None:
    for target in ("/etc/hostname", "/etc"):
        link = tmp_path / "cec/dev_nodes/node/link"
        link.symlink_to(target)
        with pytest.raises(BundleError, match="`dev_nodes/node/link` is no regular file"):
            bundle.to_tarball(tmp_path / "out/x.tar.gz")
        link.unlink()


def test_a_missing_file_is_named(tmp_path: Path, bundle: ExportBundle) -> None:
    (tmp_path / "cec/uv.lock").unlink()
    with pytest.raises(StorageError, match=r"uv\.lock"):
        bundle.to_tarball(tmp_path / "out/x.tar.gz")


def test_a_file_that_exists_stays_unless_it_may_be_overwritten(
    tmp_path: Path, bundle: ExportBundle
) -> None:
    target = tmp_path / "out/x.tar.gz"
    target.write_bytes(b"mine")
    with pytest.raises(StorageError, match="exists already"):
        bundle.to_tarball(target)
    assert target.read_bytes() == b"mine"
    read(tmp_path, bundle.to_tarball(target, overwrite=True))
