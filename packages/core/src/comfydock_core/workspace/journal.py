"""The journal of an environment that is being made or changed: what is planned and what is done.

``import.json`` lies beside ``.cec``, where nothing out of a bundle can be. While it is there the
environment is *incomplete*; removing it is the last act of making one (design.md 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.update import UpdatePlan
from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import (
    UNFINISHED,
    storage_errors,
    sync_folder,
    write_durably,
)

JOURNAL = "import.json"
_AFTER_NODES_AND_MODELS = frozenset({"manifest", "python", "workflows", "inputs"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Journal:
    """``work`` says what makes the environment; ``done`` are the names of its finished steps.

    ``bundle`` is the digest of the bundle's contents, ``archive`` the file that it came in (its
    models are still in there), ``requested`` the name that was asked for and ``plan`` what was
    confirmed; a ``create`` has none of them. ``failed_nodes`` and
    ``failed_models`` say why something was given up, by node name and model key.

    An ``update`` or rollback has ``update`` in the place of ``plan``, and ``before`` is the commit
    that the environment goes back to when it cannot be finished.
    """

    work: Literal["create", "import", "update"]
    bundle: str = ""
    archive: str = ""
    requested: str = ""
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
    """Read the journal of an environment's folder; None when it is complete."""
    path = environment / JOURNAL
    try:
        return msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise StorageError(
            f"`{path}` cannot be read",
            cause=str(error),
            hint=_way_out(environment),
            subject=str(path),
        ) from error


def _way_out(environment: Path) -> str:
    # One with a history was whole once: it may hold what its user has nowhere else.
    if (environment / ".cec" / ".git").exists():
        return "move that file away, and the environment counts as whole again, as it is now"
    return f"comfydock delete {environment.name}"


def write_journal(environment: Path, journal: Journal) -> None:
    """Record the journal; it lasts when this returns."""
    write_durably(environment / JOURNAL, msgspec.json.encode(journal))


def close_journal(environment: Path) -> None:
    """Declare the environment complete; what killed writes left of its files goes before that."""
    with storage_errors(environment):
        for folder, name in ((environment, JOURNAL), (environment / ".cec", "")):
            for left in folder.glob(f".{name}*{UNFINISHED}"):
                left.unlink(missing_ok=True)
    (environment / JOURNAL).unlink(missing_ok=True)
    sync_folder(environment)
