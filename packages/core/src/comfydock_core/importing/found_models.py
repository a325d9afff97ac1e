"""Models that lie on this machine already: found by content, made visible to their loaders."""

from __future__ import annotations

from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.workspace.local_models import make_loadable
from comfydock_core.workspace.workspace import Workspace


def link_models(workspace: Workspace, plan: ImportPlan) -> None:
    """Make models that lie here in a folder where their loader does not look appear where it does.

    The file stays where it is; ``target_path`` is where the bundle's author had it.
    """
    for decision in plan.models_for("existing"):
        here, target = decision.substitute, decision.target_path
        if here and target:
            make_loadable(workspace, here, decision.model.category, target)
