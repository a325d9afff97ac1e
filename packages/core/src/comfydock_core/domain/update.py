"""What an update or a rollback will do to an environment: shown, agreed to, then executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from comfydock_core.domain.acquisition import ImportPlan, ImportResult
from comfydock_core.domain.environment_difference import EnvironmentDifference

ConflictChoice = Literal["keep", "take"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowStep:
    """What becomes of one workflow that is not the same on both sides.

    ``take`` puts the new one here, ``remove`` deletes the one that is here, ``keep`` leaves it.
    ``conflict`` says that both sides changed it. ``kept_as`` is the name under which a workflow of
    the user's that gives way is kept, empty where that is not needed.
    """

    name: str
    action: Literal["take", "remove", "keep"]
    conflict: bool = False
    kept_as: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdatePlan:
    """Everything that an update or a rollback does.

    ``acquisition`` holds the nodes and models to get and, as its manifest, what the environment
    consists of afterwards. ``nodes_removed`` and ``nodes_kept`` are names of packs that go, and of
    packs that are left as the user has them although the bundle differs. ``nodes_edited`` were
    changed by hand and give way: they are put aside. ``nodes_returning`` come back as they were put
    aside then, ``left_aside`` are the folders of that kind that stay. ``archive`` is the file of
    the bundle, ``commit`` the state that a rollback goes back to (40 hex), ``comfyui_here`` the
    commit that ComfyUI is at, which ``comfyui_changes`` says to leave. ``uncommitted`` tells that
    the present state is committed first, ``records_change`` that at least the manifest is written
    anew. ``message`` begins the message of the commit at the end; ``kept`` says what the bundle had
    (``""`` for nothing) in the place of what is kept, by ``node:NAME`` and ``workflow:NAME``.
    """

    kind: Literal["update", "rollback"]
    acquisition: ImportPlan
    difference: EnvironmentDifference
    message: str
    workflows: tuple[WorkflowStep, ...] = ()
    nodes_removed: tuple[str, ...] = ()
    nodes_kept: tuple[str, ...] = ()
    nodes_edited: tuple[str, ...] = ()
    nodes_returning: tuple[str, ...] = ()
    left_aside: tuple[str, ...] = ()
    archive: str = ""
    commit: str = ""
    comfyui_here: str = ""
    comfyui_changes: bool = False
    kept: Mapping[str, str] = field(default_factory=dict)
    uncommitted: bool = False
    records_change: bool = False

    @property
    def environment(self) -> str:
        """The name of the environment."""
        return self.acquisition.environment

    @property
    def is_noop(self) -> bool:
        """Whether the environment already is what it is to become."""
        changes = any(step.action != "keep" for step in self.workflows)
        nodes = self.acquisition.nodes_for("install") or self.nodes_removed
        models = self.acquisition.models_for("download") or self.acquisition.models_for("unpack")
        return not (changes or nodes or models or self.difference or self.records_change)


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateResult:
    """What really happened.

    ``result`` counts as that of an import does. ``before`` and ``after`` are commits, the same
    where there was nothing to do. ``kept_aside`` are folders with what was replaced and is in no
    history: development nodes, and packs with files of their own.
    """

    plan: UpdatePlan
    result: ImportResult
    before: str
    after: str
    kept_aside: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return self.before != self.after
