"""What a file's content is: a sampled short hash as a key, full digests as proof.

The short hash reads at most 1.3 MiB of a file of any size; two different files can share it, so
it finds candidates and proves nothing. "This file is that model" takes a full digest.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from queue import SimpleQueue

from blake3 import blake3

from comfydock_core.errors import CancelledError, StorageError

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

LARGEST_READ_WHOLE = _HEAD + _SAMPLES * _SAMPLE + _TAIL
"""Up to this size in bytes the short hash reads the whole file."""

BytesRead = Callable[[int], None]
_Digests = tuple[str, str]


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
    with _steady_file(path) as (file, size):
        ranges = _sampled_ranges(size)
        _announce(file, ranges)
        digest = blake3(size.to_bytes(8, "little"))
        for offset, length in ranges:
            file.seek(offset)
            digest.update(_read(file, length))
    return digest.hexdigest(length=SHORT_HASH_LENGTH // 2)


def full_hashes(path: Path, progress: BytesRead | None = None) -> FullHashes:
    """Return both digests of a file from one read of it.

    ``progress`` gets the number of bytes read so far. Raises StorageError as ``short_hash`` does.
    """
    return _full_hashes(path, _digest_in_ring, progress)


def full_hashes_of_many(
    paths: Iterable[Path], progress: Callable[[Path, int], None] | None = None
) -> Generator[tuple[Path, FullHashes | StorageError], None, None]:
    """Yield every path with its digests, or with what kept it from being read, as they are done.

    A thread per core, the largest file first. ``progress`` gets a path and its bytes read so far,
    from those threads. Closing the generator stops the files under way.
    """
    ordered = sorted(paths, key=_size_or_zero, reverse=True)
    stopped = threading.Event()

    def work(path: Path, digest: _Digest) -> FullHashes | StorageError:
        def tick(done: int) -> None:
            if stopped.is_set():
                raise CancelledError("hashing was stopped", subject=str(path))
            if progress is not None:
                progress(path, done)

        try:
            return _full_hashes(path, digest, tick)
        except StorageError as error:
            return error

    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers, thread_name_prefix="hashing") as pool:
        jobs = {
            pool.submit(work, path, _digest_for(position, len(ordered))): path
            for position, path in enumerate(ordered)
        }
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


_Digest = Callable[[FileIO, int, BytesRead], _Digests]


def _digest_for(position: int, count: int) -> _Digest:
    """Choose the ring for the last file, when the other cores have nothing left to do."""
    return _digest_in_ring if position == count - 1 else _digest_in_turn


def _full_hashes(path: Path, digest: _Digest, progress: BytesRead | None) -> FullHashes:
    with _steady_file(path) as (file, size):
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        blake, sha = digest(file, size, progress or _unobserved)
    return FullHashes(blake3=blake, sha256=sha, size=size)


def _digest_in_turn(file: FileIO, size: int, progress: BytesRead) -> _Digests:
    """Feed both digests from this thread: nothing is idle while other files use the cores."""
    blake, sha = blake3(), hashlib.sha256()
    buffer = memoryview(bytearray(min(_BUFFER, size + 1)))
    done = 0
    while count := file.readinto(buffer):
        blake.update(buffer[:count])
        sha.update(buffer[:count])
        done += count
        progress(done)
    return blake.hexdigest(), sha.hexdigest()


def _digest_in_ring(file: FileIO, size: int, progress: BytesRead) -> _Digests:
    """Read and feed blake3 here while a second thread feeds sha256, the slower one of the two."""
    if size <= _BUFFER:
        return _digest_in_turn(file, size, progress)
    blake, sha = blake3(), hashlib.sha256()
    free: SimpleQueue[memoryview] = SimpleQueue()
    filled: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
    for _ in range(_RING):
        free.put(memoryview(bytearray(_BUFFER)))

    def feed_sha() -> None:
        while (item := filled.get()) is not None:
            buffer, count = item
            sha.update(buffer[:count])
            free.put(buffer)

    thread = threading.Thread(target=feed_sha, name="hashing-sha256")
    thread.start()
    done = 0
    try:
        while count := file.readinto(buffer := free.get()):
            filled.put((buffer, count))
            blake.update(buffer[:count])
            done += count
            progress(done)
    finally:
        filled.put(None)
        thread.join()
    return blake.hexdigest(), sha.hexdigest()


@contextmanager
def _steady_file(path: Path) -> Iterator[tuple[FileIO, int]]:
    """Open a regular file for reading, and refuse what was read if the file changed meanwhile."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise StorageError(f"`{path}` is no regular file", subject=str(path))
        with open(path, "rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            yield file, before.st_size
        after = path.stat()
    except OSError as error:
        raise StorageError(
            f"`{path}` could not be read", cause=str(error), subject=str(path)
        ) from error
    if _version(before) != _version(after):
        raise StorageError(
            f"`{path}` changed while it was read",
            hint="wait until the program that writes it is done, then try again",
            subject=str(path),
        )


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _sampled_ranges(size: int) -> list[tuple[int, int]]:
    """Return (offset, length) of what the short hash reads of a file of ``size`` bytes."""
    if size <= LARGEST_READ_WHOLE:
        return [(0, size)]
    middle = size - _HEAD - _TAIL
    centres = (_HEAD + middle * (2 * i + 1) // (2 * _SAMPLES) for i in range(_SAMPLES))
    samples = [((centre - _SAMPLE // 2) // _PAGE * _PAGE, _SAMPLE) for centre in centres]
    return [(0, _HEAD), *samples, (size - _TAIL, _TAIL)]


def _announce(file: FileIO, ranges: list[tuple[int, int]]) -> None:
    """Let the disk fetch all ranges at once; where that cannot be said, they come one by one."""
    if len(ranges) > 1 and hasattr(os, "posix_fadvise"):
        for offset, length in ranges:
            os.posix_fadvise(file.fileno(), offset, length, os.POSIX_FADV_WILLNEED)


def _read(file: FileIO, length: int) -> bytearray:
    """Read ``length`` bytes, fewer only at the end of the file."""
    data = bytearray(length)
    view, done = memoryview(data), 0
    while done < length and (count := file.readinto(view[done:])):
        done += count
    return data


def _size_or_zero(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _unobserved(done: int) -> None:
    """Take a progress report that nobody asked for."""
