"""Which values of a workflow stand for one another: promoted widgets and the inner ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from comfydock_core.domain.model_loaders import Loaders
from comfydock_core.domain.workflow import Workflow, WorkflowNode
from comfydock_core.domain.workflow_subgraphs import PromotedWidget, WidgetTarget
from comfydock_core.domain.workflow_values import WidgetText, loader_widget, widget_texts

Place = tuple[WorkflowNode, WidgetText]
"""A text in a workflow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderInput:
    """An input of a node class, by their names; the input's is empty where it is unknown."""

    node_type: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Host:
    """A node that shows a widget of another one."""

    node: WorkflowNode
    slot: PromotedWidget

    def value(self) -> object:
        """Return the value that the host itself holds, None when it holds none."""
        index, widgets = self.slot.index, self.node.widgets
        if index is None or not isinstance(widgets, list) or index >= len(widgets):
            return None
        return widgets[index]


class Promotions:
    """The promoted widgets of one workflow, from outside in and from inside out."""

    def __init__(self, workflow: Workflow, loaders: Loaders) -> None:
        self.loaders = loaders
        self.nodes = {node.id: node for node in workflow.nodes}
        self._instances = Counter(node.subgraph for node in workflow.nodes if node.subgraph)
        self._hosted: set[str] = set()
        self._hosts: dict[WidgetTarget, list[_Host]] = defaultdict(list)
        for node in workflow.nodes:
            for slot in node.promoted:
                host = _Host(node=node, slot=slot)
                for target in slot.targets:
                    self._hosts[target].append(host)
                    self._hosted.add(target.node_id)

    def folder(self, node: WorkflowNode, text: WidgetText) -> str:
        """Return the model folder in which a text is looked up, empty when that is unknown."""
        if not node.promoted:
            known = loader_widget(node, text, self.loaders)
            return known.folder if known else _declared_folder(node, text.value)
        own = [slot for slot in node.promoted if slot.index == text.index]
        folders = (
            self._target_folder(self.nodes[end.node_id], end, text.value) for end in self._ends(own)
        )
        return next(filter(None, folders), "")

    def loader_inputs(self, node: WorkflowNode, text: WidgetText) -> tuple[LoaderInput, ...]:
        """Return the inputs that are told a text: its own, behind a promoted widget the inner."""
        if not node.promoted:
            known = loader_widget(node, text, self.loaders)
            name = known.name if known else text.widget
            return (LoaderInput(node_type=node.type, name=name),)
        own = [slot for slot in node.promoted if slot.index == text.index]
        ends = ((self.nodes[end.node_id], end) for end in self._ends(own))
        inputs = (
            LoaderInput(node_type=inner.type, name=self._input_name(inner, end))
            for inner, end in ends
        )
        return tuple(dict.fromkeys(inputs))

    def _input_name(self, node: WorkflowNode, target: WidgetTarget) -> str:
        widgets = self.loaders.get(node.type, ())
        fitting = (widget.name for widget in widgets if target.fits(widget.name, widget.index))
        return target.widget or next(fitting, "")

    def _target_folder(self, node: WorkflowNode, target: WidgetTarget, value: str) -> str:
        for widget in self.loaders.get(node.type, ()):
            if target.fits(widget.name, widget.index):
                return widget.folder
        return _declared_folder(node, value)

    def _ends(self, slots: list[PromotedWidget]) -> Iterator[WidgetTarget]:
        """Yield the widgets at the ends of chains of promotions, each once."""
        waiting = list(dict.fromkeys(target for slot in slots for target in slot.targets))
        seen = set(waiting)
        for target in waiting:
            node = self.nodes.get(target.node_id)
            if node is not None and not node.promoted:
                yield target
            for slot in node.promoted if node else ():
                new = slot.targets if target.fits(slot.name, slot.index) else ()
                waiting += [inner for inner in new if inner not in seen]
                seen.update(new)

    def _hosts_at(self, node: WorkflowNode, text: WidgetText) -> list[_Host]:
        if node.id not in self._hosted:
            return []
        by_name = WidgetTarget(node_id=node.id, widget=text.name)
        by_index = WidgetTarget(node_id=node.id, index=text.index)
        return [*self._hosts.get(by_name, ()), *self._hosts.get(by_index, ())]

    def is_overruled(self, node: WorkflowNode, text: WidgetText) -> bool:
        """Tell whether every host of a text holds a value of its own, so that this one is idle."""
        hosts = self._hosts_at(node, text)
        holding = [host for host in hosts if host.value() is not None]
        if any(not host.node.subgraph for host in holding):
            return True
        definition = node.id.rpartition(":")[0]
        instances = {host.node.id for host in holding if host.node.subgraph == definition}
        return bool(instances) and len(instances) == self._instances[definition]

    def is_stale(self, node: WorkflowNode, text: WidgetText) -> bool:
        """Tell whether a text is overruled, and by other values everywhere."""
        hosts = self._hosts_at(node, text)
        if not hosts:
            return False
        held = {host.value() for host in hosts if isinstance(host.value(), str)}
        return self.is_overruled(node, text) and text.value not in held

    def linked(self, node: WorkflowNode, text: WidgetText) -> Iterator[Place]:
        """Yield the texts elsewhere that must change with this one: the same value, promoted.

        Outwards those of every host, inwards those that no other host relies on.
        """
        yield from _reachable((node, text), self._hosts_of)
        yield from _reachable((node, text), self._hosted_by)

    def _hosts_of(self, node: WorkflowNode, text: WidgetText) -> Iterator[Place]:
        for host in self._hosts_at(node, text):
            for outer in widget_texts(host.node, self.loaders):
                if outer.index == host.slot.index and outer.value == text.value:
                    yield host.node, outer

    def _hosted_by(self, node: WorkflowNode, text: WidgetText) -> Iterator[Place]:
        own = (slot for slot in node.promoted if slot.index == text.index)
        for target in (target for slot in own for target in slot.targets):
            inner_node = self.nodes.get(target.node_id)
            for inner in widget_texts(inner_node, self.loaders) if inner_node else ():
                named = target.fits(inner.name, inner.index) and inner.value == text.value
                if inner_node and named and self.is_overruled(inner_node, inner):
                    yield inner_node, inner


def _reachable(
    start: Place, step: Callable[[WorkflowNode, WidgetText], Iterator[Place]]
) -> Iterator[Place]:
    """Yield every place that steps from ``start`` lead to, each once, however they are nested."""
    waiting = [start]
    seen = {(start[0].location, start[1].inner)}
    for node, text in waiting:
        for found_node, found_text in step(node, text):
            identity = (found_node.location, found_text.inner)
            if identity not in seen:
                seen.add(identity)
                waiting.append((found_node, found_text))
                yield found_node, found_text


def _declared_folder(node: WorkflowNode, value: str) -> str:
    return next((model.directory for model in node.declared_models if model.name == value), "")
