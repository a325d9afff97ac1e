"""What a file's content is: a sampled short hash as a key, full digests as proof.

The short hash reads at most 1.3 MiB of a file of any size; two different files can share it, so
it finds candidates and proves nothing. "This file is that model" takes a full digest.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from blake3 import blake3

from comfydock_core.errors import CancelledError, StorageError
from comfydock_core.storage.steady_file import SteadyFile, changed_while_read, steady_file

SHORT_HASH_SCHEME = "blake3-sampled-1"

# 128 bits: no accident makes two samples meet, and no key of this scheme can be mistaken for the
# 16 characters that ComfyDock 1.x and ComfyGit write from samples of their own.
SHORT_HASH_LENGTH = 32

_KIB = 1024
_HEAD = 256 * _KIB
_SAMPLE = 64 * _KIB
_SAMPLES = 16
_TAIL = 64 * _KIB
_PAGE = 4 * _KIB
_BUFFER = 1024 * _KIB
_RING = 4

LARGEST_SAMPLE = 64 * _KIB * _KIB
"""``measured_rate`` reads no more bytes than these."""

_LONGEST_SAMPLE = 0.5  # seconds: a person waits for the estimate

LARGEST_READ_WHOLE = _HEAD + _SAMPLES * _SAMPLE + _TAIL
"""Up to this size in bytes the short hash reads the whole file."""

BytesRead = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class FullHashes:
    """blake3 and sha256 (lower-case hex) of a whole file of ``size`` bytes."""

    blake3: str
    sha256: str
    size: int


def short_hash(path: Path) -> str:
    """Return the ``blake3-sampled-1`` hash of a file, 32 hex characters.

    It is blake3(size as 8 bytes little-endian, first 256 KiB, 16 samples of 64 KiB evenly spread
    and aligned down to 4 KiB, last 64 KiB); a file no larger than these together is read whole.
    Raises StorageError for what cannot be read, is no regular file, or changes meanwhile.
    """
    with steady_file(path) as file:
        ranges = _sampled_ranges(file.size)
        if len(ranges) > 1:
            _announce(file, ranges)
        digest = blake3(file.size.to_bytes(8, "little"))
        for offset, length in ranges:
            digest.update(file.read_at(offset, length))
    return digest.hexdigest(length=SHORT_HASH_LENGTH // 2)


def full_hashes(path: Path, progress: BytesRead | None = None) -> FullHashes:
    """Return both digests of a file from one read of it.

    ``progress`` gets the number of bytes read so far; what it raises stops the reading. Raises
    StorageError as ``short_hash`` does.
    """
    return _full_hashes(path, _two_cores, progress or _unobserved)


def full_hashes_of_many(
    paths: Iterable[Path], progress: Callable[[Path, int], None] | None = None
) -> Generator[tuple[Path, FullHashes | StorageError], None, None]:
    """Yield every path with its digests, or with what kept it from being read, as they are done.

    A thread per core, the largest file first. ``progress`` gets a path and its bytes read so far,
    from those threads. An interrupt, and closing the generator, stop the files under way.
    """
    ordered = sorted(paths, key=_size_or_zero, reverse=True)
    workers = os.cpu_count() or 1
    stopped = threading.Event()
    finished: list[Path] = []

    def has_idle_core() -> bool:
        return len(ordered) - len(finished) < workers

    def work(path: Path) -> FullHashes | StorageError:
        def tick(done: int) -> None:
            if stopped.is_set():
                raise CancelledError("hashing was stopped", subject=str(path))
            if progress is not None:
                progress(path, done)

        try:
            return _full_hashes(path, has_idle_core, tick)
        except StorageError as error:
            return error
        finally:
            finished.append(path)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="hashing")
    try:
        jobs = {pool.submit(work, path): path for path in ordered}
        for job in as_completed(jobs):
            yield jobs[job], job.result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def measured_rate(paths: Iterable[Path], sample_bytes: int = LARGEST_SAMPLE) -> float:
    """Return how many bytes a second both digests take here, from a sample of the largest file.

    The sample has at most ``sample_bytes`` and takes about half a second on a slow disk. Raises
    StorageError if there is no file with bytes that can be read.
    """
    for path in sorted(paths, key=_size_or_zero, reverse=True):
        with suppress(StorageError):
            return _rate(path, min(sample_bytes, LARGEST_SAMPLE))
    raise StorageError("no file could be read to measure the speed of hashing")


def _rate(path: Path, sample_bytes: int) -> float:
    """Sample the middle, which neither a header's reader nor the short hash has brought in."""
    with steady_file(path) as file:
        left = min(sample_bytes, file.size)
        place = ((file.size - left) // 2, left)
        file.move_to(place[0])
        begun = time.perf_counter()

        def read(buffer: memoryview) -> int:
            nonlocal left
            in_time = time.perf_counter() - begun < _LONGEST_SAMPLE
            count = file.read_into(buffer[:left]) if in_time else 0
            left -= count
            return count

        digests = _BothDigests(read, _unobserved)
        digests.run(place[1], _two_cores)
        taken = time.perf_counter() - begun
        file.advise("DONTNEED", *place)  # else the next measurement would be one of memory
    if not digests.done:
        raise StorageError(f"`{path}` is empty", subject=str(path))
    return digests.done / taken


def _full_hashes(path: Path, has_idle_core: Callable[[], bool], progress: BytesRead) -> FullHashes:
    with steady_file(path) as file:
        file.advise("SEQUENTIAL")
        digests = _BothDigests(file.read_into, progress)
        digests.run(file.size, has_idle_core)
        if digests.done != file.size:
            raise changed_while_read(path)
    return FullHashes(
        blake3=digests.blake3.hexdigest(), sha256=digests.sha256.hexdigest(), size=file.size
    )


class _BothDigests:
    """Both digests of what ``read`` puts into a buffer; ``done`` bytes of it are in them."""

    def __init__(self, read: Callable[[memoryview], int], progress: BytesRead) -> None:
        self.blake3 = blake3()
        self.sha256 = hashlib.sha256()
        self.done = 0
        self._read = read
        self._progress = progress

    def run(self, size: int, has_idle_core: Callable[[], bool]) -> None:
        """Read up to the end, or past ``size`` by one buffer at most.

        In turn while other files use the cores, because that costs the least in all; in a ring
        as soon as a core has nothing else to do.
        """
        buffer = memoryview(bytearray(min(_BUFFER, size + 1)))
        while self.done <= size:
            if size - self.done > _BUFFER and has_idle_core():
                self._run_in_ring(size)
                return
            if not (count := self._read(buffer)):
                return
            self.sha256.update(buffer[:count])
            self._take(buffer[:count])

    def _run_in_ring(self, size: int) -> None:
        """Read and feed blake3 here while a second thread feeds sha256, the slower one."""
        free: SimpleQueue[memoryview] = SimpleQueue()
        filled: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        for _ in range(_RING):
            free.put(memoryview(bytearray(_BUFFER)))

        def feed_sha256() -> None:
            while (item := filled.get()) is not None:
                buffer, count = item
                self.sha256.update(buffer[:count])
                free.put(buffer)

        thread = threading.Thread(target=feed_sha256, name="hashing-sha256")
        try:
            thread.start()
            while self.done <= size and (count := self._read(buffer := free.get())):
                filled.put((buffer, count))
                self._take(buffer[:count])
        finally:
            filled.put(None)
            if thread.is_alive():  # an interrupt may have come before it was started
                thread.join()

    def _take(self, data: memoryview) -> None:
        self.blake3.update(data)
        self.done += len(data)
        self._progress(self.done)


def _two_cores() -> bool:
    return (os.cpu_count() or 1) > 1


def _sampled_ranges(size: int) -> list[tuple[int, int]]:
    """Return (offset, length) of what the short hash reads of a file of ``size`` bytes."""
    if size <= LARGEST_READ_WHOLE:
        return [(0, size)]
    middle = size - _HEAD - _TAIL
    centres = (_HEAD + middle * (2 * i + 1) // (2 * _SAMPLES) for i in range(_SAMPLES))
    samples = [((centre - _SAMPLE // 2) // _PAGE * _PAGE, _SAMPLE) for centre in centres]
    return [(0, _HEAD), *samples, (size - _TAIL, _TAIL)]


def _announce(file: SteadyFile, ranges: list[tuple[int, int]]) -> None:
    """Let the disk fetch all ranges at once and nothing that lies behind them."""
    file.advise("RANDOM")
    for offset, length in ranges:
        file.advise("WILLNEED", offset, length)


def _size_or_zero(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _unobserved(done: int) -> None:
    """Take a progress report that nobody asked for."""
