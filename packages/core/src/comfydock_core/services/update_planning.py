"""What an update would do: a bundle, an environment and what both come from, looked at together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from comfydock_core.domain.acquisition import (
    ImportPlan,
    NodeAcquisitionDecision,
    aggregate_model_criticality,
)
from comfydock_core.domain.bundle import WORKFLOWS
from comfydock_core.domain.environment_difference import EnvironmentContents, difference
from comfydock_core.domain.lock import parse_lock
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.update import ConflictChoice, UpdatePlan, WorkflowStep
from comfydock_core.domain.workflow_meaning import meaning
from comfydock_core.errors import UsageError, WorkflowError
from comfydock_core.importing.local_keys import local_keys, with_local_keys
from comfydock_core.importing.merging import (
    NodeMerge,
    Sides,
    identities,
    merge_nodes,
    merge_workflows,
    merged_manifest,
    new_code,
    still_needed,
)
from comfydock_core.importing.opening import surroundings_of
from comfydock_core.importing.plan import PlanChoices, make_plan, node_source
from comfydock_core.importing.summary import OpenedBundle, summarise
from comfydock_core.interaction import ModelStrategy
from comfydock_core.services.import_deciding import find_local_models
from comfydock_core.storage.project_file import read_project
from comfydock_core.workspace import workflows
from comfydock_core.workspace.comfyui_checkout import comfyui_head
from comfydock_core.workspace.environment import Environment, History
from comfydock_core.workspace.node_swap import edited_packs
from comfydock_core.workspace.recorded_states import UPDATED, RecordedStates
from comfydock_core.workspace.update_folder import same_source
from comfydock_core.workspace.workflows import workflow_files
from comfydock_core.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateOptions:
    """What the caller decided beforehand.

    ``workflows_conflict`` decides about workflows that both sides changed; None asks.
    ``trust_code``, ``person`` and ``verify`` are those of an import.
    """

    models: ModelStrategy = "all"
    workflows_conflict: ConflictChoice | None = None
    trust_code: bool = False
    person: bool = False
    verify: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Common:
    """What the environment and the bundle come from.

    ``workflows`` are meanings by name and None where nothing is known. ``nodes`` say by name what
    the bundle had in the place of what was kept then.
    """

    manifest: Manifest | None = None
    workflows: Mapping[str, str] | None = None
    nodes: Mapping[str, str] = field(default_factory=dict)


class UpdatePlanning:
    """Plans one update; ``unpacked`` is the folder of the strictly unpacked bundle.

    ``decide`` is asked about each workflow that both sides changed, by name.
    """

    def __init__(
        self,
        workspace: Workspace,
        environment: Environment,
        opened: OpenedBundle,
        unpacked: Path,
        options: UpdateOptions,
        decide: Callable[[str], ConflictChoice],
    ) -> None:
        self._workspace = workspace
        self._environment = environment
        self._opened = opened
        self._unpacked = unpacked
        self._options = options
        self._decide = decide
        self._meanings = Meanings()

    def plan(self, archive: Path, staging: Path) -> UpdatePlan:
        """Return the plan; nothing but ``staging`` is written and no network is used."""
        mine = self._environment.manifest()
        check_python(mine, self._opened.manifest)
        common = common_state(self._workspace, self._environment, staging / "common")
        sides = self._sides(mine, common)
        here = self._meanings.of_folder(self._environment.workflows_path)
        bundled = self._bundled_meanings(sides.theirs)
        steps = self._workflow_steps(common, here, bundled)
        nodes = merge_nodes(sides, still_needed(self._needs(mine), steps))
        merged = merged_manifest(sides, nodes, steps, here)
        acquisition = self._acquisition(sides, nodes, merged)
        after = _after(here, bundled, steps)
        changed = difference(
            EnvironmentContents(manifest=mine, workflows=here),
            EnvironmentContents(manifest=merged, workflows=after),
        )
        return UpdatePlan(
            kind="update",
            acquisition=acquisition,
            difference=changed,
            message=f"{UPDATED} {self._opened.digest[:12]}",
            workflows=steps,
            nodes_removed=nodes.removes,
            nodes_kept=(*nodes.keeps, *nodes.left_out),
            nodes_edited=self._edited(mine, nodes),
            archive=str(archive.absolute()),
            comfyui_here=comfyui_head(self._workspace, self._environment),
            comfyui_changes=_comfyui(mine) != _comfyui(merged),
            kept=_kept(sides, nodes, steps, bundled),
            uncommitted=is_uncommitted(self._workspace, self._environment),
            records_change=_criticalities(mine) != _criticalities(merged),
        )

    def _sides(self, mine: Manifest, common: Common) -> Sides:
        theirs = self._opened.manifest
        if not theirs.comfyui_commit and theirs.comfyui_version == mine.comfyui_version:
            theirs = replace(theirs, comfyui_commit=mine.comfyui_commit)
        folder = self._environment.custom_nodes_path
        sources = self._unpacked / "dev_nodes"
        other = frozenset(
            node.name
            for node in theirs.nodes.values()
            if not (folder / node.name).is_dir()
            or (
                node.source == "development"
                and not same_source(sources / node.name, folder / node.name)
            )
        )
        return Sides(
            mine=mine,
            theirs=theirs,
            base=common.manifest,
            base_identities=common.nodes,
            other_sources=other,
        )

    def _edited(self, mine: Manifest, nodes: NodeMerge) -> tuple[str, ...]:
        names = (*(node.name for node in nodes.installs), *nodes.removes)
        folder = self._environment.custom_nodes_path
        return edited_packs(self._workspace.tools.git, folder, mine.nodes.values(), names)

    def _needs(self, mine: Manifest) -> dict[str, tuple[str, ...]]:
        analysed = workflows.analyse_all(self._workspace, self._environment, mine)
        return {found.name: found.record().nodes for found in analysed if not found.problem}

    def _bundled_meanings(self, theirs: Manifest) -> dict[str, str]:
        """Say what the bundle's workflows mean with the paths that their models have here."""
        mine = self._environment.manifest()
        loaders = workflows.known_facts(self._workspace, self._environment, mine).loaders
        plan = self._models_plan(theirs)
        index = self._workspace.tools.models
        local = with_local_keys(theirs, local_keys(index, plan, frozenset()))
        live = workflow_files(self._environment.workflows_path)
        found: dict[str, str] = {}
        for name, path in workflow_files(self._unpacked / WORKFLOWS).items():
            data = path.read_bytes()
            recorded = local.workflows.get(name)
            if recorded and not (name in live and live[name].read_bytes() == data):
                with suppress(WorkflowError):
                    data = workflows.with_local_paths(self._workspace, data, recorded, loaders).data
            found[name] = self._meanings.of(data)
        return found

    def _workflow_steps(
        self, common: Common, here: Mapping[str, str], bundled: Mapping[str, str]
    ) -> tuple[WorkflowStep, ...]:
        chosen = self._options.workflows_conflict
        open_steps = merge_workflows(common.workflows, here, bundled, {})
        conflicts = [step.name for step in open_steps if step.conflict]
        answers = {name: chosen or self._decide(name) for name in conflicts}
        return merge_workflows(common.workflows, here, bundled, answers)

    def _models_plan(self, manifest: Manifest) -> ImportPlan:
        """Decide about the bundle's models that ``manifest`` asks for."""
        here = replace(surroundings_of(self._workspace), environment_names=frozenset())
        whole = summarise(self._opened, self._environment.name, here)
        asked = aggregate_model_criticality(
            (workflow for _, workflow in sorted(manifest.workflows.items())), manifest.models
        )
        known = {key: each for key, each in asked.items() if key in whole.aggregates}
        summary = replace(whole, manifest=manifest, aggregates=known)
        settings = self._workspace.settings.python
        choices = PlanChoices(
            models=self._options.models,
            torch_backend=self._environment.manifest().torch.backend or settings.torch_backend,
            build_allowed=self._options.trust_code or self._options.person,
        )
        return make_plan(summary, find_local_models(self._workspace, summary), choices)

    def _acquisition(self, sides: Sides, nodes: NodeMerge, merged: Manifest) -> ImportPlan:
        plan = self._models_plan(merged)
        lock = self._environment.lock_path
        locked = parse_lock(lock.read_bytes()) if lock.exists() else ()
        return replace(
            plan,
            nodes=tuple(
                NodeAcquisitionDecision(node=node, action="install", source=node_source(node))
                for node in nodes.installs
            ),
            code=new_code(plan.code, sides, nodes, locked),
        )


class Meanings:
    """What workflows mean; equal bytes are read once."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}

    def of(self, data: bytes) -> str:
        """Return what is equal for two files of one meaning; a file that has none is itself."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            try:
                self._known[digest] = meaning(data)
            except WorkflowError:
                self._known[digest] = digest.hex()
        return self._known[digest]

    def of_folder(self, folder: Path) -> dict[str, str]:
        """Return what each workflow below a folder means, by name."""
        return {name: self.of(path.read_bytes()) for name, path in workflow_files(folder).items()}


def common_state(workspace: Workspace, environment: Environment, aside: Path) -> Common:
    """Read what the last import or update made, as far as the history tells."""
    states = RecordedStates(environment, workspace.tools.git)
    state = states.bundle_state()
    if state is None:
        return Common()
    states.lay_out(state.commit, aside)
    kept = {kind: _of_kind(state.kept, f"{kind}:") for kind in ("workflow", "node")}
    return Common(
        manifest=read_project(aside / "pyproject.toml"),
        workflows={**Meanings().of_folder(aside / WORKFLOWS), **kept["workflow"]},
        nodes=kept["node"],
    )


def _of_kind(kept: Mapping[str, str], kind: str) -> dict[str, str]:
    return {name.removeprefix(kind): what for name, what in kept.items() if name.startswith(kind)}


def is_uncommitted(workspace: Workspace, environment: Environment) -> bool:
    """Tell whether something of the environment is in no commit yet."""
    changed = bool(History(environment, workspace.tools.git).changes())
    return changed or bool(workflows.changes(environment))


def check_python(here: Manifest, other: Manifest) -> None:
    """Raise UsageError where another Python is needed: a venv is of one version for ever."""
    ours, theirs = _minor(here.python_version), _minor(other.python_version)
    if ours != theirs:
        raise UsageError(
            f"`{here.name}` has Python {ours} and this needs Python {theirs}, which an environment "
            "cannot change",
            hint="comfydock import BUNDLE --name NEW-NAME",
            subject=here.name,
        )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _criticalities(manifest: Manifest) -> set[tuple[str, str, str]]:
    return {
        (workflow.name, model.filename, model.criticality)
        for workflow in manifest.workflows.values()
        for model in workflow.models
    }


def _comfyui(manifest: Manifest) -> str:
    return manifest.comfyui_commit or manifest.comfyui_version


def _after(
    here: Mapping[str, str], bundled: Mapping[str, str], steps: tuple[WorkflowStep, ...]
) -> dict[str, str]:
    after = dict(here)
    for step in steps:
        if step.kept_as:
            after[step.kept_as] = here[step.name]
        if step.action == "take":
            after[step.name] = bundled[step.name]
        elif step.action == "remove":
            del after[step.name]
    return after


def _kept(
    sides: Sides, nodes: NodeMerge, steps: tuple[WorkflowStep, ...], bundled: Mapping[str, str]
) -> dict[str, str]:
    """Say what the bundle has in the place of what is kept."""
    theirs = identities(sides.theirs)
    kept = {f"node:{name}": theirs.get(name, "") for name in (*nodes.keeps, *nodes.left_out)}
    names = [step.name for step in steps if step.action == "keep"]
    return kept | {f"workflow:{name}": bundled.get(name, "") for name in names}
