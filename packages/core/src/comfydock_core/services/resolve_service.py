"""Resolve: analyse a workflow, ask about what is open, save each answer as it is given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from comfydock_core.domain.known_packs import KNOWN_PACKS
from comfydock_core.domain.model_loaders import loader_value
from comfydock_core.domain.models import ModelWithLocation, detect_url_type
from comfydock_core.domain.names import model_path_problem, url_problem
from comfydock_core.domain.workflow_splice import rewrite_values
from comfydock_core.errors import NetworkError, UsageError, WorkflowError
from comfydock_core.events import Notice
from comfydock_core.interaction import (
    ModelAnswer,
    ModelResolutionStrategy,
    NodeAnswer,
    NodeResolutionStrategy,
)
from comfydock_core.resolution.nodes import NodeResolution
from comfydock_core.resolution.workflow_analysis import AnalysedModel, AnalysedWorkflow, KnownFacts
from comfydock_core.storage.downloads import model_request
from comfydock_core.storage.durable_files import write_durably
from comfydock_core.workspace import nodes, workflows
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

_OPEN_NODES = ("missing", "ambiguous")


class ResolveService:
    """Resolves the workflows of one environment; without strategies it only looks and records."""

    def __init__(
        self,
        environment: Environment,
        workspace: Workspace,
        *,
        models: ModelResolutionStrategy | None = None,
        nodes: NodeResolutionStrategy | None = None,
    ) -> None:
        self._environment = environment
        self._workspace = workspace
        self._models = models
        self._nodes = nodes

    def resolve(self, name: str) -> AnalysedWorkflow:
        """Resolve the workflow of that full name as far as the answers go."""
        with self._workspace.lock(self._environment.name):
            found = self._look(name)
            if self._nodes and self._ask_about_nodes(found):
                found = self._look(name)
            if self._models and not found.problem and self._ask_about_models(found):
                found = self._look(name)
        return found

    def _look(self, name: str) -> AnalysedWorkflow:
        """Analyse and record every workflow, so that what was answered before counts."""
        _, analysed = workflows.record_needs(self._workspace, self._environment)
        return next(workflow for workflow in analysed if workflow.name == name)

    def _ask_about_nodes(self, workflow: AnalysedWorkflow) -> bool:
        """Ask once for each open class; True when something changed."""
        changed = False
        for node in workflow.nodes:
            if node.state not in _OPEN_NODES or self._nodes is None or self._is_there_now(node):
                continue
            answer = self._nodes.resolve_node(node, self._suggestions(node))
            if answer is None:
                break
            changed = self._apply_to_node(node, answer) or changed
        return changed

    def _is_there_now(self, node: NodeResolution) -> bool:
        """Whether a pack that was added a moment ago brought this class as well."""
        facts = self._facts()
        return node.node_type in facts.installed or node.node_type in facts.frontend

    def _facts(self) -> KnownFacts:
        manifest = self._environment.manifest()
        return workflows.known_facts(self._workspace, self._environment, manifest)

    def _suggestions(self, node: NodeResolution) -> Sequence[str]:
        """Return packs that may have a class: what the workflow says, then what publishes it."""
        said = [node.pack, *node.candidates]
        try:
            published = self._workspace.tools.registry.node_of_class(node.node_type)
        except NetworkError as error:
            self._workspace.reporter.report(Notice(text=error.sentence, hint=error.hint))
            published = None
        registered = [published.node_id] if published else []
        known = KNOWN_PACKS.get(node.node_type, "")
        # What the workflow says comes first, a name that is merely well known comes last.
        first = [pack for pack in said if pack != known]
        return tuple(dict.fromkeys(pack for pack in (*first, *registered, known) if pack))

    def _apply_to_node(self, node: NodeResolution, answer: NodeAnswer) -> bool:
        if answer.action == "install":
            nodes.add_named(self._workspace, self._environment, answer.pack)
        elif answer.action == "leave-out":
            manifest = self._environment.manifest()
            mapped = {
                name: replace(
                    workflow, custom_node_map={**workflow.custom_node_map, node.node_type: False}
                )
                for name, workflow in manifest.workflows.items()
            }
            self._environment.write_manifest(replace(manifest, workflows=mapped))
        return answer.action != "skip"

    def _ask_about_models(self, workflow: AnalysedWorkflow) -> bool:
        changed = False
        for model in workflow.models:
            settled = model.entry.status == "resolved" or model.entry.criticality == "optional"
            if settled or self._models is None:
                continue
            sourced = self._with_sources(model)
            answer = self._models.resolve_model(sourced, self._workspace.tools.models.find)
            if answer is None:
                break
            changed = self._apply_to_model(workflow.name, model, answer) or changed
        return changed

    def _with_sources(self, model: AnalysedModel) -> AnalysedModel:
        """Return the model with every address that the manifest knows of its content."""
        content = self._environment.manifest().models.get(model.entry.hash)
        known = (*(content.sources if content else ()), *model.entry.sources)
        return replace(model, entry=replace(model.entry, sources=tuple(dict.fromkeys(known))))

    def _apply_to_model(self, name: str, model: AnalysedModel, answer: ModelAnswer) -> bool:
        if answer.action == "pick" and answer.model:
            self._point_to(name, model, answer.model)
        elif answer.action == "url":
            self._fetch(model, answer.url)
        elif answer.action == "optional":
            workflows.set_criticality(self._environment, name, model.entry.filename, "optional")
        return answer.action != "skip"

    def _point_to(self, name: str, model: AnalysedModel, chosen: ModelWithLocation) -> None:
        """Write into the workflow what its loaders must be told to load ``chosen``."""
        category = model.entry.category or chosen.category
        value = loader_value(category, chosen.relative_path, separator=os.sep)
        if value is None:
            raise UsageError(
                f"`{chosen.relative_path}` lies where the loader of `{category}` does not look",
                hint=f"put it into the folder `{category}` of your models",
                subject=chosen.relative_path,
            )
        path = self._environment.workflows_path / f"{name}.json"
        changes = dict.fromkeys(model.entry.nodes, value)
        rewritten = rewrite_values(
            path.read_bytes(), changes, name=name, loaders=self._facts().loaders
        )
        if rewritten.left_alone:
            left = rewritten.left_alone[0]
            raise WorkflowError(
                f"`{name}`: node {left.reference.node_id} was left alone: {left.reason}",
                hint="choose the file in ComfyUI itself and save the workflow",
                subject=name,
            )
        write_durably(path, rewritten.data)

    def _fetch(self, model: AnalysedModel, url: str) -> None:
        """Fetch a model from an address, and remember the address.

        What the manifest knows of the content (size, digests) is held against what arrives.
        """
        content = self._environment.manifest().models.get(model.entry.hash)
        value = model.entry.nodes[0].widget_value.replace("\\", "/")
        place = f"{model.entry.category or 'checkpoints'}/{value}"
        target = content.relative_path if content else place
        problem = url_problem(url)
        if problem or model_path_problem(target):
            wrong = url if problem else target
            raise UsageError(f"`{wrong}` {problem or model_path_problem(target)}", subject=wrong)
        folder = self._workspace.download_directory
        self._workspace.tools.downloader.fetch(
            model_request(content, urls=(url,), target=folder / target, name=model.entry.filename)
        )
        self._workspace.scan_models()
        for found in self._workspace.tools.models.by_relative_path(target):
            self._workspace.tools.models.add_source(found.hash, detect_url_type(url), url)
