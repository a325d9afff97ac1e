"""A bundle merged into what an environment is: what the user has of its own stays (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from comfydock_core.domain.acquisition import CodeOrigin
from comfydock_core.domain.environment_difference import node_identity
from comfydock_core.domain.lock import LockedPackage
from comfydock_core.domain.manifest import Manifest, ManifestWorkflow, NodeInfo
from comfydock_core.domain.three_way import Choice, choose
from comfydock_core.domain.update import ConflictChoice, WorkflowStep


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """What is merged: ``base`` is what both come from, None where that is not known.

    ``other_sources`` names the development nodes whose files here are not the bundle's.
    """

    mine: Manifest
    theirs: Manifest
    base: Manifest | None = None
    base_identities: Mapping[str, str] = field(default_factory=dict)
    other_sources: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeMerge:
    """``installs`` are the bundle's nodes that come, ``removes`` and ``keeps`` the user's by name.

    ``left_out`` are nodes of the bundle that the user had removed.
    """

    installs: tuple[NodeInfo, ...]
    removes: tuple[str, ...]
    keeps: tuple[str, ...]
    left_out: tuple[str, ...]


def identities(manifest: Manifest) -> dict[str, str]:
    """Say of every node by its name what it is."""
    return {node.name: node_identity(node) for node in manifest.nodes.values()}


def merge_nodes(sides: Sides, needed: Collection[str] = ()) -> NodeMerge:
    """Decide about the node packs; where both sides changed one, the bundle's comes.

    Those of ``needed`` do not go: workflows of the user's ask for them.

    ``base_identities`` go before what ``base`` says: the bundle's version of what was kept then.
    """
    base = None if sides.base is None else {**identities(sides.base), **sides.base_identities}
    mine, theirs = identities(sides.mine), identities(sides.theirs)
    choices = choose(base, mine, theirs)
    nodes = {node.name: node for node in sides.theirs.nodes.values()}
    taken = [name for name, choice in choices.items() if choice in ("take", "ask")]
    come = [name for name in taken if name in nodes]
    come += sorted(n for n in sides.other_sources if choices.get(n) == "same")
    gone = [name for name in taken if name not in nodes]
    kept = [name for name, choice in choices.items() if choice == "keep"]
    kept += [name for name in gone if name in needed]
    return NodeMerge(
        installs=tuple(nodes[name] for name in sorted(come)),
        removes=tuple(name for name in gone if name not in needed),
        keeps=tuple(name for name in kept if name in mine),
        left_out=tuple(name for name in kept if name not in mine),
    )


def still_needed(
    needs: Mapping[str, Collection[str]], steps: Iterable[WorkflowStep]
) -> frozenset[str]:
    """Return the packs that workflows ask for which stay as the user has them.

    ``needs`` are the packs that each of the user's workflows asks for.
    """
    stay = (step.name for step in steps if step.action == "keep" or step.kept_as)
    return frozenset(pack for name in stay for pack in needs.get(name, ()))


def merge_workflows(
    base: Mapping[str, str] | None,
    mine: Mapping[str, str],
    theirs: Mapping[str, str],
    conflict: Mapping[str, ConflictChoice],
) -> tuple[WorkflowStep, ...]:
    """Decide about the workflows that differ; a conflict is kept unless ``conflict`` says other."""
    chosen = choose(base, mine, theirs)
    return tuple(
        _step(name, choice, mine, theirs, conflict.get(name, "keep"))
        for name, choice in chosen.items()
        if choice != "same"
    )


def _step(
    name: str,
    choice: Choice,
    mine: Mapping[str, str],
    theirs: Mapping[str, str],
    conflict: ConflictChoice,
) -> WorkflowStep:
    if choice == "ask":
        kept_as = free_name(f"{name}.mine", mine) if conflict == "take" else ""
        return WorkflowStep(name=name, action=conflict, conflict=True, kept_as=kept_as)
    if choice == "take":
        return WorkflowStep(name=name, action="take" if name in theirs else "remove")
    return WorkflowStep(name=name, action="keep")


def free_name(name: str, taken: Collection[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def merged_manifest(
    sides: Sides, nodes: NodeMerge, steps: Iterable[WorkflowStep], workflows: Iterable[str]
) -> Manifest:
    """Return what the environment consists of afterwards; ``workflows`` are those of today."""
    mine, theirs = sides.mine, sides.theirs
    come = {node.name: (node, theirs) for node in nodes.installs}
    stay = {
        node.name: (node, mine)
        for node in mine.nodes.values()
        if node.name not in nodes.removes and node.name not in come
    }
    records = _workflow_records(sides, steps, workflows)
    entries = [model for workflow in records.values() for model in workflow.models]
    used = {key for model in entries for key in (model.hash, model.substituted_for)}
    known = {**mine.models, **theirs.models}
    return replace(
        theirs,
        name=mine.name,
        python_version=mine.python_version,
        torch=theirs.torch if theirs.torch.version else mine.torch,
        workflows=records,
        models={key: model for key, model in known.items() if key in used},
        **_nodes_and_groups(come | stay),
    )


def _nodes_and_groups(chosen: Mapping[str, tuple[NodeInfo, Manifest]]) -> dict[str, Any]:
    return {
        "nodes": {name: node for name, (node, _) in sorted(chosen.items())},
        "groups": {
            node.group: of.groups[node.group]
            for _, (node, of) in sorted(chosen.items())
            if node.group in of.groups
        },
    }


def _workflow_records(
    sides: Sides, steps: Iterable[WorkflowStep], workflows: Iterable[str]
) -> dict[str, ManifestWorkflow]:
    """Return the records; what the user said about an unchanged workflow stays said."""
    done = {step.name: step.action for step in steps}
    names = {name for name in workflows if done.get(name) != "remove"}
    names |= {name for name, action in done.items() if action == "take"}
    mine, theirs = sides.mine.workflows, sides.theirs.workflows
    base = sides.base.workflows if sides.base else {}
    records: dict[str, ManifestWorkflow] = {}
    for name in sorted(names):
        own, other = mine.get(name), theirs.get(name)
        untouched = name not in done and own == base.get(name)
        if other and (done.get(name) == "take" or own is None or untouched):
            own = other
        records[name] = own or ManifestWorkflow(name=name, path=f"workflows/{name}.json")
    return records


def without_failed(target: Manifest, before: Manifest, failed: Collection[str]) -> Manifest:
    """Return ``target`` with the nodes that could not be had as they were ``before``, if at all."""
    known = {node.name: node for node in before.nodes.values()}
    chosen = {
        node.name: (node, target) for node in target.nodes.values() if node.name not in failed
    }
    chosen |= {name: (known[name], before) for name in failed if name in known}
    return replace(target, **_nodes_and_groups(chosen))


def new_code(
    code: Iterable[CodeOrigin],
    sides: Sides,
    nodes: NodeMerge,
    locked: Iterable[LockedPackage],
) -> tuple[CodeOrigin, ...]:
    """Return the code origins of a bundle that are not here already.

    ``locked`` are the Python packages of the environment's present lock.
    """
    come = {node.name for node in nodes.installs}
    here = {f"{package.name} {package.version}" for package in locked}
    same_comfyui = sides.mine.comfyui_commit == sides.theirs.comfyui_commit
    return tuple(
        origin
        for origin in code
        if not (same_comfyui and origin.kind == "comfyui")
        and (origin.kind not in ("registry", "git", "development") or origin.name in come)
        and (origin.kind != "python-source" or origin.name not in here)
    )
