"""Which files of a development node are its source: those that git would track (trust.md 8)."""

from __future__ import annotations

import fnmatch
import heapq
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.git import Git

FALLBACK_PATTERNS = ("__pycache__", "*.pyc", ".git", "node_modules", ".venv", "*.egg-info")

LARGE_SOURCE = 50 * 1024**2
"""The size in bytes above which a development node's source is worth a warning."""
_SHOWN_FILES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class DevelopmentSize:
    """The size of a node's source in bytes, and its (path, size) largest files, largest first."""

    total: int
    largest: tuple[tuple[str, int], ...] = ()


def measure(source: Path, files: Iterable[str]) -> DevelopmentSize:
    """Add up the sizes of the files of a node, which are paths below ``source``."""
    with storage_errors(source):
        sizes = [(path, os.lstat(source / path).st_size) for path in files]
    largest = heapq.nsmallest(_SHOWN_FILES, sizes, key=lambda each: (-each[1], each[0]))
    return DevelopmentSize(total=sum(size for _, size in sizes), largest=tuple(largest))


def repositories_inside(source: Path, files: Iterable[str]) -> tuple[str, ...]:
    """Say which git repositories a node's travelling files are part of, beside its own.

    Of an embedded one only the files travel. A bare one would travel as a whole, and git runs what
    it configures as soon as somebody calls git in it.
    """
    listed = frozenset(files)
    folders = {parent for path in listed for parent in _folders_above(path)}
    bare = {folder for folder in folders if {f"{folder}/HEAD", f"{folder}/config"} <= listed}
    bare &= {folder.removesuffix("/objects") for folder in folders if folder.endswith("/objects")}
    embedded = {folder for folder in folders if os.path.lexists(source / folder / ".git")}
    return (
        *(f"`{folder}` is a bare git repository" for folder in sorted(bare)),
        *(f"`{folder}` is a git repository of its own" for folder in sorted(embedded)),
    )


def _folders_above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def development_files(git: Git, folder: Path, empty_repository: Path) -> tuple[str, ...]:
    """Return the POSIX paths below ``folder`` that git would track, sorted.

    git itself reads the nested ``.gitignore`` files, through ``empty_repository`` (a bare one of
    ours); of a repository inside the node only its list of tracked files counts, which may hold
    ignored ones. The specification's fall-back patterns are left out as well. A link is an error: a
    bundle holds none, and so is a node that is no folder or a link to one.
    """
    _check_folder(folder)
    if not (empty_repository / "HEAD").exists():
        empty_repository.mkdir(parents=True, exist_ok=True)
        git.checked("init", "--quiet", "--bare", ".", folder=empty_repository)
    listing = _Listing(git=git, node=folder, empty_repository=empty_repository)
    return tuple(sorted(set(listing.below(""))))


def _check_folder(folder: Path) -> None:
    name = folder.name
    if folder.is_symlink():
        raise StorageError(
            f"the development node `{name}` is a link to `{folder.readlink()}`",
            hint=f"move the folder itself to `{folder}`, then export again",
            subject=name,
        )
    if not folder.is_dir():
        is_file = folder.exists()
        raise StorageError(
            f"the development node `{name}` is {'a single file' if is_file else 'missing'}",
            hint="give it a folder of its own with an `__init__.py`"
            if is_file
            else f"put it back at `{folder}`, or: comfydock node remove {quote(name)}",
            subject=name,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listing:
    """Lists the files of a node, and of the repositories inside it."""

    git: Git
    node: Path
    empty_repository: Path

    def below(self, prefix: str) -> Iterator[str]:
        """Yield the files below ``prefix`` (``""`` or ``name/``), as paths below the node."""
        folder = self.node / prefix
        listed = {*self._listed(folder, self.empty_repository, "-co"), *self._tracked(folder)}
        for path in sorted(prefix + name for name in listed):
            if _is_left_out(path):
                continue
            if (self.node / path).is_symlink():
                raise StorageError(
                    f"`{self.node.name}/{path.rstrip('/')}` is a link, which a bundle cannot hold",
                    hint="put the file itself there, or list the link in .gitignore",
                    subject=path,
                )
            # A repository inside comes back as `name/`, or by its bare name where it is tracked.
            if (self.node / path).is_dir():
                yield from self.below(path.rstrip("/") + "/")
            elif (self.node / path).is_file():
                yield path

    def _tracked(self, folder: Path) -> tuple[str, ...]:
        repository = folder / ".git"
        found = (repository / "HEAD").is_file()
        return self._listed(folder, repository, "-c") if found else ()

    def _listed(self, folder: Path, repository: Path, which: str) -> tuple[str, ...]:
        output = self.git.checked(
            *("-c", "core.excludesFile=/dev/null", f"--git-dir={repository}"),
            *(f"--work-tree={folder}", "ls-files", "-z", which, "--exclude-standard"),
            folder=folder,
        )
        return tuple(path for path in output.split("\0") if path)


def _is_left_out(path: str) -> bool:
    return any(
        fnmatch.fnmatch(part, pattern) for part in path.split("/") for pattern in FALLBACK_PATTERNS
    )
