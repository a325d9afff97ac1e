"""Analysed workflows + what ComfyUI really has -> the issues that are true (pure).

The files say what ought to be there, a started ComfyUI what is. Where both speak of the same thing
ComfyUI is believed, except for a model's content, which it does not know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from comfydock_core.domain.acquisition import IssueKind, WorkflowIssue
from comfydock_core.domain.path_rules import folded
from comfydock_core.domain.proof import Proof
from comfydock_core.domain.served_nodes import ServedNodes
from comfydock_core.resolution.models import ModelResolution
from comfydock_core.resolution.nodes import NodeResolution
from comfydock_core.resolution.workflow_analysis import AnalysedModel, AnalysedWorkflow


def proved_issues(
    environment: str, analysed: Sequence[AnalysedWorkflow], proof: Proof
) -> tuple[WorkflowIssue, ...]:
    """Return what is open with the workflows, each thing once.

    A ComfyUI that did not start is an issue of its own, beside what the files tell.
    """
    if not proof.started:
        sentence = f"ComfyUI does not start in `{environment}`: {proof.problem}"
        told = (issue for workflow in analysed for issue in workflow.issues())
        return (_issue("", "comfyui", environment, sentence), *told)
    found = [issue for workflow in analysed for issue in _of_workflow(workflow, proof)]
    named = {issue.subject for issue in found if issue.kind == "pack"}
    others = (
        _issue("", "pack", pack, _not_imported(pack, reason), blocking=False)
        for pack, reason in proof.reasons.items()
        if pack not in named
    )
    return (*found, *others)


def _of_workflow(workflow: AnalysedWorkflow, proof: Proof) -> Iterator[WorkflowIssue]:
    if workflow.problem:
        yield from workflow.issues()
        return
    broken: dict[str, list[str]] = defaultdict(list)
    for node in workflow.nodes:
        if node.node_type in proof.served or not _matters(node):
            continue
        pack = _broken_pack(node, proof.reasons)
        if pack:
            broken[pack].append(node.node_type)
        elif not node.in_browser:
            yield workflow.node_issue(node) or _not_served(workflow.name, node)
    for pack, classes in broken.items():
        missing = f"{_not_imported(pack, proof.reasons[pack])}: {_listed(classes)} missing"
        yield _issue(workflow.name, "pack", pack, missing)
    for model in workflow.models:
        if issue := _model_issue(workflow, model, proof.served):
            yield issue


def _matters(node: NodeResolution) -> bool:
    """Tell whether a class is wanted: not if it was left out on purpose."""
    return node.state != "mapped" or bool(node.pack)


def _broken_pack(node: NodeResolution, reasons: Mapping[str, str]) -> str:
    """Return the pack that has a class and could not be imported, else an empty name.

    The browser does not get the scripts of such a pack either. A class that its pack's files do not
    show is known by what the workflow says of it: a registry id or ``owner/repository``.
    """
    wanted = (node.pack, node.pack.rpartition("/")[2])
    by_name = {folded(pack): pack for pack in reasons}
    return next((by_name[folded(name)] for name in wanted if folded(name) in by_name), "")


def _not_served(workflow: str, node: NodeResolution) -> WorkflowIssue:
    other = f"node pack `{node.pack}`" if node.pack else "an unrecorded node pack"
    whose = "this ComfyUI" if node.state == "core" else other
    sentence = (
        f"node class `{node.node_type}` is in the files of {whose}, but ComfyUI does not have it"
    )
    return _issue(workflow, "node", node.node_type, sentence)


def _model_issue(
    workflow: AnalysedWorkflow, model: AnalysedModel, served: ServedNodes
) -> WorkflowIssue | None:
    told = workflow.model_issue(model)
    active = [each for each in model.resolutions if each.reference.active]
    known = [options for each in active for options in _choices(each, served)]
    if told:
        by_name = not model.entry.hash and all(each.state == "missing" for each in active)
        return None if known and by_name and all(_lists(*each) for each in known) else told
    unlisted = [each for each in known if not _lists(*each)]
    if not unlisted:
        return None
    loader, value, options = unlisted[0]
    criticality = model.entry.criticality
    sentence = f"{criticality} model: `{loader}` does not list `{value}`{_instead(value, options)}"
    blocking = criticality == "required"
    return _issue(workflow.name, "model", model.entry.filename, sentence, blocking)


_Choice = tuple[str, str, frozenset[str]]
"""A loader's class, the value that it is told, and what it lists."""


def _choices(resolution: ModelResolution, served: ServedNodes) -> Iterator[_Choice]:
    """Yield what the loaders behind one place list, where ComfyUI says it."""
    reference = resolution.reference
    for loader in reference.loaders:
        options = served.get(loader.node_type, {}).get(loader.name)
        if options is not None:
            yield loader.node_type, reference.reference.widget_value, options


def _lists(_loader: str, value: str, options: frozenset[str]) -> bool:
    return value in options


def _instead(value: str, options: Iterable[str]) -> str:
    """Name the entry of a list that differs in the separator or the case alone."""
    wanted = folded(value.replace("\\", "/"))
    same = sorted(each for each in options if folded(each.replace("\\", "/")) == wanted)
    return f", only `{same[0]}`" if same else ""


def _not_imported(pack: str, reason: str) -> str:
    return f"ComfyUI cannot import node pack `{pack}` ({reason})"


def _listed(classes: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in classes) + (" is" if len(classes) == 1 else " are")


def _issue(
    workflow: str, kind: IssueKind, subject: str, sentence: str, blocking: bool = True
) -> WorkflowIssue:
    return WorkflowIssue(
        workflow=workflow, kind=kind, subject=subject, sentence=sentence, blocking=blocking
    )
