"""The finished environment, looked at again: what keeps its workflows from running."""

from __future__ import annotations

from comfydock_core.domain.acquisition import ImportPlan, WorkflowIssue
from comfydock_core.workspace import workflows
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace


def find_issues(
    workspace: Workspace, environment: Environment, plan: ImportPlan
) -> tuple[WorkflowIssue, ...]:
    """Analyse what is really there now; what the plan only promised does not count."""
    workspace.scan_models()
    analysed = workflows.analyse_all(workspace, environment, environment.manifest())
    missing = tuple(
        WorkflowIssue(
            workflow=name,
            kind="file",
            subject=name,
            sentence="the workflow's file is not in the bundle",
            blocking=True,
        )
        for name in sorted(plan.manifest.workflows.keys() - {found.name for found in analysed})
    )
    return (*missing, *(issue for found in analysed for issue in found.issues()))
