"""Decisions, plans, outcomes and results of an import: what is shown is what is executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from comfydock_core.domain.criticality import Criticality, promote_criticality
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeInfo,
)
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.preflight import Preflight

ModelAction = Literal["download", "unpack", "substitute", "skip", "existing"]
NodeAction = Literal["install", "skip"]
IssueKind = Literal["model", "node", "file", "pack", "comfyui"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAggregate:
    """One model over all workflows; ``key`` is its hash, else its category and file name.

    ``criticality`` is the most conservative one; ``content`` is what the bundle knows of the
    file, None when the exporter never had it.
    """

    key: str
    model: ManifestWorkflowModel
    criticality: Criticality
    workflows: tuple[str, ...]
    content: ManifestModel | None = None

    @property
    def total_size(self) -> int:
        """Size in bytes; 0 where the bundle does not say it."""
        return self.content.size if self.content else 0

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the file can be had, best first."""
        known = self.content.sources if self.content else ()
        return tuple(dict.fromkeys((*known, *self.model.sources)))


def aggregate_model_criticality(
    workflows: Iterable[ManifestWorkflow], models: Mapping[str, ManifestModel]
) -> dict[str, ModelAggregate]:
    """Gather the models of all workflows, each with its most conservative criticality.

    Sources that only some of the workflows know count for all.
    """
    found: dict[str, ModelAggregate] = {}
    for workflow in workflows:
        for model in workflow.models:
            key = model.hash or f"{model.category}/{model.filename}"
            known = found.get(key)
            found[key] = ModelAggregate(
                key=key,
                model=_with_sources(known.model, model.sources) if known else model,
                criticality=promote_criticality(known.criticality, model.criticality)
                if known
                else model.criticality,
                workflows=tuple(
                    dict.fromkeys((*(known.workflows if known else ()), workflow.name))
                ),
                content=models.get(model.hash) or (known.content if known else None),
            )
    return found


def _with_sources(model: ManifestWorkflowModel, more: tuple[str, ...]) -> ManifestWorkflowModel:
    return replace(model, sources=tuple(dict.fromkeys((*model.sources, *more))))


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAcquisitionDecision:
    """How one model is acquired: ``action`` says which of the other fields count.

    ``unpack`` takes the file that the bundle itself holds. ``target_path`` is POSIX below the
    default models directory; ``reason`` says why a model is skipped although nobody asked for it.
    ``substitute`` is the local file of a substitution, or of what is here already. ``workflows``
    are those that the decision is limited to, none for all that use the model. A strategy may leave
    ``key`` and ``target_path`` empty, and ``source_url`` where the first known one is meant.
    """

    model: ManifestWorkflowModel
    action: ModelAction
    key: str = ""
    source_url: str = ""
    target_path: str = ""
    substitute: ModelWithLocation | None = None
    reason: str = ""
    workflows: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeAcquisitionDecision:
    """Whether one node pack is installed; ``source`` is what will be contacted or unpacked.

    ``reason`` says why a node is skipped although nobody asked for it.
    """

    node: NodeInfo
    action: NodeAction
    source: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeOrigin:
    """Code that an import will put on this machine, and where it comes from.

    ``kind``: ``comfyui``, ``registry``, ``git``, ``development``, ``python-host``,
    ``python-source`` or ``pickle``. ``pinned`` is true where its digest is known beforehand or a
    registry vouches for it; everything else needs a person or ``--trust-code``.
    """

    kind: str
    name: str
    detail: str
    pinned: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportPlan:
    """Everything an import will do. Execution reads nothing else but the staged bundle.

    ``bundle`` is the digest of that bundle's contents; ``dropped`` says what of another tool's
    bundle is not taken over.
    """

    environment: str
    bundle: str
    manifest: Manifest
    aggregates: Mapping[str, ModelAggregate]
    nodes: tuple[NodeAcquisitionDecision, ...]
    models: tuple[ModelAcquisitionDecision, ...]
    code: tuple[CodeOrigin, ...] = ()
    torch_backend: str = "auto"
    build_allowed: bool = False
    warnings: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    preflight: Preflight = field(default_factory=Preflight)

    def models_for(self, action: ModelAction) -> tuple[ModelAcquisitionDecision, ...]:
        """Return the decisions with one action, in the plan's order."""
        return tuple(decision for decision in self.models if decision.action == action)

    def nodes_for(self, action: NodeAction) -> tuple[NodeAcquisitionDecision, ...]:
        """Return the node decisions with one action, in the plan's order."""
        return tuple(decision for decision in self.nodes if decision.action == action)

    @property
    def download_size(self) -> int:
        """Bytes of all models that will be downloaded, as far as they are known."""
        return sum(self.aggregates[d.key].total_size for d in self.models_for("download"))


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowIssue:
    """Something that keeps a workflow from running as it did; ``blocking`` when it will not run.

    ``workflow`` is empty for what concerns no single one: a ``comfyui`` that does not start keeps
    all from running, a ``pack`` that cannot be imported is the subject.
    """

    workflow: str
    kind: IssueKind
    subject: str
    sentence: str
    blocking: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult:
    """Final result, with what really happened.

    ``success`` is true only if nothing that a workflow requires is missing. ``nodes_failed`` and
    ``models_failed`` are (name, reason) pairs; ``issues`` were found by looking again afterwards.
    """

    success: bool
    environment_name: str
    environment_path: Path | None = None
    plan: ImportPlan | None = None
    nodes_installed: int = 0
    nodes_failed: tuple[tuple[str, str], ...] = ()
    nodes_skipped: tuple[str, ...] = ()
    models_downloaded: int = 0
    models_unpacked: int = 0
    models_substituted: int = 0
    models_skipped: int = 0
    models_found_local: int = 0
    models_failed: tuple[tuple[str, str], ...] = ()
    workflows: tuple[str, ...] = ()
    issues: tuple[WorkflowIssue, ...] = ()
    errors: tuple[str, ...] = ()
    downloaded_size: int = 0
    unpacked_size: int = 0
    local_size: int = 0
    node_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.environment_name

    @property
    def workflows_with_issues(self) -> int:
        """How many workflows have at least one issue: all while ComfyUI does not start."""
        if any(issue.kind == "comfyui" for issue in self.issues):
            return len(self.workflows)
        return len({issue.workflow for issue in self.issues if issue.workflow})

    @property
    def workflows_complete(self) -> int:
        """How many workflows have every dependency."""
        return len(self.workflows) - self.workflows_with_issues
