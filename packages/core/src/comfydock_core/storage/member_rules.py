"""Lets the members of an archive in: by name, by amount, and none in the way of another."""

from __future__ import annotations

from enum import Enum

from comfydock_core.domain.path_rules import broken_rule, folded, is_made_anew
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import ArchiveLimits

_SHOWN_LENGTH = 160
_REPOSITORY = ".git"


class _Kind(Enum):
    """What is known of a path: a file, a folder with a record, or only the parent of another."""

    FILE = 1
    FOLDER = 2
    PARENT = 3


def shown(text: str) -> str:
    """Return untrusted ``text`` as one harmless line of bounded length."""
    cut = text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"
    return escape_text(cut)


def refused_member(archive: str, member: str, rule: str, *, hint: str = "") -> BundleError:
    """Return the error for ``member`` of the file named ``archive``, which breaks ``rule``."""
    name = shown(member)
    return BundleError(f"`{shown(archive)}`: member `{name}` {rule}", hint=hint, subject=name)


def _clash(path: str, kind: _Kind, spelling: str, found: _Kind) -> str:
    if spelling != path:
        return f"is the same as `{shown(spelling)}` on some systems"
    if (kind is _Kind.FILE) == (found is _Kind.FILE):
        return "is there twice"
    return "is both a file and a folder"


def name_problem(path: str) -> str:
    """Say why no member may be called ``path``, as the end of a sentence; ``""`` when one may."""
    if rule := broken_rule(path):
        return rule
    if is_made_anew(path):
        return "is bytecode or a virtual environment, which never travels"
    return ""


class MemberGate:
    """Lets the members of one archive in, one by one, and raises BundleError at the first bad one.

    ``archive`` is the file's name as errors show it.
    """

    def __init__(self, archive: str, limits: ArchiveLimits) -> None:
        self.archive = archive
        self._limits = limits
        self._records = 0
        self._folders = 0
        self._bytes = 0
        self._large_bytes = 0
        self._known: dict[str, tuple[str, _Kind]] = {}

    def count_record(self, path: str) -> None:
        """Count one record of the archive, whatever it holds."""
        self._records += 1
        if self._records > self._limits.members:
            raise self._refused(path, f"is one too many: {self._limits.members:,} are allowed")

    def check_name(self, path: str) -> None:
        """Check the name alone, without what is known of other members."""
        if rule := broken_rule(path):
            raise self._refused(path, rule)

    def admit_folder(self, path: str) -> None:
        """Let a folder's own record in."""
        self._admit(path, _Kind.FOLDER)

    def admit_file(self, path: str, size: int) -> None:
        """Let a file of ``size`` bytes in."""
        self._admit(path, _Kind.FILE)
        self._count_bytes(path, size)

    def pass_over(self, path: str, size: int) -> None:
        """Count a member that is left out; that it is a git repository's is no harm then."""
        parts = (part if part != _REPOSITORY else "git" for part in path.split("/"))
        if rule := broken_rule("/".join(parts)):
            raise self._refused(path, rule)
        self._count_bytes(path, size)

    def _count_bytes(self, path: str, size: int) -> None:
        if self._limits.is_large(path):
            self._count_large(path, size)
            return
        self._bytes += size
        cap = self._limits.cap_of(path)
        if size > cap:
            raise self._refused(path, f"has {size:,} bytes; {cap:,} are allowed")
        if self._bytes > self._limits.total_size:
            total = self._limits.total_size
            raise self._refused(path, f"brings the contents over the {total:,} bytes allowed")

    def _count_large(self, path: str, size: int) -> None:
        self._large_bytes += size
        allowed = self._limits.large_total
        if self._large_bytes > allowed:
            folder = self._limits.large_folder
            rule = f"brings `{folder}` over the {allowed:,} bytes that so small an archive may hold"
            raise self._refused(path, rule)

    def _admit(self, path: str, kind: _Kind) -> None:
        if rule := name_problem(path):
            raise self._refused(path, rule)
        self._claim_parents(path)
        key = folded(path)
        known = self._known.get(key)
        if known and not (known == (path, _Kind.PARENT) and kind is _Kind.FOLDER):
            raise self._refused(path, _clash(path, kind, *known))
        self._known[key] = (path, kind)

    def _claim_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        while parent:
            key = folded(parent)
            known = self._known.get(key)
            if known:
                self._check_parent(path, parent, *known)
                # Whoever claimed this folder has claimed everything above it.
                return
            self._known[key] = (parent, _Kind.PARENT)
            self._count_folder(path)
            parent = parent.rpartition("/")[0]

    def _count_folder(self, path: str) -> None:
        """Count a folder that has no record: each file may need thirty of its own."""
        self._folders += 1
        if self._folders > self._limits.members:
            allowed = self._limits.members
            raise self._refused(path, f"needs one folder too many: {allowed:,} are allowed")

    def _check_parent(self, path: str, parent: str, spelling: str, kind: _Kind) -> None:
        if spelling != parent:
            rule = f"lies in a folder that is the same as `{shown(spelling)}` on some systems"
            raise self._refused(path, rule)
        if kind is _Kind.FILE:
            raise self._refused(path, f"has the file `{shown(parent)}` as its folder")

    def _refused(self, path: str, rule: str) -> BundleError:
        return refused_member(self.archive, path, rule)
