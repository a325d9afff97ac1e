"""Where a development node's source stands in its own git repository, read without running it.

The repository is read as a stranger's: neither hooks nor filters, monitors nor submodules of it run
and nothing is written or fetched.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from comfydock_core.domain.bundle import DevelopmentOrigin
from comfydock_core.domain.names import COMMIT, repository_problem
from comfydock_core.domain.untrusted import redact_secrets
from comfydock_core.storage.git import Git

_SCP = re.compile(r"(?:([\w.-]+)@)?([A-Za-z0-9][A-Za-z0-9.-]+):(?!/)([^\s:]+)")
_FILTER = re.compile(r"filter\.(.+)\.[a-z]+", re.IGNORECASE | re.DOTALL)
_PLAIN_FILTER = re.compile(r"[\w.-]+")


def development_origin(git: Git, folder: Path) -> DevelopmentOrigin:
    """Return the remote, commit and state of the repository that ``folder`` itself is.

    Empty for a folder without one, also where a folder above it has one. ``remote`` is ``origin``,
    else the first by name, and empty where only this machine has it. ``dirty`` counts changed and
    new files, ``unpushed`` commits that no remote-tracking branch holds.
    """
    if not (folder / ".git").exists():
        return DevelopmentOrigin()
    repository = _Repository(git, folder)
    commit = repository.said("rev-parse", "--verify", "--quiet", "HEAD^{commit}").strip()
    if not COMMIT.fullmatch(commit):
        return DevelopmentOrigin(remote=repository.remote(), dirty=repository.is_dirty())
    ahead = repository.said("rev-list", "--max-count=1", commit, "--not", "--remotes")
    return DevelopmentOrigin(
        remote=repository.remote(),
        commit=commit,
        dirty=repository.is_dirty(),
        unpushed=bool(ahead.strip()),
    )


class _Repository:
    """Asks one repository questions that run nothing of it; a failure is an empty answer."""

    def __init__(self, git: Git, folder: Path) -> None:
        self._git = git
        self._folder = folder

    def said(self, *arguments: str) -> str:
        """Return what git says, or nothing where it fails."""
        # without optional locks `status` would refresh the user's index
        words = ("--no-optional-locks", f"--work-tree={self._folder}", *arguments)
        done = self._git.run(*words, folder=self._folder, git_dir=self._folder / ".git")
        return "" if done.exit_code else done.output

    def settings(self, pattern: str, *scope: str) -> list[tuple[str, str]]:
        """Return the settings whose keys match, included files and all."""
        output = self.said("config", *scope, "--includes", "--null", "--get-regexp", pattern)
        pairs = (entry.partition("\n") for entry in output.split("\0") if entry)
        return [(key, value) for key, _, value in pairs]

    def remote(self) -> str:
        """Return the address to name, without user info and tokens."""
        found = {
            key.removeprefix("remote.").removesuffix(".url"): value
            for key, value in reversed(self.settings(r"^remote\..*\.url$", "--local"))
        }
        name = "origin" if "origin" in found else next(iter(sorted(found)), "")
        return public_address(found.get(name, ""))

    def is_dirty(self) -> bool:
        """Tell whether anything differs from the commit; what cannot be told counts as different.

        Comparing runs every filter that is configured, so each is switched off.
        """
        filters = {_FILTER.fullmatch(key) for key, _ in self.settings(r"^filter\.")}
        names = {match[1] for match in filters if match}
        if None in filters or not all(map(_PLAIN_FILTER.fullmatch, names)):
            return True
        off = (
            word
            for name in sorted(names)
            for key in ("clean=", "smudge=", "process=", "required=false")
            for word in ("-c", f"filter.{name}.{key}")
        )
        state = self.said(
            *off,
            *("status", "--porcelain=v2", "--branch", "-z", "--no-renames"),
            *("--untracked-files=normal", "--ignore-submodules=all"),
        )
        lines = [line for line in state.split("\0") if line]
        return not lines or any(not line.startswith("#") for line in lines)


def public_address(remote: str) -> str:
    """Return a remote as an address without user info and tokens; empty for a local one.

    ``git@host:owner/name`` becomes ``ssh://git@host/owner/name``.
    """
    scp = _SCP.fullmatch(remote) if "://" not in remote else None
    if scp:
        remote = f"ssh://{scp[1] or 'git'}@{scp[2]}/{scp[3]}"
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    user = "git@" if parts.scheme == "ssh" and parts.username == "git" else ""
    netloc = f"{user}{host}:{port}" if port else f"{user}{host}"
    plain = urlunsplit((parts.scheme, netloc, parts.path, "", ""))
    return "" if repository_problem(plain) or redact_secrets(plain) != plain else plain
