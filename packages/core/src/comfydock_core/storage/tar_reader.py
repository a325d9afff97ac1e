"""Reads a bundle's .tar.gz strictly: plain files and folders, in their places, and nothing else.

The gzip layer is in ``gzip_reader.py``, the records are in ``tar_format.py``, the rules for names
and amounts in ``member_rules.py``; here is the order in which a whole archive must have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from comfydock_core.errors import BundleError, NotFoundError
from comfydock_core.storage import tar_format
from comfydock_core.storage.archive import (
    DEFAULT_LIMITS,
    MEBIBYTE,
    ArchiveLimits,
    ArchiveMember,
    kept_mode,
)
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.gzip_reader import GzipReader
from comfydock_core.storage.member_rules import MemberGate, refused_member, shown
from comfydock_core.storage.member_tree import open_tree, write_member
from comfydock_core.storage.tar_format import BLOCK, FOLDER_KIND, TarRecord

_MAX_NAME_RECORD = 64 << 10
_MAX_END_PADDING = MEBIBYTE
_EMPTY = bytes(BLOCK)
_LONG_PATH = {
    tar_format.PAX_KIND: tar_format.pax_path,
    tar_format.GNU_NAME_KIND: tar_format.gnu_path,
}


def read_archive(
    archive: Path,
    destination: Path,
    *,
    place_of: Callable[[str], str],
    limits: ArchiveLimits = DEFAULT_LIMITS,
) -> tuple[ArchiveMember, ...]:
    """Unpack ``archive`` into the fresh, private folder ``destination``; return its files, sorted.

    ``place_of`` names the place of the format that a path lies in and returns ``""`` for none; a
    folder's own record is asked with a trailing slash. A BundleError names the member and the
    rule that it breaks; files that were written before it stay in ``destination``, which is the
    caller's to remove. Folders are made for the files in them only.
    """
    with (
        storage_errors(archive),
        _open_archive(archive) as file,
        open_tree(destination) as tree,
    ):
        reading = _TarReading(GzipReader(file, archive.name), archive.name, place_of, limits)
        members = [
            write_member(tree, record.path, kept_mode(record.mode), reading.contents(record))
            for record in reading.files()
        ]
    return tuple(sorted(members, key=lambda member: member.path))


def _open_archive(archive: Path) -> BinaryIO:
    if archive.is_dir():
        name = shown(archive.name)
        raise BundleError(f"`{name}` is not a comfydock bundle: it is a folder", subject=name)
    try:
        return archive.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError(f"`{archive}` does not exist", subject=str(archive)) from error


class _TarReading:
    """One pass over the records of an archive; the contents of each file are read in turn."""

    def __init__(
        self,
        stream: GzipReader,
        archive: str,
        place_of: Callable[[str], str],
        limits: ArchiveLimits,
    ) -> None:
        self._stream = stream
        self._archive = archive
        self._place_of = place_of
        self._gate = MemberGate(archive, limits)

    def files(self) -> Iterator[TarRecord]:
        """Yield the record of each file once it is checked; check the end of the archive."""
        while (record := self._next_record()) is not None:
            self._gate.count_record(record.path)
            if record.kind == FOLDER_KIND:
                self._check_folder(record)
            else:
                file = replace(record, path=record.path.removeprefix("./"))
                self._gate.admit_file(file.path, file.size)
                self._check_place(file.path, file.path)
                yield file
        self._check_end()

    def contents(self, record: TarRecord) -> Iterator[memoryview]:
        """Yield the bytes of a file and check its padding."""
        yield from self._stream.chunks(record.size)
        self._skip_padding(record)

    def _next_record(self) -> TarRecord | None:
        """Return the next file or folder under its full name, None at the end."""
        block = self._stream.read(BLOCK)
        if block == _EMPTY:
            return None
        record = tar_format.parse_record(block, self._archive)
        if record.kind not in _LONG_PATH:
            return record
        path = self._long_path(record)
        record = tar_format.parse_record(self._stream.read(BLOCK), self._archive)
        if record.kind in _LONG_PATH:
            raise self._refused(path, "has more than one record of its path")
        return replace(record, path=path)

    def _long_path(self, record: TarRecord) -> str:
        if record.size > _MAX_NAME_RECORD:
            rule = f"is an extended header of more than {_MAX_NAME_RECORD >> 10} KiB"
            raise self._refused(record.path, rule)
        data = self._stream.read(record.size)
        self._skip_padding(record)
        return _LONG_PATH[record.kind](data, self._archive)

    def _check_folder(self, record: TarRecord) -> None:
        if record.size:
            raise self._refused(record.path, "is a folder with contents of its own")
        if record.path in (".", "./"):
            return
        path = record.path.removeprefix("./").removesuffix("/")
        self._gate.admit_folder(path)
        self._check_place(path, f"{path}/")

    def _check_place(self, path: str, asked: str) -> None:
        if not self._place_of(asked):
            raise self._refused(path, "has no place in a bundle")

    def _skip_padding(self, record: TarRecord) -> None:
        if any(self._stream.read(tar_format.padding_of(record.size))):
            raise self._refused(record.path, "has something in the padding behind it")

    def _check_end(self) -> None:
        """Check that only zeros follow: the second end block, then what fills up a tape record."""
        if self._stream.read(BLOCK) != _EMPTY:
            raise self._broken("has one end block where there must be two")
        length = 0
        for chunk in self._stream.rest():
            length += len(chunk)
            if length > _MAX_END_PADDING or bytes(chunk).strip(b"\0"):
                raise self._broken("goes on after its end")
        if length % BLOCK:
            raise self._broken("ends inside a block")

    def _refused(self, path: str, rule: str) -> BundleError:
        return refused_member(self._archive, path, rule)

    def _broken(self, rule: str) -> BundleError:
        name = shown(self._archive)
        return BundleError(f"`{name}` {rule}", subject=name)
