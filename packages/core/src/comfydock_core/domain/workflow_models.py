"""Which model files a workflow names, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from comfydock_core.domain.lenient_json import as_object
from comfydock_core.domain.manifest import NodeReference
from comfydock_core.domain.model_loaders import (
    LOADERS,
    Loaders,
    is_not_a_file,
    looks_like_model_file,
    may_end_as_model,
)
from comfydock_core.domain.models import canonical_category
from comfydock_core.domain.workflow import DeclaredModel, Workflow, WorkflowNode
from comfydock_core.domain.workflow_promotions import LoaderInput, Promotions
from comfydock_core.domain.workflow_values import WidgetText, loader_widget, widget_texts


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReference:
    """A place where a workflow names a model file.

    ``category`` is the model folder in which the node looks, empty when its convention is
    unknown. ``url`` and ``sha256`` are what the workflow's author declared for the file.
    ``active`` is False when the place cannot matter: muted, bypassed or switched off.
    ``loaders`` are the inputs that are told the value, behind a promoted widget the inner ones.
    """

    reference: NodeReference
    category: str = ""
    url: str = ""
    sha256: str = ""
    active: bool = True
    loaders: tuple[LoaderInput, ...] = ()


def model_references(workflow: Workflow, loaders: Loaders = LOADERS) -> tuple[ModelReference, ...]:
    """Return every place that names a model file, in the order of the file.

    A promoted widget and the inner one are two places when both hold a value; an inner value
    that every instance overrules with another one is none.
    """
    candidates = [node for node in workflow.nodes if _may_name_models(node, loaders)]
    if not candidates:
        return ()
    promotions = Promotions(workflow, loaders)
    return tuple(reference for node in candidates for reference in _of_node(node, promotions))


def _may_name_models(node: WorkflowNode, loaders: Loaders) -> bool:
    """Sort out, quickly, the nodes that cannot name a model: nearly all of them."""
    widgets = node.widgets
    if not widgets:
        return False
    for value in widgets.values() if isinstance(widgets, Mapping) else widgets:
        if isinstance(value, str):
            if may_end_as_model(value):
                return True
        elif isinstance(value, list | dict):
            return True
    return node.type in loaders or "models" in as_object(node.raw.get("properties"))


def _of_node(node: WorkflowNode, promotions: Promotions) -> Iterator[ModelReference]:
    # of two entries of one name the first counts
    declared = {model.name: model for model in reversed(node.declared_models)}
    for text in widget_texts(node, promotions.loaders):
        origin = declared.get(text.value)
        named = _names_a_file(node, text, origin, promotions.loaders)
        if named and not promotions.is_stale(node, text):
            yield _reference(node, text, origin, promotions)


def _reference(
    node: WorkflowNode, text: WidgetText, declared: DeclaredModel | None, promotions: Promotions
) -> ModelReference:
    origin = declared or DeclaredModel(name=text.value)
    return ModelReference(
        reference=text.reference(node),
        category=canonical_category(promotions.folder(node, text)),
        url=origin.url,
        sha256=origin.sha256,
        active=node.active and text.switched_on,
        loaders=promotions.loader_inputs(node, text),
    )


def _names_a_file(
    node: WorkflowNode, text: WidgetText, declared: DeclaredModel | None, loaders: Loaders
) -> bool:
    if is_not_a_file(text.value):
        return False
    if declared is not None or looks_like_model_file(node.type, text.value):
        return True
    known = loader_widget(node, text, loaders) if len(text.inner) == 1 else None
    return known is not None and text.value not in known.fixed
