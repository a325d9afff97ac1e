"""The file that a download grows in: ``<target>.part`` with ``<target>.part.json`` beside it.

The JSON is ``{"url", "validator", "size"}``: which source the bytes are from (its URL without the
query, which may hold a token), what proves that the source still serves the same bytes (a strong
ETag, or ``sha256:<hex>`` as Hugging Face states it; empty when there is no proof), and the size of
the whole in bytes, or null.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from comfydock_core.errors import DiskFullError, StorageError
from comfydock_core.storage.arriving_digests import ArrivingDigests
from comfydock_core.storage.durable_files import (
    FULL,
    storage_errors,
    sync_folder,
    write_durably,
)

READ_SIZE = 1024 * 1024
_OPEN_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_STATE_LIMIT = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class PartState:
    """Whose bytes a partial file holds; ``size`` is that of the whole."""

    url: str
    validator: str
    size: int | None


class PartialFile:
    """Bytes on their way to ``target``; the caller holds the target's lock."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._state_path = target.with_name(target.name + ".part.json")

    def state(self) -> PartState | None:
        """Read whose bytes are there; None when that is not known for certain."""
        try:
            if self.path.is_symlink() or self._state_path.stat().st_size > _STATE_LIMIT:
                return None
            data = json.loads(self._state_path.read_bytes())
            state = PartState(url=data["url"], validator=data["validator"], size=data["size"])
        except (OSError, ValueError, RecursionError, TypeError, KeyError):
            return None
        texts = isinstance(state.url, str) and isinstance(state.validator, str)
        return state if texts and isinstance(state.size, int | None) else None

    def size(self) -> int:
        """Return how many bytes have arrived."""
        try:
            return self.path.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0

    def start(self, state: PartState) -> None:
        """Empty the file, then say whose bytes will be in it; in this order a kill is harmless."""
        with storage_errors(self.target.parent):
            self.target.parent.mkdir(parents=True, exist_ok=True)
        self.discard()
        with self._opened() as descriptor:
            os.ftruncate(descriptor, 0)
        write_durably(self._state_path, json.dumps(asdict(state)).encode())

    @contextmanager
    def appending(self, offset: int, digests: ArrivingDigests) -> Iterator[int]:
        """Open for writing at ``offset``; the bytes before it are read back into ``digests``."""
        with self._opened() as descriptor:
            with self._named_failures():
                os.ftruncate(descriptor, offset)
                left = offset
                while left and (chunk := os.read(descriptor, min(left, READ_SIZE))):
                    digests.feed(chunk)
                    left -= len(chunk)
            yield descriptor

    def write(self, descriptor: int, chunk: bytes) -> None:
        """Write all of ``chunk``; a full disk is a StorageError and what is there stays."""
        left = memoryview(chunk)
        with self._named_failures():
            while left:
                left = left[os.write(descriptor, left) :]

    def place(self) -> None:
        """Make the file last and give it its name; a file that is there is never replaced."""
        with self._opened() as descriptor:
            os.fsync(descriptor)
        with self._named_failures():
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

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with self._named_failures():
            descriptor = os.open(self.path, _OPEN_FLAGS, 0o644)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _named_failures(self) -> Iterator[None]:
        with storage_errors(self.path):
            try:
                yield
            except OSError as error:
                if error.errno not in FULL:
                    raise
                raise DiskFullError(
                    f"the disk of `{self.target}` is full; what has arrived is kept",
                    cause=error.strerror or "",
                    hint="free some space, then run the same command again: it goes on from there",
                    subject=str(self.target),
                ) from error
