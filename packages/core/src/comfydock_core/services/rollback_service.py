"""Rollback: an environment becomes again what one of its commits says, as a new commit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from comfydock_core.domain.acquisition import ImportPlan, NodeAcquisitionDecision
from comfydock_core.domain.bundle import WORKFLOWS
from comfydock_core.domain.environment_difference import (
    EnvironmentContents,
    difference,
    node_identity,
)
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.domain.update import UpdatePlan, UpdateResult, WorkflowStep
from comfydock_core.errors import CancelledError
from comfydock_core.importing.plan import node_source
from comfydock_core.services.changing import (
    ChangeInteraction,
    UnattendedChange,
    begin_change,
    nothing_to_do,
)
from comfydock_core.services.kept_packs import KeptPacks
from comfydock_core.services.update_planning import Meanings, check_python, is_uncommitted
from comfydock_core.storage.durable_files import copy_tree, staging_folder
from comfydock_core.storage.project_file import read_project
from comfydock_core.workspace.comfyui_checkout import comfyui_head
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.environments import ready_environment
from comfydock_core.workspace.node_cache import cached_nodes
from comfydock_core.workspace.node_swap import edited_packs
from comfydock_core.workspace.recorded_states import ROLLED_BACK, RecordedStates
from comfydock_core.workspace.update_folder import RETURNING, replaced_folder
from comfydock_core.workspace.workspace import Workspace

_DISABLED = re.compile(r"(?P<name>.+)-(?P<number>\d+)\.disabled")


class RollbackService:
    """Goes back to recorded states; models are never deleted."""

    def __init__(self, workspace: Workspace, interaction: ChangeInteraction | None = None) -> None:
        self._workspace = workspace
        self._interaction: ChangeInteraction = interaction or UnattendedChange()

    def roll_back(self, name: str, commit: str = "", *, verify: bool = True) -> UpdateResult:
        """Make an environment what ``commit`` says, by default the one before the last.

        NotFoundError where there is no such state, CancelledError when the answer is no.
        """
        with staging_folder(self._workspace.staging_path, "rollback-") as staging:
            made = staging / "rollback"
            plan = self._plan(name, commit, made / "bundle")
            if plan.is_noop:
                return nothing_to_do(self._workspace, plan)
            if not self._interaction.confirm_change(plan):
                raise CancelledError("rollback cancelled; nothing was changed")
            return begin_change(self._workspace, plan, made, verify=verify)

    def plan_rollback(self, name: str, commit: str = "") -> UpdatePlan:
        """Return the plan that ``roll_back`` would execute, and execute nothing."""
        with staging_folder(self._workspace.staging_path, "rollback-") as staging:
            return self._plan(name, commit, staging / "bundle")

    def _plan(self, name: str, text: str, laid_out: Path) -> UpdatePlan:
        workspace = self._workspace
        environment = ready_environment(workspace, name)
        states = RecordedStates(environment, workspace.tools.git)
        commit = states.find(text) if text else states.before_last()
        laid_out.parent.mkdir(parents=True, exist_ok=True)
        states.lay_out(commit, laid_out)
        mine, then = environment.manifest(), read_project(laid_out / "pyproject.toml")
        check_python(mine, then)
        sources = _development_sources(environment, then, states.since(commit))
        installs = [node for node in _nodes(then) if _is_to_come(environment, mine, node, sources)]
        scratch = workspace.staging_path
        kept = KeptPacks(environment=environment, states=states, commit=commit, staging=scratch)
        returning = kept.returning(installs)
        _lay_beside(laid_out, sources, returning)
        read = Meanings()
        changed = difference(
            EnvironmentContents(
                manifest=mine, workflows=read.of_folder(environment.workflows_path)
            ),
            EnvironmentContents(manifest=then, workflows=read.of_folder(laid_out / WORKFLOWS)),
        )
        here = comfyui_head(workspace, environment)
        uncommitted = is_uncommitted(workspace, environment)
        removed = _removed(mine, then)
        coming = {node.name: node for node in installs}
        return UpdatePlan(
            kind="rollback",
            acquisition=self._acquisition(name, then, mine, installs, returning),
            difference=changed,
            message=f"{ROLLED_BACK} {commit[:7]}",
            workflows=(
                *_steps("take", *changed.workflows_added, *changed.workflows_changed),
                *_steps("remove", *changed.workflows_removed),
            ),
            nodes_removed=removed,
            nodes_edited=self._edited(environment, mine, (*coming, *removed)),
            nodes_returning=tuple(returning),
            left_aside=kept.left({*sources.values(), *returning.values()}, coming),
            commit=commit,
            comfyui_here=here,
            comfyui_changes=then.comfyui_commit not in ("", here),
            uncommitted=uncommitted,
            records_change=uncommitted or not states.is_current(commit),
        )

    def _edited(
        self, environment: Environment, mine: Manifest, names: tuple[str, ...]
    ) -> tuple[str, ...]:
        git, folder = self._workspace.tools.git, environment.custom_nodes_path
        return edited_packs(git, folder, mine.nodes.values(), names)

    def _acquisition(
        self,
        name: str,
        then: Manifest,
        mine: Manifest,
        installs: list[NodeInfo],
        returning: Collection[str],
    ) -> ImportPlan:
        settings = self._workspace.settings.python
        return ImportPlan(
            environment=name,
            bundle="",
            manifest=then,
            aggregates={},
            nodes=tuple(
                NodeAcquisitionDecision(node=node, action="install", source=node_source(node))
                for node in installs
            ),
            models=(),
            torch_backend=then.torch.backend or mine.torch.backend or settings.torch_backend,
            build_allowed=True,
            warnings=self._to_fetch(then, [n for n in installs if n.name not in returning]),
        )

    def _to_fetch(self, then: Manifest, installs: list[NodeInfo]) -> tuple[str, ...]:
        """Say what is in no cache any more, so that the network is needed."""
        repositories = self._workspace.tools.repositories
        remote = [node for node in installs if node.source != "development"]
        cached = cached_nodes(self._workspace, remote)
        lacking = [node.name for node in remote if node.name not in cached]
        commit = then.comfyui_commit
        if commit and not repositories.has(then.comfyui_repository, commit):
            lacking.insert(0, f"ComfyUI {then.comfyui_version}")
        return tuple(f"{what} is not in the cache and will be fetched again" for what in lacking)


def _nodes(manifest: Manifest) -> list[NodeInfo]:
    return [node for _, node in sorted(manifest.nodes.items())]


def _removed(mine: Manifest, then: Manifest) -> tuple[str, ...]:
    names = {node.name for node in then.nodes.values()}
    return tuple(node.name for node in _nodes(mine) if node.name not in names)


def _lay_beside(laid_out: Path, sources: Mapping[str, Path], returning: Mapping[str, Path]) -> None:
    """Copy the packs that are on this machine alone to where an execution takes them from."""
    for folder, packs in (
        (laid_out / "dev_nodes", sources),
        (laid_out.parent / RETURNING, returning),
    ):
        for name, pack in packs.items():
            copy_tree(pack, folder / name)


def _steps(action: Literal["take", "remove"], *names: str) -> tuple[WorkflowStep, ...]:
    return tuple(WorkflowStep(name=name, action=action) for name in names)


def _is_to_come(
    environment: Environment, mine: Manifest, node: NodeInfo, sources: Mapping[str, Path]
) -> bool:
    """Tell whether a node of the state to go to is not here as it was then."""
    if node.source == "development":
        return node.name in sources
    same = {node_identity(other) for other in mine.nodes.values() if other.name == node.name}
    is_there = (environment.custom_nodes_path / node.name).is_dir()
    return not is_there or node_identity(node) not in same


def _development_sources(
    environment: Environment, then: Manifest, since: tuple[str, ...]
) -> dict[str, Path]:
    """Find the sources that development nodes had then, where those are not the ones in place.

    What was first replaced after that state is what it had; a node that was removed is disabled.
    """
    found: dict[str, Path] = {}
    for node in then.nodes_by_source("development"):
        kept = (replaced_folder(environment, commit) / node.name for commit in since)
        place = next((folder for folder in kept if folder.is_dir()), None)
        if place is None and not (environment.custom_nodes_path / node.name).is_dir():
            place = _last_disabled(environment.custom_nodes_path, node.name)
        if place:
            found[node.name] = place
    return found


def _last_disabled(custom_nodes: Path, name: str) -> Path | None:
    matches = ((_DISABLED.fullmatch(path.name), path) for path in custom_nodes.iterdir())
    numbered = [(int(m["number"]), path) for m, path in matches if m and m["name"] == name]
    return max(numbered)[1] if numbered else None
