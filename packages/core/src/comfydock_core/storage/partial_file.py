"""The file that a download grows in: ``<target>.part`` with ``<target>.part.json`` beside it.

The JSON is ``{"url", "validator", "size", "boot", "arrived"}``: which source the bytes are from
(its URL without the query, which may hold a token; empty when they are from more than one), what
proves that the source still serves the same bytes (a strong ETag, or ``sha256:<hex>`` as Hugging
Face states it; empty when there is no proof), the size of the whole in bytes or null, the run of
the machine that wrote it, and which bytes are there as ``[[first, after the last], ...]``.

It is overwritten in place, in one write that a kill cannot tear, and not synced: after a power cut
it may speak of bytes that were lost, which only the digests or ``boot`` tell.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from comfydock_core.errors import DiskFullError, StorageError
from comfydock_core.storage.download_pieces import PIECE, Span
from comfydock_core.storage.durable_files import FULL, storage_errors, sync_folder
from comfydock_core.storage.preallocation import allocate

_OPEN_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_STATE_LIMIT = 64 * 1024
_PAGE = 4096
_ONE_WRITE = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class PartState:
    """Whose bytes a partial file holds, and which; ``size`` is that of the whole."""

    url: str
    validator: str
    size: int | None
    arrived: tuple[Span, ...] = ()
    boot: str = ""

    @property
    def done(self) -> int:
        """How many bytes are there."""
        return sum(end - start for start, end in self.arrived)


class PartialFile:
    """Bytes on their way to ``target``; the caller holds the target's lock."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._state_path = target.with_name(target.name + ".part.json")
        self._identity: tuple[int, int] | None = None

    def state(self) -> PartState | None:
        """Read whose bytes are there; None when that is not known for certain."""
        try:
            status, said = os.lstat(self.path), os.lstat(self._state_path)
            if not (stat.S_ISREG(status.st_mode) and stat.S_ISREG(said.st_mode)):
                return None
            if said.st_size > _STATE_LIMIT:
                return None
            data = json.loads(self._state_path.read_bytes())
            return _checked(PartState(**data), status.st_size)
        except (OSError, ValueError, RecursionError, TypeError):
            return None

    @contextmanager
    def begun(self, state: PartState) -> Iterator[OpenPart]:
        """Open the file, empty; whose bytes are in it is said once they are worth to be kept.

        The target's folder has to be there.
        """
        self.discard()
        with self.opened(state) as part:
            yield part

    @contextmanager
    def opened(self, state: PartState) -> Iterator[OpenPart]:
        """Open the file, to write and to read back and to say what is there."""
        with _part_errors(self.target), ExitStack() as files:
            bytes_there = files.enter_context(_descriptor(self.path, os.O_CREAT))
            self._identity = _identity(bytes_there)

            def state_there() -> int:
                return files.enter_context(_descriptor(self._state_path, os.O_CREAT))

            yield OpenPart(self.target, bytes_there, state_there, state)

    def place(self, size: int) -> None:
        """Make the file last and give it its name; a file that is there is never replaced.

        The file has to be the one that was opened to write to, with all of its bytes.
        """
        with _part_errors(self.target):
            with self._written() as descriptor:
                if os.fstat(descriptor).st_size < size:
                    raise self._exchanged()
                os.ftruncate(descriptor, size)
                os.fsync(descriptor)
            try:
                self._take_name()
            except FileExistsError as error:
                raise StorageError(
                    f"`{self.target}` appeared while it was being downloaded",
                    hint=f"compare it with `{self.path}`, then delete one of them",
                    subject=str(self.target),
                ) from error
        self.discard()
        sync_folder(self.target.parent)

    @contextmanager
    def _written(self) -> Iterator[int]:
        """Open the file that was written to again, if it still lies there."""
        try:
            with _descriptor(self.path, 0) as descriptor:
                if _identity(descriptor) != self._identity:
                    raise self._exchanged()
                yield descriptor
        except FileNotFoundError as error:
            raise self._exchanged() from error

    def _exchanged(self) -> StorageError:
        return StorageError(
            f"`{self.path}` was removed or exchanged while it was being downloaded",
            hint="run the same command again",
            subject=str(self.target),
        )

    def discard(self) -> None:
        """Forget what has arrived."""
        with storage_errors(self.path):
            self._state_path.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    def _take_name(self) -> None:
        """A hard link fails where the name is taken; without hard links the name is taken first."""
        try:
            os.link(self.path, self.target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.close(os.open(self.target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
            self.path.replace(self.target)


class OpenPart:
    """A partial file that is open, for all the threads that bring its bytes."""

    def __init__(
        self, target: Path, bytes_there: int, state_there: Callable[[], int], state: PartState
    ) -> None:
        self._target = target
        self._bytes = bytes_there
        self._open_state = state_there
        self._state: int | None = None
        head = {"url": state.url, "validator": state.validator, "size": state.size}
        self._head = json.dumps({**head, "boot": _boot()})[:-1]
        self._size = state.size or 0
        self._is_worth_allocating = self._size > _ONE_WRITE
        self._allocated = 0
        self._state_size = 0
        self._seeking = threading.Lock()

    def write(self, offset: int, chunk: bytes | memoryview) -> None:
        """Write all of ``chunk``; a full disk is a DiskFullError and what is there stays."""
        left = memoryview(chunk)
        self._allocate(offset + len(left))
        with _part_errors(self._target):
            while left:
                count = self._write_some(self._bytes, left, offset)
                offset, left = offset + count, left[count:]

    def read_back(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset`` and return the number of bytes read."""
        with storage_errors(self._target):
            if hasattr(os, "preadv"):
                return os.preadv(self._bytes, [buffer], offset)
            with self._seeking:
                os.lseek(self._bytes, offset, os.SEEK_SET)
                data = os.read(self._bytes, len(buffer))
            buffer[: len(data)] = data
            return len(data)

    def save(self, arrived: Sequence[Span]) -> None:
        """Say which bytes are there; called by one thread at a time."""
        spans = ", ".join(f"[{start}, {end}]" for start, end in arrived)
        data = f'{self._head}, "arrived": [{spans}]}}'.encode()
        pages = -(-len(data) // _PAGE) * _PAGE
        with _part_errors(self._target):
            if self._state is None:
                self._state = self._open_state()
                # What an earlier run wrote is written over to its end.
                self._state_size = os.fstat(self._state).st_size
            self._state_size = max(self._state_size, pages)
            self._write_some(self._state, memoryview(data.ljust(self._state_size)), 0)

    def _allocate(self, end: int) -> None:
        """Have the disk ready for a whole piece at once, where it can; writing it says the rest."""
        if end <= self._allocated or not self._is_worth_allocating:
            return
        first, self._allocated = self._allocated, min(-(-end // PIECE) * PIECE, self._size)
        allocate(self._bytes, first, self._allocated - first)

    def _write_some(self, descriptor: int, data: memoryview, offset: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(descriptor, data, offset)
        with self._seeking:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.write(descriptor, data)


def _checked(state: PartState, there: int) -> PartState:
    """Refuse, with ValueError, a state that was not written by us for these bytes."""
    texts = (state.url, state.validator, state.boot)
    ends = [0, *(edge for span in state.arrived for edge in span)]
    known = there if state.size is None else min(there, state.size)
    sound = (
        all(isinstance(text, str) for text in texts)
        and isinstance(state.size, int | None)
        and all(isinstance(edge, int) for edge in ends)
        and ends == sorted(ends)
        and all(len(span) == 2 for span in state.arrived)
        and ends[-1] <= known
    )
    if not sound:
        raise ValueError("not a state of this file")
    spans = tuple((start, end) for start, end in state.arrived if start < end)
    return PartState(
        url=state.url,
        validator=state.validator,
        size=state.size,
        arrived=spans,
        boot=state.boot,
    )


def is_of_this_boot(state: PartState) -> bool:
    """Whether no power cut can have taken bytes away since the state was written."""
    return state.boot == _boot()


@cache
def _boot() -> str:
    """This run of the machine, where the system names it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


@contextmanager
def _descriptor(path: Path, more_flags: int) -> Iterator[int]:
    descriptor = os.open(path, _OPEN_FLAGS | more_flags, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


@contextmanager
def _part_errors(target: Path) -> Iterator[None]:
    with storage_errors(target):
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise DiskFullError(
                f"the disk of `{target}` is full; what has arrived is kept",
                cause=error.strerror or "",
                hint="free some space, then run the same command again: it goes on from there",
                subject=str(target),
            ) from error
