"""Which files of a development node are its source: those that git would track (trust.md 8)."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.errors import StorageError
from comfydock_core.storage.git import Git

FALLBACK_PATTERNS = ("__pycache__", "*.pyc", ".git", "node_modules", ".venv", "*.egg-info")


def development_files(git: Git, folder: Path, empty_repository: Path) -> tuple[str, ...]:
    """Return the POSIX paths below ``folder`` that git would track, sorted.

    git itself reads the nested ``.gitignore`` files, through ``empty_repository`` (a bare one of
    ours); of a repository inside the node only its list of tracked files counts, which may hold
    ignored ones. The specification's fall-back patterns are left out as well. A link is an error: a
    bundle holds none.
    """
    if not folder.is_dir():
        raise StorageError(f"`{folder}` is missing", subject=folder.name)
    if not (empty_repository / "HEAD").exists():
        empty_repository.mkdir(parents=True, exist_ok=True)
        git.checked("init", "--quiet", "--bare", ".", folder=empty_repository)
    listing = _Listing(git=git, node=folder, empty_repository=empty_repository)
    return tuple(sorted(set(listing.below(""))))


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
