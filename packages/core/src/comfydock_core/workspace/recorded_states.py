"""The states that an environment was committed in: found, laid out aside, and gone back to."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.errors import NotFoundError
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.git import Git
from comfydock_core.workspace.environment import Environment

IMPORTED = "Initial import from bundle"
UPDATED = "Update from bundle"
ROLLED_BACK = "Rollback to"
_KEPT = re.compile(r"Kept: (?P<identity>\S*) (?P<name>.+)")
_BACK = re.compile(rf"{ROLLED_BACK} (?P<commit>[0-9a-f]{{7,40}})")


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleState:
    """The commit in which an environment last was what a bundle said.

    ``kept`` names what was left as the user had it then, with what the bundle had in its place.
    """

    commit: str
    kept: Mapping[str, str]


def message_with_kept(first_line: str, kept: Mapping[str, str]) -> str:
    """Return a commit's message that ``RecordedStates.bundle_state`` reads again.

    What the bundle had may be nothing, then it is written as ``-``.
    """
    lines = [f"Kept: {identity or '-'} {name}" for name, identity in sorted(kept.items())]
    return "\n".join([first_line, "", *lines]) if lines else first_line


class RecordedStates:
    """The commits of an environment's ``.cec``; whoever changes it holds the environment's lock."""

    def __init__(self, environment: Environment, git: Git) -> None:
        self._folder = environment.cec_path
        self._git = git

    def find(self, text: str) -> str:
        """Return the full commit that ``text`` means; NotFoundError for none of this history."""
        done = self._git.run(
            *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}"),
            folder=self._folder,
        )
        commit = done.output.strip()
        if done.exit_code or commit not in self.since(commit):
            raise NotFoundError(
                f"there is no recorded state `{text}`", hint="comfydock log", subject=text
            )
        return commit

    def before_last(self) -> str:
        """Return the commit before the current one; NotFoundError where that is the first."""
        done = self._git.run("rev-parse", "--verify", "--quiet", "HEAD~1", folder=self._folder)
        if done.exit_code:
            raise NotFoundError("there is no earlier state to go back to", hint="comfydock log")
        return done.output.strip()

    def since(self, commit: str) -> tuple[str, ...]:
        """Return ``commit`` and all after it up to the current one, oldest first.

        Nothing where it is not in the history.
        """
        output = self._git.checked("rev-list", "--first-parent", "HEAD", folder=self._folder)
        newest_first = output.split()
        if commit not in newest_first:
            return ()
        return tuple(reversed(newest_first[: newest_first.index(commit) + 1]))

    def is_current(self, commit: str) -> bool:
        """Tell whether the current commit has the same files as ``commit``."""
        done = self._git.run("diff", "--quiet", commit, "HEAD", "--", folder=self._folder)
        return done.exit_code == 0

    def bundle_state(self) -> BundleState | None:
        """Find the state that the last import or update made; a rollback counts as where it led."""
        if self._git.run("rev-parse", "--quiet", "--verify", "HEAD", folder=self._folder).exit_code:
            return None
        start = "HEAD"
        while start:
            known, start = start, ""
            for commit, message in self._messages(known):
                subject = message.partition("\n")[0]
                if subject.startswith((IMPORTED, UPDATED)):
                    return BundleState(commit=commit, kept=_kept(message))
                if back := _BACK.fullmatch(subject):
                    start = back["commit"]
                    break
        return None

    def _messages(self, start: str) -> Iterator[tuple[str, str]]:
        output = self._git.checked(
            "log", "--first-parent", "-z", "--format=%H%n%B", start, "--", folder=self._folder
        )
        for entry in output.split("\0"):
            commit, _, message = entry.partition("\n")
            if commit:
                yield commit, message

    def lay_out(self, commit: str, destination: Path) -> None:
        """Write the files of ``commit`` into ``destination``, which must not exist."""
        with storage_errors(destination):
            destination.mkdir(parents=True)
            self._git.checked("init", "--quiet", ".", folder=destination)
            borrowed = destination / ".git" / "objects" / "info" / "alternates"
            borrowed.write_text(f"{(self._folder / '.git/objects').as_posix()}\n", encoding="utf-8")
            self._git.checked("checkout", "--quiet", "--detach", commit, folder=destination)
            shutil.rmtree(destination / ".git")

    def go_back(self, commit: str) -> None:
        """Make the files of ``.cec`` exactly those of ``commit``; the history stays as it is.

        What a killed run left in the way goes; what is not committed is lost.
        """
        with storage_errors(self._folder):
            (self._folder / ".git" / "index.lock").unlink(missing_ok=True)
        self._git.checked("read-tree", "--reset", "-u", commit, folder=self._folder)
        self._git.checked("clean", "--force", "-d", "--quiet", folder=self._folder)


def _kept(message: str) -> dict[str, str]:
    found = (_KEPT.fullmatch(line) for line in message.splitlines())
    return {f["name"]: "" if f["identity"] == "-" else f["identity"] for f in found if f}
