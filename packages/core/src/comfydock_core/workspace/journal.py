"""The journal of an environment that is being made or changed: what is planned and what is done.

``import.json`` lies beside ``.cec``, where nothing out of a bundle can be. While it is there the
environment is *incomplete*; removing it is the last act of making one (design.md 4.2).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Literal

import msgspec

from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.names import COMMIT
from comfydock_core.domain.plan_checking import check_change, check_plan
from comfydock_core.domain.update import UpdatePlan
from comfydock_core.errors import ManifestError, StorageError
from comfydock_core.storage.durable_files import (
    UNFINISHED,
    storage_errors,
    sync_folder,
    write_durably,
)
from comfydock_core.storage.steady_file import open_without_waiting

JOURNAL = "import.json"
_AFTER_NODES_AND_MODELS = frozenset({"manifest", "python", "workflows", "inputs"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Journal:
    """``work`` says what makes the environment; ``done`` are the names of its finished steps.

    ``bundle`` is the digest of the bundle's contents, ``unpacked`` that of the folder with what was
    unpacked of it, ``archive`` the file that it came in (its models are still in there),
    ``requested`` the name that was asked for, ``decisions`` are the flags that decided something,
    and ``plan`` is what was confirmed; a ``create`` has none of them. ``failed_nodes`` and
    ``failed_models`` say why something was given up, by node name and model key.

    An ``update`` or rollback has ``update`` in the place of ``plan``, and ``before`` is the commit
    that the environment goes back to when it cannot be finished.
    """

    work: Literal["create", "import", "update"]
    bundle: str = ""
    unpacked: str = ""
    archive: str = ""
    requested: str = ""
    decisions: tuple[str, ...] = ()
    plan: ImportPlan | None = None
    update: UpdatePlan | None = None
    before: str = ""
    done: tuple[str, ...] = ()
    failed_nodes: Mapping[str, str] = field(default_factory=dict)
    failed_models: Mapping[str, str] = field(default_factory=dict)

    def with_done(self, step: str) -> Journal:
        """Return the journal with one more finished step."""
        return replace(self, done=(*self.done, step))

    def trying_again(self) -> Journal:
        """Return the journal without what was given up, and the steps that built on its absence.

        From the commit on it stays given up.
        """
        if "commit" in self.done or not (self.failed_nodes or self.failed_models):
            return self
        kept = tuple(step for step in self.done if step not in _AFTER_NODES_AND_MODELS)
        return replace(self, done=kept, failed_nodes={}, failed_models={})


def journal_of(environment: Path) -> Journal | None:
    """Read the journal of an environment's folder; None when it is complete.

    What a bundle may not say, its plan may not say either: StorageError.
    """
    path = environment / JOURNAL
    try:
        journal = msgspec.json.decode(_bytes_of(path), type=Journal)
        _check(journal, environment.name)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise _unusable(path, "cannot be read", str(error)) from error
    except ManifestError as error:
        raise _unusable(path, "is not what comfydock wrote", error.sentence) from error
    return journal


def _bytes_of(path: Path) -> bytes:
    """Read a regular file; another process may replace it meanwhile, and a pipe never ends."""
    with FileIO(path, opener=open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no regular file")
        return file.read()


def _check(journal: Journal, environment: str) -> None:
    if journal.before and not COMMIT.fullmatch(journal.before):
        raise ManifestError(f"`before` in `{JOURNAL}` is no commit")
    if journal.update:
        check_change(journal.update, environment, JOURNAL)
    plan = journal.update.acquisition if journal.update else journal.plan
    if journal.plan:
        check_plan(journal.plan, environment, JOURNAL)
    if journal.failed_models.keys() - (plan.aggregates.keys() if plan else ()):
        raise ManifestError(f"`failed_models` in `{JOURNAL}` has what is no model of the plan")


def _unusable(path: Path, problem: str, cause: str) -> StorageError:
    hint = _way_out(path.parent)
    return StorageError(f"`{path}` {problem}", cause=cause, hint=hint, subject=str(path))


def _way_out(environment: Path) -> str:
    # One with a history was whole once: it may hold what its user has nowhere else.
    if (environment / ".cec" / ".git").exists():
        return "move that file away, and the environment counts as whole again, as it is now"
    return f"comfydock delete {environment.name}"


def write_journal(environment: Path, journal: Journal) -> None:
    """Record the journal; it lasts when this returns."""
    write_durably(environment / JOURNAL, msgspec.json.encode(journal), 0o600)


def close_journal(environment: Path) -> None:
    """Declare the environment complete; what killed writes left of its files goes before that."""
    with storage_errors(environment):
        for folder, name in ((environment, JOURNAL), (environment / ".cec", "")):
            for left in folder.glob(f".{name}*{UNFINISHED}"):
                left.unlink(missing_ok=True)
    (environment / JOURNAL).unlink(missing_ok=True)
    sync_folder(environment)
