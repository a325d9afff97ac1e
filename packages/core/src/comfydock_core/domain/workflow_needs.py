"""What a workflow asks for, without the workflow: node classes and model files.

This is all that resolving looks at, and small enough to be kept between runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from comfydock_core.domain.model_loaders import Loaders
from comfydock_core.domain.workflow import Workflow
from comfydock_core.domain.workflow_models import ModelReference, model_references


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedNode:
    """A node of a class; ``cnr_id``, ``aux_id`` and ``ver`` say what pack it was saved with."""

    id: str
    type: str
    cnr_id: str = ""
    aux_id: str = ""
    ver: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowNeeds:
    """The nodes of a workflow (instances of subgraphs are none) and every model it names."""

    name: str
    nodes: tuple[UsedNode, ...]
    references: tuple[ModelReference, ...]


def needs_of(workflow: Workflow, loaders: Loaders) -> WorkflowNeeds:
    """Gather what a parsed workflow asks for."""
    return WorkflowNeeds(
        name=workflow.name,
        nodes=tuple(
            UsedNode(
                id=node.id,
                type=node.type,
                cnr_id=node.cnr_id,
                aux_id=node.aux_id,
                ver=node.ver,
            )
            for node in workflow.nodes
            if not node.subgraph
        ),
        references=model_references(workflow, loaders),
    )
