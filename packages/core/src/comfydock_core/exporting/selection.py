"""What of an environment travels: all of it or some workflows with what they need (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from comfydock_core.domain.bundle import PROFILES
from comfydock_core.domain.manifest import Manifest, ManifestWorkflow, NodeInfo
from comfydock_core.errors import NotFoundError, UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """A manifest of what travels; ``left_out`` are the node packs that stay behind."""

    manifest: Manifest
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a bundle holds beside the workflows, the manifest and the lock."""

    node_sources: bool = True
    inputs: bool = True
    model_files: bool = False


_CONTENTS = {
    "minimal": Contents(),
    "full": Contents(model_files=True),
    "workflow-only": Contents(node_sources=False, inputs=False),
}


def contents_of(profile: str) -> Contents:
    """Return what travels in a profile.

    ``minimal``, the default, holds everything but model files; ``full`` those too;
    ``workflow-only`` refers to everything and holds none of it.
    """
    if profile not in _CONTENTS:
        raise UsageError(
            f"`{ascii(profile)[1:-1]}` is no profile",
            hint=f"there are: {', '.join(f'`{known}`' for known in PROFILES)}",
            subject=profile,
        )
    return _CONTENTS[profile]


def select(manifest: Manifest, names: Iterable[str]) -> Selection:
    """Return the manifest with only these workflows, and the packs and models that they need.

    Names are with or without ``.json``. What ComfyUI itself asks for stays, and with a substituted
    model its original. NotFoundError names the workflows that there are.
    """
    workflows = {name: manifest.workflows[name] for name in _found(manifest, names)}
    wanted = {pack for workflow in workflows.values() for pack in _packs(workflow)}
    nodes = {key: node for key, node in manifest.nodes.items() if _names(key, node) & wanted}
    groups = {node.group for node in nodes.values()}
    used = [model for workflow in workflows.values() for model in workflow.models]
    models = {model.hash for model in used} | {model.substituted_for for model in used}
    selected = replace(
        manifest,
        workflows=workflows,
        nodes=nodes,
        groups={name: lines for name, lines in manifest.groups.items() if name in groups},
        models={key: model for key, model in manifest.models.items() if key in models},
    )
    left_out = (node.name for key, node in manifest.nodes.items() if key not in nodes)
    return Selection(manifest=selected, left_out=tuple(sorted(left_out)))


def without_development_nodes(selection: Selection) -> Selection:
    """Return the selection without the nodes whose source would have to travel."""
    manifest = selection.manifest
    left_out = manifest.nodes_by_source("development")
    groups = {node.group for node in left_out}
    kept = {k: node for k, node in manifest.nodes.items() if node.source != "development"}
    return Selection(
        manifest=replace(
            manifest,
            nodes=kept,
            groups={name: lines for name, lines in manifest.groups.items() if name not in groups},
        ),
        left_out=(*selection.left_out, *(node.name for node in left_out)),
    )


def _found(manifest: Manifest, names: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    unknown: list[str] = []
    for name in names:
        plain = name if name in manifest.workflows else name.removesuffix(".json")
        if plain in manifest.workflows:
            found[plain] = None
        else:
            unknown.append(name)
    there = ", ".join(f"`{known}`" for known in sorted(manifest.workflows))
    if unknown:
        asked = " and no ".join(f"workflow `{name}`" for name in unknown)
        raise NotFoundError(
            f"there is no {asked} in `{manifest.name}`",
            hint=f"there are: {there}" if there else "it has no workflow yet",
            subject=unknown[0],
        )
    if not found:
        raise UsageError("no workflow is named", hint=f"there are: {there}")
    return tuple(found)


def _packs(workflow: ManifestWorkflow) -> tuple[str, ...]:
    """Return the packs that a workflow names: recorded for it, or decided for a class of its."""
    decided = (pack for pack in workflow.custom_node_map.values() if isinstance(pack, str))
    return (*workflow.nodes, *decided)


def _names(key: str, node: NodeInfo) -> set[str]:
    return {key, node.name, *filter(None, (node.registry_id,))}
