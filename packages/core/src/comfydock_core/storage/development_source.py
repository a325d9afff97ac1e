"""Which files of a development node are its source: those that git would track (trust.md 8)."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from pathlib import Path

from comfydock_core.errors import StorageError
from comfydock_core.storage.git import Git

FALLBACK_PATTERNS = ("__pycache__", "*.pyc", ".git", "node_modules", ".venv", "*.egg-info")


def development_files(git: Git, folder: Path, empty_repository: Path) -> tuple[str, ...]:
    """Return the POSIX paths below ``folder`` that git would track, sorted.

    git itself reads the nested ``.gitignore`` files, through ``empty_repository`` (a bare one of
    ours), so that nothing of a repository inside the node is trusted. The specification's
    fall-back patterns are left out as well. A link is an error: a bundle holds none.
    """
    if not folder.is_dir():
        raise StorageError(f"`{folder}` is missing", subject=folder.name)
    if not (empty_repository / "HEAD").exists():
        empty_repository.mkdir(parents=True, exist_ok=True)
        git.checked("init", "--quiet", "--bare", ".", folder=empty_repository)
    listed = git.checked(
        *("-c", "core.excludesFile=/dev/null", f"--git-dir={empty_repository}"),
        *(f"--work-tree={folder}", "ls-files", "-z", "-co", "--exclude-standard"),
        folder=folder,
    )
    wanted = (path for path in listed.split("\0") if path and not _is_left_out(path))
    return tuple(sorted(set(_with_embedded(folder, wanted))))


def _with_embedded(folder: Path, paths: Iterable[str]) -> Iterator[str]:
    """Check each path; a repository inside the node comes back as ``name/`` and is walked."""
    for path in paths:
        place = folder / path
        if place.is_symlink():
            raise StorageError(
                f"`{folder.name}/{path}` is a link, which a bundle cannot hold",
                hint="put the file itself there, or list the link in .gitignore",
                subject=path,
            )
        if place.is_dir():
            inner = (p.relative_to(folder).as_posix() for p in sorted(place.rglob("*")))
            yield from _with_embedded(
                folder, (p for p in inner if not _is_left_out(p) and not (folder / p).is_dir())
            )
        elif place.is_file():
            yield path


def _is_left_out(path: str) -> bool:
    return any(
        fnmatch.fnmatch(part, pattern) for part in path.split("/") for pattern in FALLBACK_PATTERNS
    )
