"""Both digests and the short hash, against the bare algorithms and against the peers."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from blake3 import blake3
from comfydock_core.storage.hashing import full_hashes, full_hashes_of_many, short_hash

from benchmarks.material import cache_folder
from benchmarks.peers import COMFYDOCK_1, COMFYGIT, PeerError, row_without_peer, run_in_peer
from benchmarks.rows import Row, medians

ROUNDS = 7
COLD_ROUNDS = 3
MIB = 1024 * 1024
LARGE, MANY, MORE = 512 * MIB, [128 * MIB] * 8, [64 * MIB] * 36

_PEERS = {
    COMFYDOCK_1: (
        "from comfydock_core.repositories.model_repository import ModelRepository\n"
        "short_hash = lambda path: ModelRepository.calculate_short_hash(None, path)\n"
    ),
    COMFYGIT: (
        "from comfygit_core.repositories.model_repository import calculate_model_short_hash\n"
        "short_hash = calculate_model_short_hash\n"
    ),
}
_TIMED_COLD = """
import json, os, sys, time
from pathlib import Path

def taken(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    begun = time.perf_counter()
    short_hash(path)
    return time.perf_counter() - begun

print(json.dumps([taken(Path(path)) for path in sys.argv[1:]]))
"""


def run() -> list[Row]:
    """Measure digests of what is in memory, and short hashes of what is not."""
    (large,) = _files("large", [LARGE])
    many, more = _files("many", MANY), _files("more", MORE)
    rows = [_one_file(large), _many_files(many)]
    if hasattr(os, "posix_fadvise"):
        rows += [_short_hashes([*many, *more], peer) for peer in _PEERS]
    return rows


def _one_file(path: Path) -> Row:
    contenders: dict[str, Callable[[], object]] = {
        "both": lambda: full_hashes(path),
        "sha256": lambda: _read_into(path, [hashlib.sha256().update]),
    }
    taken = medians(ROUNDS, contenders)
    return Row(
        name="both digests of one file (512 MiB)",
        figure=_speed(LARGE, taken["both"]),
        floor=f"{_speed(LARGE, taken['sha256'])} (sha256 alone)",
        ratio=f"{taken['sha256'] / taken['both']:.2f}",
        target=">= 0.95",
    )


def _many_files(paths: list[Path]) -> Row:
    """The floor is a process for each core, which shares nothing with the others."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        contenders: dict[str, Callable[[], object]] = {
            "both": lambda: list(full_hashes_of_many(paths)),
            "processes": lambda: list(pool.map(_both_in_turn, paths)),
        }
        contenders["processes"]()  # starts them
        taken = medians(ROUNDS, contenders)
    total = sum(MANY)
    return Row(
        name="both digests of 8 files (128 MiB each)",
        figure=_speed(total, taken["both"]),
        floor=f"{_speed(total, taken['processes'])} (a process per core)",
        ratio=f"{taken['processes'] / taken['both']:.2f}",
        target=">= 0.95",
    )


def _short_hashes(paths: list[Path], peer: str) -> Row:
    """Every file is dropped from memory before each contender reads it."""
    name = f"short hash, cold ({len(paths)} files of 64 and 128 MiB)"
    ours: list[float] = []
    theirs: list[float] = []
    try:
        for _ in range(COLD_ROUNDS):
            code = _PEERS[peer] + _TIMED_COLD
            theirs += json.loads(run_in_peer(peer, code, *map(str, paths)))
            ours += map(_taken_cold, paths)
    except PeerError as error:
        return row_without_peer(name, error)
    figure, floor = statistics.median(ours), statistics.median(theirs)
    return Row(
        name=name,
        figure=f"{figure * 1000:.2f} ms",
        floor=f"{floor * 1000:.2f} ms ({peer})",
        ratio=f"{floor / figure:.1f}",
        target=">= 7",
    )


def _taken_cold(path: Path) -> float:
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    begun = time.perf_counter()
    short_hash(path)
    return time.perf_counter() - begun


def _both_in_turn(path: Path) -> None:
    _read_into(path, [hashlib.sha256().update, blake3().update])


def _read_into(path: Path, digests: list[Callable[[memoryview], object]]) -> None:
    buffer = memoryview(bytearray(MIB))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            for update in digests:
                update(buffer[:count])


def _files(name: str, sizes: Iterable[int]) -> list[Path]:
    """Random files, written once and to the disk: memory lets go only of what is on it."""
    folder = cache_folder() / "hashing"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, size in enumerate(sizes):
        path = folder / f"{name}-{number}-{size // MIB}.bin"
        if not path.exists():
            aside = path.with_suffix(".part")
            with open(aside, "wb") as file:
                for _ in range(size // MIB):
                    file.write(os.urandom(MIB))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        paths.append(path)
    return paths


def _speed(size: int, seconds: float) -> str:
    return f"{size / seconds / 1e6:,.0f} MB/s"
