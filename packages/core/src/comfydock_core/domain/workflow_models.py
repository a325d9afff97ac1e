"""Which model files a workflow names, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from comfydock_core.domain.manifest import NodeReference
from comfydock_core.domain.model_loaders import (
    is_not_a_file,
    looks_like_model_file,
)
from comfydock_core.domain.models import canonical_category
from comfydock_core.domain.workflow import DeclaredModel, Workflow, WorkflowNode
from comfydock_core.domain.workflow_promotions import Promotions
from comfydock_core.domain.workflow_values import WidgetText, loader_widget, widget_texts


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReference:
    """A place where a workflow names a model file.

    ``category`` is the model folder in which the node looks, empty when its convention is
    unknown. ``url`` and ``sha256`` are what the workflow's author declared for the file.
    ``active`` is False when the place cannot matter: muted, bypassed or switched off.
    """

    reference: NodeReference
    category: str = ""
    url: str = ""
    sha256: str = ""
    active: bool = True


def model_references(workflow: Workflow) -> tuple[ModelReference, ...]:
    """Return every place that names a model file, in the order of the file.

    A promoted widget and the inner one are two places when both hold a value; an inner value
    that every instance overrules with another one is none.
    """
    promotions = Promotions(workflow)
    return tuple(
        reference
        for node in workflow.nodes
        for text in widget_texts(node)
        for reference in _reference(node, text, promotions)
    )


def _reference(
    node: WorkflowNode, text: WidgetText, promotions: Promotions
) -> Iterator[ModelReference]:
    declared = next((model for model in node.declared_models if model.name == text.value), None)
    if not _names_a_file(node, text, declared) or promotions.is_stale(node, text):
        return
    origin = declared or DeclaredModel(name=text.value)
    yield ModelReference(
        reference=text.reference(node),
        category=canonical_category(promotions.folder(node, text)),
        url=origin.url,
        sha256=origin.sha256,
        active=node.active and text.switched_on,
    )


def _names_a_file(node: WorkflowNode, text: WidgetText, declared: DeclaredModel | None) -> bool:
    if is_not_a_file(text.value):
        return False
    if declared is not None or looks_like_model_file(node.type, text.value):
        return True
    return len(text.inner) == 1 and loader_widget(node, text) is not None
