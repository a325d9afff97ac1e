"""Writes the subset of .tar.gz that ``tar_reader.py`` reads, with the same bytes every time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from stat import S_ISREG

from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import (
    CHUNK,
    DEFAULT_LIMITS,
    ArchiveLimits,
    ArchiveMember,
    MemberSource,
    kept_mode,
)
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.gzip_writer import GzipWriter
from comfydock_core.storage.member_rules import MemberGate, refused_member
from comfydock_core.storage.new_file import new_file
from comfydock_core.storage.tar_format import END, MAX_MTIME, file_header, padding_of

# O_NONBLOCK: opening a named pipe must not wait for somebody to write to it.
_SOURCE = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


def write_archive(
    target: Path,
    members: Iterable[MemberSource],
    *,
    mtime: int,
    replace: bool = False,
    limits: ArchiveLimits = DEFAULT_LIMITS,
) -> tuple[ArchiveMember, ...]:
    """Write ``members``, sorted by path, to the new file ``target``; return what was written.

    ``mtime`` is in seconds since 1970 (negative counts as 0). Equal contents, modes and ``mtime``
    give equal bytes. A member that ``read_archive`` would refuse for its name or size is a
    BundleError, as is a source that is no regular file or changes while it is read; a ``target``
    that exists is a StorageError unless ``replace`` is set. A failure leaves nothing behind.
    """
    time = min(max(mtime, 0), MAX_MTIME)
    with (
        storage_errors(target),
        new_file(target, replace=replace) as part,
        part.open("xb") as file,
        GzipWriter(file) as stream,
    ):
        written = _Writing(target.name, limits, time, stream.write).add_all(members)
        stream.write(END)
        stream.finish()
    return written


def measure_members(
    members: Iterable[MemberSource], archive: str, limits: ArchiveLimits = DEFAULT_LIMITS
) -> tuple[ArchiveMember, ...]:
    """Return what ``write_archive`` would write to a file named ``archive``, without writing."""
    return _Writing(archive, limits, 0, _drop).add_all(members)


class _Writing:
    """The members of one archive on their way to ``write``."""

    def __init__(
        self, archive: str, limits: ArchiveLimits, mtime: int, write: Callable[[bytes], None]
    ) -> None:
        self._archive = archive
        self._gate = MemberGate(archive, limits)
        self._mtime = mtime
        self._write = write

    def add_all(self, members: Iterable[MemberSource]) -> tuple[ArchiveMember, ...]:
        """Write every member, sorted by path."""
        return tuple(map(self._add, sorted(members, key=lambda member: member.path)))

    def _add(self, source: MemberSource) -> ArchiveMember:
        if isinstance(source.content, bytes):
            return self._add_chunks(source, len(source.content), (source.content,))
        descriptor = _open_regular(source.content)
        if descriptor is None:
            rule = "is no regular file, and only those travel"
            raise refused_member(self._archive, source.path, rule)
        try:
            size = os.fstat(descriptor).st_size
            chunks = _file_chunks(descriptor, size, source.content)
            return self._add_chunks(source, size, chunks)
        finally:
            os.close(descriptor)

    def _add_chunks(
        self, source: MemberSource, size: int, chunks: Iterable[bytes]
    ) -> ArchiveMember:
        mode = kept_mode(source.mode)
        digest = hashlib.sha256()
        self._gate.count_record(source.path)
        self._gate.admit_file(source.path, size)
        self._write(file_header(source.path, size, mode, self._mtime))
        for chunk in chunks:
            digest.update(chunk)
            self._write(chunk)
        self._write(bytes(padding_of(size)))
        return ArchiveMember(path=source.path, size=size, mode=mode, sha256=digest.hexdigest())


def _open_regular(file: Path) -> int | None:
    """Open a regular file; None for a link, a pipe, a device or a folder."""
    with storage_errors(file):
        return os.open(file, _SOURCE) if S_ISREG(os.lstat(file).st_mode) else None


def _file_chunks(descriptor: int, size: int, file: Path) -> Iterator[bytes]:
    """Yield exactly ``size`` bytes, or refuse a file that has become shorter or longer."""
    left = size
    with storage_errors(file):
        while True:
            # One byte more than there should be shows growth without another call.
            chunk = os.read(descriptor, min(left, CHUNK) + 1)
            left -= len(chunk)
            if left < 0 or (left and not chunk):
                raise _changed(file)
            yield chunk
            if not left:
                return


def _changed(file: Path) -> BundleError:
    return BundleError(
        f"`{file}` changed while it was read",
        hint="wait until nothing writes to it, then run the same command again",
        subject=str(file),
    )


def _drop(data: bytes) -> None:
    """Write ``data`` nowhere."""
