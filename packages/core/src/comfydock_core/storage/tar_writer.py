"""Writes the subset of .tar.gz that ``tar_reader.py`` reads, with the same bytes every time."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import (
    CHUNK,
    DEFAULT_LIMITS,
    PLAIN_MODE,
    ArchiveLimits,
    ArchiveMember,
    Listing,
    MemberSource,
    kept_mode,
)
from comfydock_core.storage.durable_files import storage_error, storage_errors
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
    overwrite: bool = False,
    limits: ArchiveLimits = DEFAULT_LIMITS,
) -> tuple[ArchiveMember, ...]:
    """Write ``members``, sorted by path, to the new file ``target``; return what was written.

    ``mtime`` is in seconds since 1970 (negative counts as 0). Equal contents, modes and ``mtime``
    give equal bytes. A member that ``read_archive`` would refuse for its name or size is a
    BundleError, as is a source that is no regular file or changes while it is read; a ``target``
    that exists is a StorageError unless ``overwrite`` is set. A failure leaves nothing behind.
    """
    with storage_errors(target), new_file(target, replace=overwrite) as part:
        admitted = AdmittedMembers(members, target.name, limits)
        return admitted.write(part, mtime=mtime)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Admitted:
    """A source that may be written; its file had ``size`` bytes when it was let in."""

    source: MemberSource
    size: int
    mode: int

    def described(self, sha256: str = "") -> ArchiveMember:
        """Return the member that this becomes; without ``sha256`` with that of the source."""
        return ArchiveMember(
            path=self.source.path,
            size=self.size,
            mode=self.mode,
            sha256=sha256 or self.source.sha256,
        )


class AdmittedMembers:
    """Members that may go into one archive, sorted by path; all are let in before any is read.

    A BundleError names the first that may not, and the rule. ``archive`` is the file's name as
    errors show it. ``listing`` is made when everything that sorts before it has been written.
    """

    def __init__(
        self,
        members: Iterable[MemberSource],
        archive: str,
        limits: ArchiveLimits = DEFAULT_LIMITS,
        listing: Listing | None = None,
    ) -> None:
        self._archive = archive
        self._listing = listing
        self._gate = MemberGate(archive, limits)
        self._members = [
            self._admit(source) for source in sorted(members, key=lambda member: member.path)
        ]

    def write(self, part: Path, *, mtime: int) -> tuple[ArchiveMember, ...]:
        """Create the file ``part``, write the archive to it, once, and return what was written.

        ``mtime`` is as for ``write_archive``. A failure may leave ``part`` behind.
        """
        time = min(max(mtime, 0), MAX_MTIME)
        with _created(part) as file, GzipWriter(file) as stream:
            written = self._write_to(stream, time)
            stream.write(END)
            stream.finish()
        return written

    def _write_to(self, stream: GzipWriter, mtime: int) -> tuple[ArchiveMember, ...]:
        listing = self._listing
        if listing is None:
            return tuple(_write(stream, member, mtime) for member in self._members)
        place = bisect(self._members, listing.path, key=lambda member: member.source.path)
        written = [_write(stream, member, mtime) for member in self._members[:place]]
        rest = [_measured(member) for member in self._members[place:]]
        content = listing.make((*written, *(member.described() for member in rest)))
        listed = self._admit(MemberSource(path=listing.path, content=content))
        return (*written, *(_write(stream, member, mtime) for member in (listed, *rest)))

    def _admit(self, source: MemberSource) -> _Admitted:
        if isinstance(source.content, bytes):
            size, mode = len(source.content), PLAIN_MODE
        else:
            size, mode = self._status(source, source.content)
        self._gate.count_record(source.path)
        self._gate.admit_file(source.path, size)
        chosen = mode if source.mode is None else source.mode
        return _Admitted(source=source, size=size, mode=kept_mode(chosen))

    def _status(self, source: MemberSource, file: Path) -> tuple[int, int]:
        """Return size and mode of a regular file; a link, a pipe or a folder is refused."""
        try:
            status = os.lstat(file)
        except OSError as error:
            raise storage_error(file, error) from error
        if not S_ISREG(status.st_mode):
            rule = "is no regular file, and only those travel"
            raise refused_member(self._archive, source.path, rule)
        return status.st_size, status.st_mode


@contextmanager
def _created(part: Path) -> Iterator[BinaryIO]:
    """Create ``part``; where that is not possible, it is the folder that says why."""
    try:
        file = part.open("xb")
    except OSError as error:
        raise storage_error(part.parent, OSError(error.errno, error.strerror)) from error
    with file:
        yield file


def _write(stream: GzipWriter, member: _Admitted, mtime: int) -> ArchiveMember:
    source = member.source
    take = stream.store if source.stored else stream.write
    digest = hashlib.sha256()
    stream.write(file_header(source.path, member.size, member.mode, mtime))
    for chunk in _contents(member):
        digest.update(chunk)
        take(chunk)
    stream.write(bytes(padding_of(member.size)))
    written = member.described(digest.hexdigest())
    if source.sha256 not in ("", written.sha256):
        raise _changed(source, "is not what it was when its digest was taken")
    return written


def _measured(member: _Admitted) -> _Admitted:
    """Return ``member`` with its digest, which is taken where it is not known."""
    source = member.source
    if source.sha256:
        return member
    digest = hashlib.sha256()
    for chunk in _contents(member):
        digest.update(chunk)
    return replace(member, source=replace(source, sha256=digest.hexdigest()))


def _contents(member: _Admitted) -> Iterable[bytes]:
    content = member.source.content
    return (content,) if isinstance(content, bytes) else _file_chunks(member, content)


def _file_chunks(member: _Admitted, file: Path) -> Iterator[bytes]:
    """Yield exactly ``member.size`` bytes, or refuse a file that changes meanwhile."""
    descriptor = -1
    try:
        descriptor = os.open(file, _SOURCE)
        before = os.fstat(descriptor)
        left = member.size
        while True:
            # One byte more than there should be shows growth without another call.
            chunk = os.read(descriptor, min(left, CHUNK) + 1)
            left -= len(chunk)
            if left < 0 or (left and not chunk):
                raise _changed(member.source, "changed while it was read")
            yield chunk
            if not left:
                break
        if before.st_size != member.size or _state(before) != _state(os.fstat(descriptor)):
            raise _changed(member.source, "changed while it was read")
    except OSError as error:
        raise storage_error(file, error) from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _changed(source: MemberSource, what: str) -> BundleError:
    return BundleError(
        f"`{source.content!s}` {what}",
        hint="wait until nothing writes to it, then run the same command again",
        subject=str(source.content),
    )
