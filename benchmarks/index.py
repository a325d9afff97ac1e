"""The model index: looking at a library, looking again, and reading it for the first time."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from comfydock_core.domain.models import ModelRoot
from comfydock_core.events import SilentReporter
from comfydock_core.storage.model_index import ModelIndex
from comfydock_core.storage.model_walk import walk_models

from benchmarks.material import cache_folder
from benchmarks.peers import COMFYDOCK_1, PeerError, row_without_peer, run_in_peer
from benchmarks.rows import Row, medians

ROUNDS = 7
FIRST_ROUNDS = 3
SMALL, LARGE = 10_000, 100_000
IN_A_FOLDER = 100
CATEGORIES = ("checkpoints", "loras", "vae", "controlnet", "embeddings")
MOST_MEMORY = 200  # MB

_PEER_INDEXES = """
import json, logging, sys, time
from pathlib import Path
logging.disable(logging.CRITICAL)
from comfydock_core.analyzers.model_scanner import ModelScanner
from comfydock_core.repositories.model_repository import ModelRepository
library, database = map(Path, sys.argv[1:])
begun = time.perf_counter()
result = ModelScanner(ModelRepository(database)).scan_directory(library, quiet=True)
print(json.dumps([time.perf_counter() - begun, result.added_count]))
"""
_SCAN_IN_A_CHILD = """
import sys
from pathlib import Path
from comfydock_core.domain.models import ModelRoot
from comfydock_core.events import SilentReporter
from comfydock_core.storage.model_index import ModelIndex
with ModelIndex(Path(sys.argv[2])) as index:
    index.scan([ModelRoot(path=sys.argv[1])], SilentReporter())
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


def run() -> list[Row]:
    """Measure libraries of 10,000 and 100,000 small files whose folders are in memory."""
    small, large = _library(SMALL), _library(LARGE)
    rows: list[Row] = []
    scratch = Path(tempfile.mkdtemp(dir=cache_folder(), prefix=".index-"))
    try:
        for count, library in ((SMALL, small), (LARGE, large)):
            rows += _looks(library, count, scratch / f"{count}.db")
        rows.append(_first_index(small, scratch))
        if sys.platform == "linux":
            rows += _memory(large, scratch / "child.db")
    finally:
        shutil.rmtree(scratch)
    return rows


def _library(count: int) -> Path:
    """Make a library once, aside and renamed: folders of 100 files, 120 bytes or so in each."""
    library = cache_folder() / f"library-{count}"
    if not library.is_dir():
        library.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=library.parent, prefix=".library-"))
        for number in range(count):
            group, first = divmod(number, IN_A_FOLDER)
            folder = aside / CATEGORIES[group % len(CATEGORIES)] / f"group-{group:04}"
            if not first:
                folder.mkdir(parents=True)
            (folder / f"model_number_{number:06}.safetensors").write_bytes(b"%d" % number * 20)
        aside.replace(library)
    return library


def _looks(library: Path, count: int, database: Path) -> list[Row]:
    """A scan alone, against what C does; a rescan, against that scan."""
    roots = [ModelRoot(path=str(library))]
    with ModelIndex(database) as index:
        index.scan(roots, SilentReporter())
        contenders: dict[str, Callable[[], object]] = {
            "scan": lambda: walk_models(roots),
            "rescan": lambda: _expect(index.scan(roots, SilentReporter()).unchanged, count),
        }
        if sys.platform == "linux":
            contenders["find"] = lambda: _find(library)
        taken = medians(ROUNDS, contenders)
    rescan = Row(
        name=f"rescan {count:,} unchanged files",
        figure=f"{1000 * taken['rescan']:.1f} ms",
        floor=f"{1000 * taken['scan']:.1f} ms (our scan alone)",
        ratio=f"{taken['rescan'] / taken['scan']:.2f}",
        target="<= 1.35",
    )
    if "find" not in taken:
        return [rescan]
    scan = Row(
        name=f"scan {count:,} files with stat",
        figure=f"{count / taken['scan']:,.0f} files/s",
        floor=f"{count / taken['find']:,.0f} (find -printf)",
        ratio=f"{taken['find'] / taken['scan']:.2f}",
        target=">= 0.4",
    )
    return [scan, rescan]


def _find(library: Path) -> None:
    command = ["find", str(library), "-type", "f", "-printf", "%s %T@ %i\\n"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _first_index(library: Path, scratch: Path) -> Row:
    name = f"first index of {SMALL:,} small files"
    numbers = itertools.count()

    def ours() -> None:
        with ModelIndex(scratch / f"first-{next(numbers)}.db") as index:
            added = index.scan([ModelRoot(path=str(library))], SilentReporter()).added
            _expect(added, SMALL)

    before = medians(FIRST_ROUNDS, {"ours": ours})["ours"]
    try:
        answer = run_in_peer(COMFYDOCK_1, _PEER_INDEXES, str(library), str(scratch / "peer.db"))
    except PeerError as error:
        return row_without_peer(name, error)
    seconds, added = json.loads(answer)
    _expect(added, SMALL)
    taken = max(before, medians(FIRST_ROUNDS, {"ours": ours})["ours"])
    return Row(
        name=name,
        figure=f"{1000 * taken:.0f} ms",
        floor=f"{seconds:.1f} s ({COMFYDOCK_1})",
        ratio=f"{seconds / taken:.0f}x",
        target=">= 50x",
    )


def _memory(library: Path, database: Path) -> list[Row]:
    """The peak of a process that does nothing else, with a new index and with a full one.

    Not ru_maxrss: there a process also counts the memory of the one that started it.
    """
    command = [sys.executable, "-c", _SCAN_IN_A_CHILD, str(library), str(database)]
    rows = []
    for what in ("first index of", "rescan"):
        begun = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True)
        peak = int(done.stdout) / 1024
        rows.append(
            Row(
                name=f"memory, {what} {LARGE:,} files",
                figure=f"{peak:.0f} MB in {time.perf_counter() - begun:.1f} s",
                floor=f"{MOST_MEMORY} MB",
                ratio=f"{peak / MOST_MEMORY:.2f}",
                target="<= 1",
            )
        )
    return rows


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise ValueError(f"{found} files were found, not {wanted}")
