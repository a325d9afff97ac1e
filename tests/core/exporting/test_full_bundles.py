"""Bundles with inputs and models: large, not compressed, unpacked only when that is asked for."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from comfydock_core.domain.bundle import BundleManifest
from comfydock_core.errors import BundleError, DiskFullError, StorageError
from comfydock_core.exporting.bundle_writer import ExportBundle
from comfydock_core.importing.bundle_reader import BundleContents, read_bundle, unpack_models

from tests.core.importing.projects import project

MANIFEST = BundleManifest(
    timestamp="2025-01-15T10:30:00Z",
    comfydock_version="2.0.0",
    environment_name="env",
    workflows=("main.json",),
    python_version="3.11",
    comfyui_version="v0.3.75",
    platform="linux",
    total_models=2,
    total_nodes=0,
    profile="full",
    missing_inputs=("clip.mp4",),
)
MODEL = random.Random(1).randbytes(3_000_000)
MODELS = {"checkpoints/a.safetensors": MODEL, "loras/sd/b.gguf": b"b" * 100_000}
INPUTS = {"photo.png": b"\x89PNG", "sub/voice.wav": b"RIFF"}


def make(folder: Path) -> ExportBundle:
    """Lay the files of an environment out below ``folder``."""
    places = {
        "pyproject.toml": project("pack"),
        "uv.lock": b"version = 1",
        ".python-version": b"3.11",
        "flows/main.json": b"{}",
        "node/run.sh": b"#!/bin/sh",
        **{f"inputs/{path}": data for path, data in INPUTS.items()},
        **{f"library/{path}": data for path, data in MODELS.items()},
    }
    for path, data in places.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "node/run.sh").chmod(0o700)
    return ExportBundle(
        pyproject_path=folder / "pyproject.toml",
        uv_lock_path=folder / "uv.lock",
        python_version_path=folder / ".python-version",
        workflows_dir=None,
        dev_nodes_dir=None,
        manifest=MANIFEST,
        mtime=1_700_000_000,
        inputs_dir=folder / "inputs",
        files={
            "dev_nodes/pack/run.sh": folder / "node/run.sh",
            "workflows/main.json": folder / "flows/main.json",
        },
        models={path: folder / "library" / path for path in MODELS},
    )


@pytest.fixture
def bundle(tmp_path: Path) -> ExportBundle:
    """An environment below ``tmp_path/env`` and a folder ``out`` for bundles."""
    (tmp_path / "out").mkdir()
    return make(tmp_path / "env")


def fresh(folder: Path) -> Path:
    """Make a private folder."""
    folder.mkdir(mode=0o700)
    return folder


def read(tmp_path: Path, archive: Path) -> BundleContents:
    """Read a bundle as an import does."""
    return read_bundle(archive, fresh(tmp_path / "staging"))


def below(folder: Path) -> dict[str, bytes]:
    """Return all files below ``folder``."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_models_stay_in_the_bundle_until_they_are_wanted(
    tmp_path: Path, bundle: ExportBundle
) -> None:
    target = bundle.to_tarball(tmp_path / "out/x.tar.gz")
    contents = read(tmp_path, target)
    assert not (contents.root / "models").exists()
    assert below(contents.root / "inputs") == INPUTS
    assert (contents.root / "dev_nodes/pack/run.sh").stat().st_mode & 0o777 == 0o755
    assert sorted(contents.inputs) == sorted(INPUTS)
    assert {path: member.sha256 for path, member in contents.models.items()} == {
        path: sha256(data).hexdigest() for path, data in MODELS.items()
    }
    assert contents.manifest.profile == "full"
    assert contents.manifest.files["models/loras/sd/b.gguf"].size == 100_000
    unpack_models(target, fresh(tmp_path / "all"), MODELS, contents.digest)
    assert below(tmp_path / "all/models") == MODELS
    unpack_models(target, fresh(tmp_path / "one"), ["loras/sd/b.gguf"], contents.digest)
    assert below(tmp_path / "one") == {"models/loras/sd/b.gguf": MODELS["loras/sd/b.gguf"]}


def test_another_bundle_in_the_same_place_is_not_unpacked(
    tmp_path: Path, bundle: ExportBundle
) -> None:
    target = bundle.to_tarball(tmp_path / "out/x.tar.gz")
    digest = read(tmp_path, target).digest
    replace(bundle, models={}).to_tarball(target, overwrite=True)
    with pytest.raises(BundleError, match="is not the bundle that it was"):
        unpack_models(target, fresh(tmp_path / "all"), MODELS, digest)


def test_models_are_stored_and_other_tools_can_read_them(
    tmp_path: Path, bundle: ExportBundle
) -> None:
    target = bundle.to_tarball(tmp_path / "out/x.tar.gz")
    small = replace(bundle, models={}).to_tarball(tmp_path / "out/small.tar.gz")
    stored = sum(map(len, MODELS.values()))
    assert stored < target.stat().st_size - small.stat().st_size < stored * 1.001 + 2048
    subprocess.run(["gzip", "-t", target], check=True)
    (tmp_path / "tar").mkdir()
    subprocess.run(["tar", "xf", target, "-C", tmp_path / "tar"], check=True)
    assert below(tmp_path / "tar/models") == MODELS


def test_equal_contents_give_equal_bytes_wherever_they_lie(
    tmp_path: Path, bundle: ExportBundle
) -> None:
    one = bundle.to_tarball(tmp_path / "out/1").read_bytes()
    before = os.umask(0o077)
    try:
        other = make(tmp_path / "elsewhere/deeper")
        two = other.to_tarball(tmp_path / "out/2").read_bytes()
    finally:
        os.umask(before)
    known = {path: sha256(data).hexdigest() for path, data in MODELS.items()}
    three = replace(bundle, model_digests=known).to_tarball(tmp_path / "out/3").read_bytes()
    assert one == two == three


def test_a_model_of_the_library_may_be_a_link(tmp_path: Path, bundle: ExportBundle) -> None:
    place = tmp_path / "env/library/loras/sd/b.gguf"
    place.rename(tmp_path / "blob")
    place.symlink_to(tmp_path / "blob")
    contents = read(tmp_path, bundle.to_tarball(tmp_path / "out/x.tar.gz"))
    assert contents.models["loras/sd/b.gguf"].size == 100_000


def test_a_model_is_held_to_the_digest_that_is_known(tmp_path: Path, bundle: ExportBundle) -> None:
    path = "loras/sd/b.gguf"
    wrong = replace(bundle, model_digests={path: "0" * 64})
    with pytest.raises(BundleError, match=f"{path}` is not what it was"):
        wrong.to_tarball(tmp_path / "out/x.tar.gz")
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (lambda f: {"models": {"loras/a.py": f}}, "`models/loras/a.py` has no place"),
        (lambda f: {"models": {"../a.gguf": f}}, "`models/../a.gguf` has no place"),
        (lambda f: {"models": {"a.gguf": f, "A.gguf": f}}, "the same as `models/A.gguf`"),
        (lambda f: {"files": {"inputs/a.svg": f}}, "`inputs/a.svg` has no place"),
        (lambda f: {"files": {"manifest.json": f}}, "`manifest.json` is there twice"),
        (lambda f: {"files": {"uv.lock": f}}, "`uv.lock` is there twice"),
    ],
)
def test_what_no_reader_would_take_is_refused_before_anything_is_written(
    tmp_path: Path,
    bundle: ExportBundle,
    changes: Callable[[Path], dict[str, dict[str, Path]]],
    words: str,
) -> None:
    with pytest.raises(BundleError) as caught:
        replace(bundle, **changes(tmp_path / "env/uv.lock")).to_tarball(tmp_path / "out/x")  # type: ignore[arg-type]
    assert words in caught.value.sentence
    assert os.listdir(tmp_path / "out") == []


def test_a_model_that_has_gone_is_named(tmp_path: Path, bundle: ExportBundle) -> None:
    gone = replace(bundle, models={"a.gguf": tmp_path / "gone.gguf"})
    with pytest.raises(StorageError, match=r"gone\.gguf`: No such file"):
        gone.to_tarball(tmp_path / "out/x")


def test_an_output_folder_that_is_missing_is_named(tmp_path: Path, bundle: ExportBundle) -> None:
    for place in ("none/x.tar.gz", "env/uv.lock/x.tar.gz"):
        with pytest.raises(StorageError, match="is not there, or is no folder") as caught:
            bundle.to_tarball(tmp_path / place)
        assert caught.value.subject == str((tmp_path / place).parent)


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path, bundle: ExportBundle) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(DiskFullError, match=r"out/x\.tar\.gz`: File too large"):
            bundle.to_tarball(tmp_path / "out/x.tar.gz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert os.listdir(tmp_path / "out") == []


CHILD = """
import sys
from pathlib import Path
from dataclasses import replace
from tests.core.exporting.test_full_bundles import make
from comfydock_core.importing.bundle_reader import read_bundle, unpack_models
folder = Path(sys.argv[1])
bundle = replace(make(folder / "env"), models={"big.gguf": folder / "big.gguf"})
print("begun", flush=True)
archive = bundle.to_tarball(folder / "out/x.tar.gz")
(folder / "staging").mkdir()
contents = read_bundle(archive, folder / "staging")
(folder / "models").mkdir()
unpack_models(archive, folder / "models", ["big.gguf"], contents.digest)
# Not ru_maxrss: that counts what the process was before it became this program.
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) >> 10)
"""


def child(tmp_path: Path, model_size: int) -> subprocess.Popen[str]:
    """Export, read and unpack one model of ``model_size`` bytes in a process of its own."""
    (tmp_path / "out").mkdir()
    with (tmp_path / "big.gguf").open("wb") as file:
        file.truncate(model_size)
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_memory_does_not_grow_with_a_model(tmp_path: Path) -> None:
    with child(tmp_path, 200 << 20) as process:
        output, errors = process.communicate()
    assert errors == ""
    assert int(output.split()[-1]) < 120
    assert (tmp_path / "models/models/big.gguf").stat().st_size == 200 << 20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_an_export_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    with child(tmp_path, 40 << 30) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        while not list((tmp_path / "out").iterdir()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert errors.strip().endswith("KeyboardInterrupt")
    assert list((tmp_path / "out").iterdir()) == []
