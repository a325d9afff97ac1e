"""What an export finds and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.acquisition import WorkflowIssue


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowChanges:
    """Workflows that differ, by meaning, between ComfyUI and the last commit."""

    new: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.modified or self.deleted)

    def lines(self) -> tuple[str, ...]:
        """Say each change in a line: ``new  NAME``."""
        kinds = (("new", self.new), ("modified", self.modified), ("deleted", self.deleted))
        return tuple(f"{kind:9} {name}" for kind, names in kinds for name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedWorkflow:
    """One workflow in the validation summary."""

    name: str
    nodes: int
    models: int
    issues: tuple[WorkflowIssue, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportValidation:
    """What stands between an environment and its bundle; empty ``obstacles`` and no issues: go."""

    workflows: tuple[CheckedWorkflow, ...]
    obstacles: tuple[str, ...] = ()

    @property
    def issues(self) -> tuple[WorkflowIssue, ...]:
        """All issues of all workflows."""
        return tuple(issue for workflow in self.workflows for issue in workflow.issues)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportResult:
    """A bundle that was written and read back; ``unknown_sources`` are models without a URL.

    ``warnings`` say what does not travel, and what does although it is private. ``commits`` are the
    messages of what was committed on the way, oldest first.
    """

    path: Path
    size: int
    workflows: int
    nodes: int
    development_nodes: int
    models: int
    inputs: int = 0
    model_files: int = 0
    unknown_sources: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
