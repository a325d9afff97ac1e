"""Writing, reading back and unpacking a bundle of 644 workflows and a node of 5,000 files."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from comfydock_core.domain.bundle import BundleManifest
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.exporting.bundle_writer import ExportBundle
from comfydock_core.storage.archive import BUNDLE_LIMITS, MemberSource
from comfydock_core.storage.project_file import project_text
from comfydock_core.storage.tar_reader import read_archive
from comfydock_core.storage.tar_writer import write_archive
from isal import isal_zlib

from benchmarks.material import cache_folder, template_workflows
from benchmarks.rows import Row, medians

_ROUNDS = 7
_NODE_FILES = 5_000
_NODE_FILE = 10_000
_LARGE_MODEL = 1 << 30
_LEVEL = 3
_CHUNK = 1 << 20
_MOST_MEMORY = 120
_MANIFEST = Manifest(
    name="bench",
    comfyui_version="v0.3.75",
    python_version="3.11",
    nodes={"pack": NodeInfo(name="pack", source="development", version="dev")},
)


def run() -> list[Row]:
    """Hold export and extraction against isal and git, and against tarfile."""
    material, new_paths = _material(), _new_paths()
    bundle, files = _bundle(material), _files(material)
    archive = bundle.to_tarball(next(new_paths))
    sources = [MemberSource(path=f"x/{file.relative_to(material)}", content=file) for file in files]
    contents = _contents(files)

    def unpack(extract: Callable[[Path], object]) -> None:
        # Nothing is deleted between rounds: ext4 makes files slowly for a while after that.
        folder = next(new_paths)
        folder.mkdir()
        extract(folder)

    seconds = medians(
        _ROUNDS,
        {
            "floor": lambda: _floor(material, files, next(new_paths)),
            "isal": lambda: _compress(contents, next(new_paths)),
            "isal, files": lambda: _compress(_contents(files), next(new_paths)),
            "write": lambda: write_archive(next(new_paths), sources, mtime=0),
            "export": lambda: bundle.to_tarball(next(new_paths)),
            "unpack": lambda: unpack(lambda folder: _unpack(archive, folder)),
            "tarfile": lambda: unpack(lambda folder: _unpack_with_tarfile(archive, folder)),
        },
    )
    rows = _time_rows(seconds, len(files))
    return rows + (_memory_rows(material, next(new_paths)) if sys.platform == "linux" else [])


def _time_rows(seconds: Mapping[str, float], count: int) -> list[Row]:
    comparisons = (
        (f"export {count:,} files, read back", "export", "floor", "<= 2.0"),
        ("write the archive alone, isal having the bytes", "isal", "write", ">= 0.8"),
        ("write the archive alone, isal reading the files", "isal, files", "write", ">= 0.8"),
        ("unpack, against tarfile's data filter", "tarfile", "unpack", ">= 2"),
    )
    rows = []
    for name, over, under, target in comparisons:
        ours, other = (over, under) if over == "export" else (under, over)
        rows.append(
            Row(
                name=name,
                figure=f"{seconds[ours] * 1e3:.0f} ms",
                floor=f"{seconds[other] * 1e3:.0f} ms ({other})",
                ratio=f"{seconds[over] / seconds[under]:.2f}",
                target=target,
            )
        )
    return rows


def _memory_rows(material: Path, target: Path) -> list[Row]:
    rows = []
    for name, size in (("without models", 0), ("with a model of 1 GiB", _LARGE_MODEL)):
        command = [sys.executable, "-m", "benchmarks.bundles", material, f"{target}-{size}", size]
        done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
        figure = int(done.stdout)
        rows.append(
            Row(
                name=f"peak memory of an export {name}",
                figure=f"{figure} MiB",
                floor=f"{_MOST_MEMORY} MiB",
                ratio=f"{figure / _MOST_MEMORY:.2f}",
                target="<= 1",
            )
        )
    return rows


def _export_once(material: Path, target: Path, model_size: int) -> None:
    """Export in this process, with one model where it has a size, and print the peak in MiB."""
    models = {}
    if model_size:
        models = {"model.gguf": target.with_name(f"{target.name}.gguf")}
        with models["model.gguf"].open("wb") as file:
            file.truncate(model_size)
    _bundle(material, models).to_tarball(target)
    # Not ru_maxrss: that counts what the process was before it became this program.
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) >> 10)


def _material() -> Path:
    folder = cache_folder() / "bundle-contents"
    if not folder.is_dir():
        aside = cache_folder() / "bundle-contents-unfinished"
        for path, data in _material_files():
            (aside / path).parent.mkdir(parents=True, exist_ok=True)
            (aside / path).write_bytes(data)
        subprocess.run(["git", "init", "--quiet", "--bare", aside / "empty.git"], check=True)
        aside.rename(folder)
    return folder


def _material_files() -> Iterator[tuple[str, bytes]]:
    """Real workflows, and real Python in files of one size."""
    for name, data in template_workflows().items():
        yield f"workflows/{name}", data
    sources = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    text = b"".join(p.read_bytes() for p in sources if "site-packages" not in p.parts)
    for number in range(_NODE_FILES):
        start = number * _NODE_FILE % (len(text) - _NODE_FILE)
        path = f"dev_nodes/pack/part{number // 100:02}/file{number:04}.py"
        yield path, text[start : start + _NODE_FILE]
    yield "pyproject.toml", project_text(_MANIFEST).encode()
    yield from (("uv.lock", b""), (".python-version", b"3.11"))


def _files(material: Path) -> list[Path]:
    folders = (material / "workflows", material / "dev_nodes")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def _bundle(material: Path, models: dict[str, Path] | None = None) -> ExportBundle:
    manifest = BundleManifest(
        timestamp="2026-11-22T00:00:00Z",
        comfydock_version="2.0.0",
        environment_name="bench",
        workflows=(),
        python_version="3.11",
        comfyui_version="v0.3.75",
        platform=sys.platform,
        total_models=len(models or {}),
        total_nodes=1,
    )
    return ExportBundle(
        pyproject_path=material / "pyproject.toml",
        uv_lock_path=material / "uv.lock",
        python_version_path=material / ".python-version",
        workflows_dir=material / "workflows",
        dev_nodes_dir=material / "dev_nodes",
        manifest=manifest,
        mtime=0,
        models=models or {},
    )


def _new_paths() -> Iterator[Path]:
    """Yield names in a new folder; the folder of the run before goes first."""
    scratch = cache_folder() / "scratch" / "bundles"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    number = 0
    while True:
        number += 1
        yield folder / str(number)


def _contents(files: list[Path]) -> bytes:
    return b"".join(file.read_bytes() for file in files)


def _floor(material: Path, files: list[Path], target: Path) -> None:
    """List the node as git does, read everything and compress it."""
    node = material / "dev_nodes" / "pack"
    places = (f"--git-dir={material}/empty.git", f"--work-tree={node}")
    listing = ("ls-files", "-z", "-co", "--exclude-standard")
    command = ("git", "-c", "core.excludesFile=/dev/null", *places, *listing)
    subprocess.run(command, cwd=node, check=True, capture_output=True)
    _compress(_contents(files), target)


def _compress(contents: bytes, target: Path) -> None:
    with target.open("wb") as file:
        _deflate(memoryview(contents), file)


def _deflate(contents: memoryview, file: BinaryIO) -> None:
    deflater = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, 31)
    for start in range(0, len(contents), _CHUNK):
        file.write(deflater.compress(contents[start : start + _CHUNK]))
    file.write(deflater.flush())


def _unpack(archive: Path, folder: Path) -> None:
    read_archive(archive, folder, place_of=lambda path: "anywhere", limits=BUNDLE_LIMITS)


def _unpack_with_tarfile(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")


if __name__ == "__main__":
    _export_once(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
