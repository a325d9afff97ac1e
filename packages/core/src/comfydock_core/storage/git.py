"""git as a process, hardened: no hooks, no prompts, no foreign configuration (trust.md rule 4)."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from comfydock_core.domain import names
from comfydock_core.domain.settings import HostSettings
from comfydock_core.domain.untrusted import redact_secrets
from comfydock_core.errors import (
    ComfydockError,
    DiskFullError,
    GitError,
    NetworkError,
    StorageError,
)
from comfydock_core.storage.durable_files import staging_folder, storage_errors
from comfydock_core.storage.http_addresses import Origin, addresses_of, is_public
from comfydock_core.storage.processes import Finished, run_program, scrubbed_environment

_HARDENED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "safe.bareRepository=explicit",
    "transfer.fsckObjects=true",
    "fetch.fsck.zeroPaddedFilemode=warn",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "advice.detachedHead=false",
    "init.defaultBranch=main",
    "submodule.recurse=false",
    "credential.interactive=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=30",
    "filter.lfs.process=",
    "filter.lfs.smudge=",
    "filter.lfs.clean=",
    "filter.lfs.required=false",
)
_NO_SPACE = "No space left on device"
_DEFAULT = "refs/comfydock/HEAD"
_CACHE_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", f"+HEAD:{_DEFAULT}")
_TAG = re.compile(r"v?\d+(\.\d+)+")


class GitTooSlowError(GitError):
    """git did not end in the time that it was given."""


class Git:
    """Runs git for one user's settings; each run ends within ``patience`` seconds, if that is set.

    GitTooSlowError when it does not.
    """

    def __init__(
        self,
        hosts: HostSettings,
        environment: Mapping[str, str],
        patience: float | None = None,
    ) -> None:
        self._hosts = hosts
        self._patience = patience
        self._folders: set[str] = set()
        self._environment = scrubbed_environment(environment, ("GIT_",)) | {
            key: value
            for key, value in environment.items()
            if key in ("GIT_SSL_CAINFO", "GIT_CONFIG_GLOBAL")
        }
        self._environment |= _without_default_password(self._environment)

    def allow_folder(self, folder: str) -> None:
        """Let a folder of this machine be read as a repository: the user named it by hand."""
        self._folders.add(folder)

    def run(
        self, *arguments: str | Path, folder: Path, git_dir: Path | None = None, protocol: str = ""
    ) -> Finished:
        """Run git in ``folder`` and return what it said, whatever its exit code."""
        settings = [word for entry in _HARDENED for word in ("-c", entry)]
        environment = self._environment | {
            "GIT_TERMINAL_PROMPT": "0",
            # Empty, it keeps git from the windows that SSH_ASKPASS and core.askPass open.
            "GIT_ASKPASS": "",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": protocol,
            "LC_ALL": "C",
        }
        if git_dir:
            environment["GIT_DIR"] = str(git_dir)
        try:
            return run_program(
                ["git", *settings, *arguments],
                folder=folder,
                environment=environment,
                timeout=self._patience,
            )
        except subprocess.TimeoutExpired as error:
            raise GitTooSlowError(f"`git` took more than {self._patience:g} seconds") from error
        except OSError as error:
            if not folder.is_dir():
                raise GitError(f"`{folder}` is no folder", subject=str(folder)) from error
            raise GitError("`git` is not installed", hint="install git, then try again") from error

    def checked(
        self, *arguments: str | Path, folder: Path, git_dir: Path | None = None, protocol: str = ""
    ) -> str:
        """Run git and return its output without the last newline; GitError when it fails."""
        done = self.run(*arguments, folder=folder, git_dir=git_dir, protocol=protocol)
        if done.exit_code:
            raise _failure(arguments, done.errors)
        return done.output.removesuffix("\n")

    def require_public(self, address: str) -> None:
        """Raise GitError for a host on a private network, unless the settings allow it.

        Behind a proxy it is the proxy that resolves names.
        """
        host, behind = urlsplit(address).hostname or "", ("HTTPS_PROXY", "ALL_PROXY")
        proxied = any(key.upper() in behind and value for key, value in self._environment.items())
        if proxied or self._hosts.allows_private(address):
            return
        port = urlsplit(address).port or 443
        found = addresses_of(Origin(scheme="https", host=host, port=port))
        if not all(map(is_public, found)):
            raise GitError(
                f"`{host}` is on a private network",
                hint=f'if you trust it, allow it in config.toml: [hosts] allowed = ["{host}"]',
                subject=host,
            )

    def protocol_for(self, repository: str, address: str) -> str:
        """Return the one protocol that may be used for ``repository``, reached at ``address``.

        https always; others only where the user's settings allow the host, or where the user
        named a folder of this machine.
        """
        if "://" not in address:
            if repository in self._folders:
                return "file"
            raise GitError(
                f"`{repository}` is no https address",
                hint="only a folder that you name yourself is read as a repository",
                subject=repository,
            )
        if "@" in urlsplit(repository).netloc and repository.lower().startswith("http"):
            raise GitError(
                f"`{redact_secrets(repository)}` carries a user name or password",
                hint="leave it out: git asks your credential helper",
            )
        scheme = urlsplit(address).scheme
        chosen = address != repository or self._hosts.allows_private(address)
        if scheme == "https" or (chosen and scheme in ("http", "ssh", "git")):
            return scheme
        raise GitError(
            f"`{repository}` would be fetched over `{scheme}`, which is not allowed",
            hint='allow the host in config.toml: [hosts] allowed = ["HOST"]',
            subject=repository,
        )


def _failure(arguments: Sequence[str | Path], errors: str) -> ComfydockError:
    words = (str(word) for word in arguments)
    command = next((word for word in words if word.isalpha() or word.startswith("ls-")), "")
    cause = errors.strip()[-800:]
    if _NO_SPACE in errors:
        return DiskFullError(f"`git {command}` found no space left on the disk", cause=cause)
    return GitError(f"`git {command}` failed", cause=cause)


def _as_written(address: str) -> tuple[str, ...]:
    """Outdo the user's own ``insteadOf``: the longest match wins, and this one changes nothing."""
    return () if "=" in address else ("-c", f"url.{address}.insteadOf={address}")


class RepositoryCache:
    """One bare mirror per repository below ``folder``; what is in it is never fetched again.

    Environments borrow its objects (alternates), so it only ever grows.
    """

    def __init__(self, git: Git, hosts: HostSettings, folder: Path) -> None:
        self._git = git
        self._hosts = hosts
        self._folder = folder

    def path_of(self, repository: str) -> Path:
        """Return where the mirror of ``repository`` lies; readable, and unique by its digest."""
        stem = re.sub(r"[^A-Za-z0-9]+", "-", repository.removesuffix(".git")).strip("-")[-40:]
        digest = hashlib.sha256(repository.removesuffix(".git").encode()).hexdigest()[:12]
        return self._folder / f"{stem}-{digest}.git"

    def update(self, repository: str) -> Path:
        """Fetch every branch and tag of ``repository`` into its mirror and return the mirror."""
        address = self._hosts.reach(repository)
        protocol = self._git.protocol_for(repository, address)
        if address == repository and protocol != "file":
            self._git.require_public(address)
        mirror = self.path_of(repository)
        self._make(mirror)
        # A branch `a` that became `a/b` could not be fetched beside the old one. Only names go.
        arguments = (
            *_as_written(address),
            *("fetch", "--quiet", "--force", "--prune", "--no-auto-gc"),
            "--no-recurse-submodules",
        )
        done = self._git.run(
            *arguments,
            "--",
            address,
            *_CACHE_REFS,
            folder=mirror,
            git_dir=mirror,
            protocol=protocol,
        )
        if _NO_SPACE in done.errors:
            raise _failure(("fetch",), done.errors)
        if done.exit_code:
            raise NetworkError(
                f"`{repository}` could not be fetched",
                cause=done.errors.strip()[-800:],
                hint="check the address and the network, then run the same command again",
                subject=repository,
            )
        return mirror

    def _make(self, mirror: Path) -> None:
        """Make an empty mirror, whole or not at all: git takes a half one for no repository."""
        if (mirror / "HEAD").exists():
            return
        with staging_folder(self._folder, "new-") as aside, storage_errors(mirror):
            made = aside / "mirror.git"
            made.mkdir()
            self._git.checked("init", "--quiet", "--bare", ".", folder=made)
            # Another process may have made it meanwhile, and then it stays.
            with suppress(OSError):
                made.rename(mirror)
        if not (mirror / "HEAD").exists():
            raise StorageError(
                f"`{mirror}` is in the way of a repository's mirror",
                hint="move it away, then run the same command again",
                subject=str(mirror),
            )

    def resolve(self, repository: str, reference: str) -> tuple[str, str]:
        """Return (commit, name) of a tag, branch or commit.

        ``latest`` is the newest release tag, ``HEAD`` the default branch. ``name`` is the tag or
        branch, or the commit itself. A commit or tag that is in the mirror costs no network. A
        full commit is itself even where a branch has its name.
        """
        mirror = self.path_of(repository)
        if commit := self._settled(mirror, reference):
            return commit, commit if names.COMMIT.fullmatch(reference) else reference
        self.update(repository)
        name = self._latest(mirror) if reference == "latest" else reference
        named = () if names.COMMIT.fullmatch(name) else (f"refs/tags/{name}", f"refs/heads/{name}")
        for full in named:
            if commit := self._commit(mirror, full):
                return commit, name
        commit = self._commit(mirror, _DEFAULT if name == "HEAD" else name)
        if not commit:
            raise GitError(
                f"`{repository}` has no tag, branch or commit `{reference}`",
                hint="name a tag such as `v0.3.75`, a branch, a full commit, or `latest`",
                subject=reference,
            )
        return commit, commit

    def _settled(self, mirror: Path, reference: str) -> str:
        """Return the commit of ``reference`` where the mirror has it and no fetch could change it.

        ``""`` for anything else.
        """
        if not (mirror / "HEAD").exists():
            return ""
        whole = names.COMMIT.fullmatch(reference)
        return self._commit(mirror, reference if whole else f"refs/tags/{reference}")

    def _commit(self, mirror: Path, name: str) -> str:
        done = self._git.run(
            *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
            folder=mirror,
            git_dir=mirror,
        )
        return done.output.strip() if done.exit_code == 0 else ""

    def _latest(self, mirror: Path) -> str:
        tags = self._git.checked(
            "for-each-ref", "--format=%(refname:short)", "refs/tags", folder=mirror, git_dir=mirror
        ).split()
        releases = [(version, tag) for tag in tags if (version := _release(tag))]
        return max(releases)[1] if releases else "HEAD"

    def has(self, repository: str, commit: str) -> bool:
        """Whether the mirror holds ``commit`` (40 hex), so that no network is needed for it."""
        mirror = self.path_of(repository)
        if not (mirror / "HEAD").exists():
            return False
        done = self._git.run(
            "cat-file", "-e", f"{commit}^{{commit}}", folder=mirror, git_dir=mirror
        )
        return done.exit_code == 0

    def commit_time(self, repository: str, commit: str) -> int:
        """Return the committer's time of ``commit`` in seconds since 1970."""
        mirror = self.path_of(repository)
        return int(
            self._git.checked(
                "show", "--no-patch", "--format=%ct", commit, "--", folder=mirror, git_dir=mirror
            )
        )

    def check_out(self, repository: str, commit: str, destination: Path) -> None:
        """Make a work tree of ``commit`` that borrows the mirror's objects.

        ``destination`` must not exist. HEAD is compared with the commit afterwards: a branch can
        be *named* as 40 hex digits.
        """
        mirror = self.path_of(repository)
        destination.mkdir(parents=True)
        run = self._git.checked
        # Sample hooks are of no use, and are half of the files that git makes here.
        run("init", "--quiet", "--template=", ".", folder=destination)
        alternates = destination / ".git" / "objects" / "info" / "alternates"
        alternates.write_text(f"{(mirror / 'objects').as_posix()}\n", encoding="utf-8")
        run("remote", "add", "origin", repository, folder=destination)
        run("checkout", "--quiet", "--detach", commit, folder=destination)
        # Detached, it holds the commit itself.
        if (destination / ".git" / "HEAD").read_text(encoding="utf-8").strip() != commit:
            raise GitError(
                f"`{repository}` gave another commit than `{commit[:12]}`", subject=repository
            )


def _without_default_password(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables that hide a ``.netrc`` which has a password for every host there is.

    libcurl gives that to any host that a bundle names, and no setting of git's keeps it from that.
    """
    home = Path(environment.get("HOME") or Path.home())
    if not any(_serves_every_host(home / name) for name in (".netrc", "_netrc")):
        return {}
    general = environment.get("XDG_CONFIG_HOME") or home / ".config"
    configs = (home / ".gitconfig", Path(general, "git", "config"))
    own = next((str(path) for path in configs if path.is_file()), os.devnull)
    return {"HOME": os.devnull, "GIT_CONFIG_GLOBAL": environment.get("GIT_CONFIG_GLOBAL", own)}


def _serves_every_host(path: Path) -> bool:
    try:
        return "default" in netrc(str(path)).hosts
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, NetrcParseError, UnicodeDecodeError):
        return True


def _release(tag: str) -> Version | None:
    try:
        return Version(tag) if _TAG.fullmatch(tag) else None
    except InvalidVersion:
        return None
