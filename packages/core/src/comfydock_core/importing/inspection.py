"""What a bundle holds, for whoever only looks at it, and how it differs from an environment (pure).

Sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from comfydock_core.domain.environment_difference import EnvironmentContents, difference
from comfydock_core.domain.import_summary import ImportSummary
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.domain.requirements import wants_torch
from comfydock_core.importing.summary import OpenedBundle, left_open

_COMFYUI = 40 << 20
"""A checkout of ComfyUI 0.3.75 has 33 MB."""

_UNPACKED = 3
"""An installed Python package has about three times the bytes of its wheel."""

_TORCH = {"none": 0, "cpu": 1 << 30}
_TORCH_FOR_GPUS = 7 << 30
"""torch 2.9 with NVIDIA's libraries; without them it has 0.7 to 1 GB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectedWorkflow:
    """A workflow of a bundle: how many nodes its graphs have and how many models it asks for.

    ``problem`` says why its file cannot be read, or that there is none.
    """

    name: str
    nodes: int = 0
    models: int = 0
    packs: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentState:
    """What a bundle is compared with.

    ``workflows`` says of every workflow that is here whether the bundle's of that name means
    something else; ``models`` are the keys of the bundle's models that are here by their digests,
    ``likely`` those that only look the same.
    """

    name: str
    manifest: Manifest
    workflows: Mapping[str, bool] = field(default_factory=dict)
    models: frozenset[str] = frozenset()
    likely: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """One thing that both have: what it is in the bundle and what it is here."""

    name: str
    bundle: str
    here: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleDifference:
    """A bundle against an environment: ``new`` is only in the bundle, ``missing`` only here.

    ``versions`` are the parts in another version: ComfyUI, Python and node packs. The keys
    of the bundle's models are in ``models_here``, ``models_likely`` or ``models_new``.
    """

    environment: str
    versions: tuple[Versions, ...]
    nodes_new: tuple[str, ...]
    nodes_missing: tuple[str, ...]
    workflows_new: tuple[str, ...]
    workflows_changed: tuple[str, ...]
    workflows_missing: tuple[str, ...]
    models_here: tuple[str, ...]
    models_likely: tuple[str, ...]
    models_new: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """A bundle that was looked at and passed the strict reader; nothing of it was kept.

    ``size`` is that of its file; ``environment_size`` estimates ComfyUI and its Python packages.
    """

    path: Path
    size: int
    opened: OpenedBundle
    summary: ImportSummary
    workflows: tuple[InspectedWorkflow, ...]
    environment_size: int
    difference: BundleDifference | None = None

    @property
    def disk_needed(self) -> int:
        """Estimate what all of it takes on a machine that has none of it."""
        inputs = sum(file.size for file in self.opened.inputs.values())
        return self.environment_size + self.summary.total_size + inputs

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader noticed, without what the sender left open."""
        known = set(left_open(self.opened.bundle))
        return tuple(warning for warning in self.summary.warnings if warning not in known)


def environment_size(opened: OpenedBundle, torch_backend: str) -> int:
    """Estimate the disk space of ComfyUI and its Python packages.

    ``torch_backend`` is this machine's; one that is found out only later counts as the largest.
    """
    packages = sum(package.size for package in opened.lock)
    torch = _TORCH.get(torch_backend, _TORCH_FOR_GPUS)
    wanted = torch if wants_torch(opened.manifest.requirements) else 0
    return _COMFYUI + _UNPACKED * packages + wanted


def compare(
    summary: ImportSummary, workflows: Iterable[str], there: EnvironmentState
) -> BundleDifference:
    """Compare a bundle, with the names of its ``workflows``, with an environment."""
    here = {name: str(other) for name, other in there.workflows.items()}
    found = difference(
        EnvironmentContents(manifest=there.manifest, workflows=here),
        EnvironmentContents(
            manifest=summary.manifest, workflows=dict.fromkeys(workflows, str(False))
        ),
    )
    keys = summary.aggregates.keys()
    return BundleDifference(
        environment=there.name,
        versions=tuple(
            Versions(name=v.name, bundle=v.after, here=v.before) for v in found.versions
        ),
        nodes_new=_names(found.nodes_added),
        nodes_missing=_names(found.nodes_removed),
        workflows_new=found.workflows_added,
        workflows_changed=found.workflows_changed,
        workflows_missing=found.workflows_removed,
        models_here=tuple(key for key in keys if key in there.models),
        models_likely=tuple(key for key in keys if key in there.likely - there.models),
        models_new=tuple(key for key in keys if key not in there.models | there.likely),
    )


def _names(nodes: Iterable[NodeInfo]) -> tuple[str, ...]:
    return tuple(sorted(node.name for node in nodes))
