"""One workflow + what is known -> what it needs, what is there, and what to record (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from comfydock_core.domain.acquisition import WorkflowIssue
from comfydock_core.domain.manifest import ManifestWorkflow, ManifestWorkflowModel
from comfydock_core.domain.model_loaders import LOADERS, Loaders
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.names import url_problem
from comfydock_core.domain.path_rules import folded
from comfydock_core.domain.source_urls import storable_url
from comfydock_core.domain.workflow_needs import WorkflowNeeds
from comfydock_core.resolution.criticality import assess_criticality
from comfydock_core.resolution.models import ModelResolution, resolve_models
from comfydock_core.resolution.nodes import NodeResolution, resolve_nodes


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFacts:
    """What workflows are held against: classes of this ComfyUI, of its packs, and the library.

    ``loaders`` is what their code says of the widgets that name models; ``frontend`` are the
    classes that packs have in the browser alone.
    """

    core_classes: Collection[str]
    installed: Mapping[str, str]
    models: Sequence[ModelWithLocation]
    loaders: Loaders = field(default_factory=lambda: LOADERS)
    frontend: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AnalysedModel:
    """One model of a workflow: what will be recorded, the places that name it, and why."""

    entry: ManifestWorkflowModel
    resolutions: tuple[ModelResolution, ...]
    reason: str

    @property
    def model(self) -> ModelWithLocation | None:
        """The file on this machine, if it was found."""
        return self.resolutions[0].model


@dataclass(frozen=True, kw_only=True, slots=True)
class AnalysedWorkflow:
    """What a workflow needs and whether it is there; ``problem`` says why it cannot be read."""

    name: str
    nodes: tuple[NodeResolution, ...] = ()
    models: tuple[AnalysedModel, ...] = ()
    custom_node_map: Mapping[str, str | bool] = field(default_factory=dict)
    problem: str = ""

    def record(self) -> ManifestWorkflow:
        """Return what the manifest says of this workflow."""
        packs = {node.pack for node in self.nodes if node.pack and node.state != "missing"}
        return ManifestWorkflow(
            name=self.name,
            path=f"workflows/{self.name}.json",
            nodes=tuple(sorted(packs)),
            models=tuple(model.entry for model in self.models),
            custom_node_map=self.custom_node_map,
        )

    def issues(self) -> tuple[WorkflowIssue, ...]:
        """Return what is not here; only a class or a required model keeps it from running."""
        if self.problem:
            return (
                WorkflowIssue(
                    workflow=self.name,
                    kind="file",
                    subject=self.name,
                    sentence=self.problem,
                    blocking=True,
                ),
            )
        nodes = (self.node_issue(node) for node in self.nodes)
        models = (self.model_issue(model) for model in self.models)
        return tuple(issue for issue in (*nodes, *models) if issue)

    def node_issue(self, node: NodeResolution) -> WorkflowIssue | None:
        """Return what is open with one of the classes, if anything is."""
        if node.state not in ("missing", "ambiguous", "mapped") or not (
            node.pack or node.state != "mapped"
        ):
            return None
        wanted = f" (node pack `{node.pack}`)" if node.pack else ""
        return WorkflowIssue(
            workflow=self.name,
            kind="node",
            subject=node.node_type,
            sentence=f"node class `{node.node_type}`{wanted} is not installed",
            blocking=True,
        )

    def model_issue(self, model: AnalysedModel) -> WorkflowIssue | None:
        """Return what is open with one of the models, if anything is."""
        entry = model.entry
        if entry.status == "resolved":
            return None
        ambiguous = model.resolutions[0].state == "ambiguous"
        state = "fits several files" if ambiguous else "is not here"
        return WorkflowIssue(
            workflow=self.name,
            kind="model",
            subject=entry.filename,
            sentence=f"{entry.criticality} model `{entry.filename}` {state}",
            blocking=entry.criticality == "required",
        )


def analyse(
    needs: WorkflowNeeds, recorded: ManifestWorkflow | None, facts: KnownFacts
) -> AnalysedWorkflow:
    """Resolve every node class and every model that a workflow asks for."""
    node_map = recorded.custom_node_map if recorded else {}
    resolutions = resolve_models(needs.references, recorded, facts.models)
    groups = _by_file(resolution for resolution in resolutions if resolution.state != "not-a-file")
    known = recorded.models if recorded else ()
    return AnalysedWorkflow(
        name=needs.name,
        nodes=resolve_nodes(
            needs,
            core_classes=facts.core_classes,
            installed=facts.installed,
            frontend=facts.frontend,
            custom_node_map=node_map,
        ),
        models=tuple(_analysed(group, known) for group in groups),
        custom_node_map=node_map,
    )


def _by_file(resolutions: Iterable[ModelResolution]) -> Iterable[tuple[ModelResolution, ...]]:
    """Gather the places that name one file: one content here, or one path that is missing."""
    groups: dict[tuple[str, str], list[ModelResolution]] = {}
    for resolution in resolutions:
        reference = resolution.reference
        value = folded(reference.reference.widget_value.replace("\\", "/"))
        key = ("", resolution.model.hash) if resolution.model else (reference.category, value)
        groups.setdefault(key, []).append(resolution)
    return (tuple(group) for group in groups.values())


def _analysed(
    group: tuple[ModelResolution, ...], known: Sequence[ManifestWorkflowModel]
) -> AnalysedModel:
    references = [resolution.reference for resolution in group]
    model = group[0].model
    recorded = _recorded(group, known)
    assessment = assess_criticality(references, recorded)
    value = references[0].reference.widget_value.replace("\\", "/")
    declared = (reference.url for reference in references if reference.url)
    sources = (*(recorded.sources if recorded else ()), *declared)
    entry = ManifestWorkflowModel(
        filename=model.filename if model else value.rpartition("/")[2],
        category=references[0].category or (model.category if model else ""),
        criticality=assessment.criticality,
        status="resolved" if model else "unresolved",
        nodes=tuple(reference.reference for reference in references),
        hash=model.hash if model else (recorded.hash if recorded else ""),
        sources=_storable(sources),
        substituted_for=recorded.substituted_for if recorded else "",
    )
    return AnalysedModel(entry=_kept(entry, recorded), resolutions=group, reason=assessment.reason)


def _storable(urls: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses that may be kept, in the form in which they may be."""
    stored = dict.fromkeys(map(storable_url, urls))
    return tuple(url for url in stored if not url_problem(url))


def _kept(
    entry: ManifestWorkflowModel, recorded: ManifestWorkflowModel | None
) -> ManifestWorkflowModel:
    """Keep the name and path that were recorded for a file that is not here now."""
    if entry.status == "resolved" or recorded is None:
        return entry
    return replace(entry, filename=recorded.filename, relative_path=recorded.relative_path)


def _recorded(
    group: Sequence[ModelResolution], known: Sequence[ManifestWorkflowModel]
) -> ManifestWorkflowModel | None:
    """Find what was recorded of a file: by its place, its content, then its name.

    A frontend renumbers nodes and a user moves files; what a person once said of the model stays.
    """
    model = group[0].model
    places = {(r.reference.reference.node_id, r.reference.reference.widget_index) for r in group}
    values = {r.reference.reference.widget_value for r in group}
    names = {folded(value.replace("\\", "/").rpartition("/")[2]) for value in values}
    tests = (
        lambda entry: any(
            (place.node_id, place.widget_index) in places and place.widget_value in values
            for place in entry.nodes
        ),
        lambda entry: model is not None and entry.hash == model.hash,
        lambda entry: folded(entry.filename) in names,
    )
    return next((entry for test in tests for entry in known if test(entry)), None)
