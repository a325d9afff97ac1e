"""Node packs exchanged for others, and back again: by renames alone, at any moment repeatable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.storage.durable_files import remove_folder, storage_errors
from comfydock_core.storage.git import Git

_TRACKING = ".tracking"
_COMPILED = "__pycache__"


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeSwap:
    """``incoming`` holds the packs that are to come, ``outgoing`` those that went.

    All three folders are on one file system. ``installs`` come and take the place of what has
    their name, ``removes`` only go.
    """

    custom_nodes: Path
    incoming: Path
    outgoing: Path
    installs: tuple[str, ...]
    removes: tuple[str, ...]

    def forth(self) -> None:
        """Put what is to come in its place; what lies there is put aside."""
        with storage_errors(self.custom_nodes):
            self.custom_nodes.mkdir(exist_ok=True)
            self.outgoing.mkdir(exist_ok=True)
            for name in self.removes:
                _rename(self.custom_nodes / name, self.outgoing / name)
            for name in self.installs:
                if (self.incoming / name).exists():
                    _rename(self.custom_nodes / name, self.outgoing / name)
                    _rename(self.incoming / name, self.custom_nodes / name)

    def back(self) -> None:
        """Put everything where it was."""
        with storage_errors(self.custom_nodes):
            for name in self.installs:
                _rename(self.custom_nodes / name, self.incoming / name)
                _rename(self.outgoing / name, self.custom_nodes / name)
            for name in self.removes:
                _rename(self.outgoing / name, self.custom_nodes / name)


def _rename(source: Path, target: Path) -> None:
    """Rename what is there, unless that was done before."""
    if _is_there(source) and not _is_there(target):
        source.rename(target)


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def keep_own_files(
    git: Git, outgoing: Path, recorded: Iterable[NodeInfo], kept: Path, trash: Path
) -> tuple[Path, ...]:
    """Keep below ``kept`` the packs that could not be had again, throw the others away.

    Those are the development nodes, packs that nobody recorded, and packs with files of their own.
    Returns what lies in ``kept``.
    """
    known = {node.name: node for node in recorded}
    with storage_errors(outgoing):
        for pack in sorted(outgoing.iterdir()) if outgoing.is_dir() else []:
            if _can_be_had_again(git, known.get(pack.name), pack):
                remove_folder(pack, trash)
            else:
                kept.mkdir(parents=True, exist_ok=True)
                _rename(pack, kept / pack.name)
        return tuple(sorted(kept.iterdir())) if kept.is_dir() else ()


def edited_packs(
    git: Git, custom_nodes: Path, recorded: Iterable[NodeInfo], names: Iterable[str]
) -> tuple[str, ...]:
    """Return which of ``names`` were changed by hand where they lie, or put there by hand.

    A development node is not told of: nobody but its user changes it.
    """
    known = {node.name: node for node in recorded}
    own = {name for name, node in known.items() if node.source == "development"}
    with storage_errors(custom_nodes):
        return tuple(
            name
            for name in names
            if name not in own
            and _is_there(custom_nodes / name)
            and not _can_be_had_again(git, known.get(name), custom_nodes / name)
        )


def _can_be_had_again(git: Git, node: NodeInfo | None, pack: Path) -> bool:
    if node is None or node.source == "development" or pack.is_symlink():
        return False
    if node.source == "git":
        return (pack / ".git").is_dir() and not any(_changed_in_repository(git, pack, node.version))
    listed = pack / _TRACKING
    if not listed.is_file():
        return False
    theirs = {*listed.read_text(encoding="utf-8", errors="replace").splitlines(), _TRACKING}
    return all(path in theirs for path in _files(pack))


def _changed_in_repository(git: Git, pack: Path, commit: str) -> Iterator[str]:
    """Name what is there beside ``commit``; a commit of its user's own is in no other place."""
    head = git.run("rev-parse", "--verify", "HEAD", folder=pack)
    if head.output.strip() != commit:
        yield "HEAD"
    output = git.run(
        *("status", "--porcelain=v1", "-z", "--ignored", "--no-renames"),
        folder=pack,
    ).output
    for entry in output.split("\0"):
        if entry and _COMPILED not in entry[3:].split("/"):
            yield entry[3:]


def _files(pack: Path) -> Iterator[str]:
    for path in pack.rglob("*"):
        if (path.is_symlink() or path.is_file()) and _COMPILED not in path.parts:
            yield path.relative_to(pack).as_posix()
