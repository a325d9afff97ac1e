"""Changing which files a workflow names, in its own bytes.

Everything outside the changed texts stays as it is, byte for byte.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from comfydock_core.domain.json_positions import JsonPath, splice_strings
from comfydock_core.domain.manifest import NodeReference
from comfydock_core.domain.model_loaders import LOADERS, Loaders
from comfydock_core.domain.workflow import WorkflowNode, parse_workflow
from comfydock_core.domain.workflow_promotions import Place, Promotions
from comfydock_core.domain.workflow_values import WidgetText, widget_texts


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftAlone:
    """A place that was to be changed and was not, with the reason as half a sentence."""

    reference: NodeReference
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewritten:
    """The changed file, which of the asked places changed, and which did not."""

    data: bytes
    changed: tuple[NodeReference, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()


def rewrite_values(
    data: bytes,
    changes: Mapping[NodeReference, str],
    *,
    name: str = "workflow",
    loaders: Loaders = LOADERS,
) -> Rewritten:
    """Return a workflow with the values at the given places replaced.

    A place is found by node, widget index, widget name (where the reference has one) and old
    value. What repeats the old value goes with it: the promoted or inner widget of a subgraph,
    ``widgets_values_named``, and the entry of ``properties.models``. A node whose convention for
    paths is unknown is left alone. Raises WorkflowError for what is no workflow.
    """
    workflow = parse_workflow(data, name)
    promotions = Promotions(workflow, loaders)
    by_id: dict[str, list[WorkflowNode]] = defaultdict(list)
    for node in workflow.nodes:
        by_id[node.id].append(node)
    asked: dict[JsonPath, str] = {}
    repeated: dict[JsonPath, str] = {}
    changed: list[NodeReference] = []
    left_alone: list[LeftAlone] = []
    for reference, value in changes.items():
        places = _places(by_id[reference.node_id], reference, loaders)
        reason = _obstacle(places, promotions)
        if reason:
            left_alone.append(LeftAlone(reference=reference, reason=reason))
        elif value != reference.widget_value:
            changed.append(reference)
            for place in places:
                asked[_path(*place)] = value
                repeated.update((path, value) for path in _repetitions(*place, promotions))
    return Rewritten(
        data=splice_strings(data, repeated | asked),
        changed=tuple(changed),
        left_alone=tuple(left_alone),
    )


def _places(
    nodes: Iterable[WorkflowNode], reference: NodeReference, loaders: Loaders
) -> list[Place]:
    """Return where a reference points; older manifests name no widget, which may fit several."""
    return [
        (node, text)
        for node in nodes
        for text in widget_texts(node, loaders)
        if (text.index, text.value) == (reference.widget_index, reference.widget_value)
        and _may_be_called(text, reference.widget_name)
    ]


def _may_be_called(text: WidgetText, name: str) -> bool:
    """Compare names; who wrote the reference may have known a widget that is unknown here."""
    return name in ("", text.name) or (not text.widget and name.endswith(text.name))


def _obstacle(places: list[Place], promotions: Promotions) -> str:
    if not places:
        return "the workflow no longer has that value there"
    if not all(promotions.folder(node, text) for node, text in places):
        return f"how `{places[0][0].type}` names its files is not known"
    return ""


def _path(node: WorkflowNode, text: WidgetText) -> JsonPath:
    return (*node.location, node.widgets_key, *text.inner)


def _repetitions(
    node: WorkflowNode, text: WidgetText, promotions: Promotions
) -> Iterator[JsonPath]:
    """Yield every other place in the file that repeats the text at one place."""
    yield from _repetitions_in_node(node, text)
    for other_node, other_text in promotions.linked(node, text):
        yield _path(other_node, other_text)
        yield from _repetitions_in_node(other_node, other_text)


def _repetitions_in_node(node: WorkflowNode, text: WidgetText) -> Iterator[JsonPath]:
    key = str(text.inner[0]) if isinstance(node.widgets, Mapping) else text.widget
    if _text_at(node.widgets_named.get(key), text.inner[1:]) == text.value:
        yield (*node.location, "widgets_values_named", key, *text.inner[1:])
    for position, model in enumerate(node.declared_models):
        if model.name == text.value:
            yield (*node.location, "properties", "models", position, "name")


def _text_at(value: object, inner: JsonPath) -> object:
    for key in inner:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value
