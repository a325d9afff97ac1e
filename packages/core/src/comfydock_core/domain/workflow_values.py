"""The texts that a node is told, with where each stands and what widget it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from comfydock_core.domain.json_positions import JsonPath
from comfydock_core.domain.manifest import NodeReference
from comfydock_core.domain.model_loaders import NO_INDEX, Loaders, LoaderWidget
from comfydock_core.domain.workflow import WorkflowNode


@dataclass(frozen=True, kw_only=True, slots=True)
class WidgetText:
    """A text among a node's widgets.

    ``index`` counts in a list of widgets (0 in an object); ``widget`` is the widget's name where it
    is known; ``name`` that and the keys below it joined by dots; ``inner`` leads from the widgets
    to the text.
    ``switched_on`` is False in a row that the node itself has switched off (``"on": false``).
    """

    index: int
    widget: str
    name: str
    value: str
    inner: JsonPath
    switched_on: bool = True

    def reference(self, node: WorkflowNode) -> NodeReference:
        """Return the manifest's name for this place."""
        return NodeReference(
            node_id=node.id,
            node_type=node.type,
            widget_index=self.index,
            widget_value=self.value,
            widget_name=self.name,
        )


def widget_texts(node: WorkflowNode, loaders: Loaders) -> Iterator[WidgetText]:
    """Yield every text among the widgets, also those inside lists and objects, in order."""
    if isinstance(node.widgets, Mapping):
        for key, value in node.widgets.items():
            yield from _texts_below(value, (key,), key, 0)
        return
    names = widget_names(node, loaders)
    for index, value in enumerate(node.widgets):
        if isinstance(value, str):
            name = names[index]
            yield WidgetText(index=index, widget=name, name=name, value=value, inner=(index,))
        elif isinstance(value, list | dict):
            yield from _texts_below(value, (index,), names[index], index)


def _texts_below(value: object, at: JsonPath, widget: str, index: int) -> Iterator[WidgetText]:
    """Walk without recursion: how deep the values of strangers are nested is theirs to choose."""
    waiting: list[tuple[object, JsonPath, bool]] = [(value, at, True)]
    while waiting:
        value, path, switched_on = waiting.pop()
        if isinstance(value, str):
            keys = [widget, *map(str, path[1:])] if widget else [str(key) for key in path[1:]]
            yield WidgetText(
                index=index,
                widget=widget,
                name=".".join(keys),
                value=value,
                inner=path,
                switched_on=switched_on,
            )
        elif isinstance(value, dict):
            on = switched_on and value.get("on") is not False
            waiting += [(item, (*path, key), on) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            rows = [(item, (*path, key), switched_on) for key, item in enumerate(value)]
            waiting += reversed(rows)


def widget_names(node: WorkflowNode, loaders: Loaders) -> tuple[str, ...]:
    """Return the names of a list of widgets by position: as the file tells them, else the code."""
    count = len(node.widgets)
    if node.promoted:
        own = {slot.index: slot.name for slot in node.promoted if slot.index is not None}
        return tuple(own.get(index, "") for index in range(count))
    named = node.widgets_named
    if len(named) == count:
        return tuple(named)
    names = tuple(slot.widget for slot in node.inputs if slot.widget)
    if len(names) == count:
        return names
    known = {widget.index: widget.name for widget in loaders.get(node.type, ())}
    return tuple(known.get(index, "") for index in range(count))


def loader_widget(node: WorkflowNode, text: WidgetText, loaders: Loaders) -> LoaderWidget | None:
    """Return the known loader widget that a text belongs to."""
    for widget in loaders.get(node.type, ()):
        if widget.index is None:
            if len(text.inner) > 1 and text.inner[-1] == widget.name:
                return widget
        elif text.widget == widget.name or (not text.widget and _stands_at(widget, text)):
            return widget
    return None


def _stands_at(widget: LoaderWidget, text: WidgetText) -> bool:
    return widget.index != NO_INDEX and text.inner[0] == widget.index
