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
    STRICT,
    ArchiveLimits,
    ArchiveMember,
    Leniency,
    LenientReading,
    kept_mode,
)
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.gzip_reader import GzipReader
from comfydock_core.storage.member_rules import (
    MemberGate,
    name_problem,
    refused_member,
    shown,
)
from comfydock_core.storage.member_tree import measure_member, open_tree, write_member
from comfydock_core.storage.tar_format import BLOCK, FOLDER_KIND, TarRecord

_MAX_NAME_RECORD = 64 << 10
_MAX_END_PADDING = MEBIBYTE
_EMPTY = bytes(BLOCK)
_NO_PLACE = "has no place in a bundle"
_LONG_PATH = {
    tar_format.PAX_KIND: tar_format.pax_path,
    tar_format.GNU_NAME_KIND: tar_format.gnu_path,
}


def read_archive(
    archive: Path,
    destination: Path,
    *,
    place_of: Callable[[str], str],
    is_unpacked: Callable[[str], bool] = lambda path: True,
    limits: ArchiveLimits = DEFAULT_LIMITS,
) -> tuple[ArchiveMember, ...]:
    """Unpack ``archive`` into the fresh, private folder ``destination``; return its files, sorted.

    A file for which ``is_unpacked`` says no is read, checked and returned, and not written.

    ``place_of`` names the place of the format that a path lies in and returns ``""`` for none; a
    folder's own record is asked with a trailing slash. A BundleError names the member and the
    rule that it breaks; files that were written before it stay in ``destination``, which is the
    caller's to remove. Folders are made for the files in them only.
    """
    reading = read_leniently(
        archive,
        destination,
        place_of=place_of,
        is_unpacked=is_unpacked,
        limits=limits,
        leniency=STRICT,
    )
    return reading.members


def read_leniently(
    archive: Path,
    destination: Path,
    *,
    place_of: Callable[[str], str],
    is_unpacked: Callable[[str], bool],
    limits: ArchiveLimits,
    leniency: Leniency,
) -> LenientReading:
    """Do the same, but pass over what ``leniency`` says, and tell what that was."""
    with (
        storage_errors(archive),
        _open_archive(archive) as file,
        open_tree(destination) as tree,
        GzipReader(file, archive.name) as stream,
    ):
        reading = _TarReading(stream, MemberGate(archive.name, limits), place_of, leniency)
        members = []
        for record in reading.files():
            path, mode, contents = record.path, kept_mode(record.mode), reading.contents(record)
            if is_unpacked(path):
                members.append(write_member(tree, path, mode, contents))
            else:
                members.append(measure_member(path, mode, contents))
    return LenientReading(
        members=tuple(sorted(members, key=lambda member: member.path)),
        skipped=tuple(reading.skipped),
        refusal=reading.refusal,
    )


def _open_archive(archive: Path) -> BinaryIO:
    if archive.is_dir():
        name = shown(archive.name)
        raise BundleError(f"`{name}` is not a comfydock bundle: it is a folder", subject=name)
    try:
        return archive.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError(f"`{archive}` does not exist", subject=str(archive)) from error


def _plain(record: TarRecord) -> str:
    """Return the path of a file or a folder without what only spells it in another way."""
    path = record.path.removeprefix("./")
    return path.removesuffix("/") if record.kind == FOLDER_KIND else path


class _TarReading:
    """One pass over the records of an archive; the contents of each file are read in turn."""

    def __init__(
        self,
        stream: GzipReader,
        gate: MemberGate,
        place_of: Callable[[str], str],
        leniency: Leniency,
    ) -> None:
        self.skipped: list[str] = []
        self.refusal: BundleError | None = None
        self._stream = stream
        self._gate = gate
        self._archive = gate.archive
        self._place_of = place_of
        self._leniency = leniency

    def files(self) -> Iterator[TarRecord]:
        """Yield the record of each file once it is checked; check the end of the archive."""
        while (record := self._next_record()) is not None:
            self._gate.count_record(record.path)
            path = _plain(record)
            if self._leniency.skips(path):
                self._pass_over(record)
            elif record.kind == FOLDER_KIND:
                self._check_folder(record)
            else:
                self._gate.admit_file(path, record.size)
                self._check_place(path, path)
                yield record if path == record.path else replace(record, path=path)
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
            raise self._refused(path or record.path, "has more than one record of its path")
        return record if path is None else replace(record, path=path)

    def _long_path(self, record: TarRecord) -> str | None:
        """Return the path that an extended header gives, None where it only gives times."""
        if record.size > _MAX_NAME_RECORD:
            rule = f"is an extended header of more than {_MAX_NAME_RECORD >> 10} KiB"
            raise self._refused(record.path, rule)
        data = self._stream.read(record.size)
        self._skip_padding(record)
        try:
            return _LONG_PATH[record.kind](data, self._archive)
        except BundleError as refusal:
            if record.kind != tar_format.PAX_KIND or not self._leniency.pax_times:
                raise
            path = tar_format.timed_pax_path(data, self._archive)
            self._note(refusal)
            return path

    def _pass_over(self, record: TarRecord) -> None:
        """Read a member to its end without writing it; all that is not its name or place counts."""
        path = _plain(record)
        if record.kind == FOLDER_KIND:
            self._check_empty(record)
        else:
            self.skipped.append(path)
        self._gate.pass_over(path, record.size)
        self._note(self._refused(path, name_problem(path) or _NO_PLACE))
        for _ in self.contents(record):
            pass

    def _note(self, refusal: BundleError) -> None:
        self.refusal = self.refusal or refusal

    def _check_folder(self, record: TarRecord) -> None:
        self._check_empty(record)
        if record.path in (".", "./"):
            return
        path = _plain(record)
        self._gate.admit_folder(path)
        self._check_place(path, f"{path}/")

    def _check_empty(self, folder: TarRecord) -> None:
        if folder.size:
            raise self._refused(folder.path, "is a folder with contents of its own")

    def _check_place(self, path: str, asked: str) -> None:
        if not self._place_of(asked):
            raise self._refused(path, _NO_PLACE)

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
