"""What `inspect` shows of a bundle (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from comfydock_core.domain.acquisition import ModelAggregate
from comfydock_core.domain.bundle import DevelopmentOrigin
from comfydock_core.domain.criticality import CRITICALITIES
from comfydock_core.domain.environment_difference import version_of
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.importing.inspection import (
    BundleDifference,
    InspectedWorkflow,
    Inspection,
)
from comfydock_core.importing.plan import by_criticality
from comfydock_core.importing.summary import DevelopmentSource

from comfydock_cli.import_screens import (
    code_lines,
    dropped_lines,
    export_time,
    exporter,
    sizes,
)
from comfydock_cli.measures import counted, size_text

_PROFILES = {
    "minimal": "minimal (model files are downloaded)",
    "full": "full (with model files)",
    "workflow-only": "workflow-only (without node sources and input files)",
}


def inspection_lines(inspection: Inspection) -> list[str]:
    """Draw everything that is in a bundle, what it lacks, and what an import of it would do."""
    lines = [
        *_head(inspection),
        "",
        *_workflow_lines(inspection),
        "",
        *_node_lines(inspection),
        "",
        *_model_lines(inspection),
        "",
        *_input_lines(inspection),
        *_open_lines(inspection),
        *code_lines(inspection.summary.code, "Code that an import would bring"),
        *_needs_lines(inspection),
    ]
    if inspection.difference:
        lines += ["", *_difference_lines(inspection, inspection.difference)]
    if inspection.warnings:
        lines += ["", *(f"⚠ {escape_text(warning)}" for warning in inspection.warnings)]
    return [*lines, *dropped_lines(inspection.summary.bundle, inspection.summary.dropped)]


def _head(inspection: Inspection) -> list[str]:
    bundle, manifest = inspection.summary.bundle, inspection.summary.manifest
    when = f", exported {export_time(bundle)} on {bundle.platform}" if bundle.timestamp else ""
    commit = f" (commit {manifest.comfyui_commit[:8]})" if manifest.comfyui_commit else ""
    torch = manifest.torch
    backend = f" ({torch.backend})" if torch.backend else ""
    rows = [
        ("Source", f"{bundle.environment_name}{when}"),
        ("By", exporter(bundle)),
        ("ComfyUI", f"{manifest.comfyui_version}{commit}"),
        ("Python", manifest.python_version),
        ("Torch", f"{torch.version}{backend}, as it ran there" if torch.version else ""),
        ("Profile", _PROFILES[bundle.profile]),
        ("Identity", inspection.summary.digest),
    ]
    title = f"📦 {escape_text(inspection.path.name)} ({size_text(inspection.size)})"
    return [title, "", *(f"{name + ':':10}{escape_text(text)}" for name, text in rows if text)]


def _workflow_lines(inspection: Inspection) -> list[str]:
    nodes = inspection.summary.manifest.nodes
    known = nodes.keys() | {node.name for node in nodes.values()}
    lines = [f"Workflows: {len(inspection.workflows)}"]
    for workflow in inspection.workflows:
        name = escape_text(f"{workflow.name}.json")
        if workflow.problem:
            lines.append(f"  ⚠ {name}: {escape_text(workflow.problem)}")
        else:
            lines.append(f"  • {name} ({escape_text(_needs(workflow))})")
        lines += [
            f"      ⚠ needs {escape_text(pack)}, which is not in the bundle"
            for pack in workflow.packs
            if pack not in known
        ]
    return lines


def _needs(workflow: InspectedWorkflow) -> str:
    packs = f"; needs {', '.join(workflow.packs)}" if workflow.packs else ""
    return f"{counted(workflow.nodes, 'node')}, {counted(workflow.models, 'model')}{packs}"


def _node_lines(inspection: Inspection) -> list[str]:
    nodes = [node for _, node in sorted(inspection.summary.manifest.nodes.items())]
    sources = {source.name: source for source in inspection.opened.development}
    origins = inspection.summary.bundle.development
    lines = [f"Custom nodes: {len(nodes)}"]
    for node in nodes:
        if node.source == "development":
            lines += _development_lines(node, sources.get(node.name), origins.get(node.name))
        else:
            address = f" from {node.repository}" if node.source == "git" else ""
            lines.append(f"  • {node.name}: {escape_text(version_of(node) + address)}")
    return lines


def _development_lines(
    node: NodeInfo, source: DevelopmentSource | None, origin: DevelopmentOrigin | None
) -> list[str]:
    if source is None:
        return [f"  ⚠ {node.name}: development, and its source is not in the bundle"]
    files = f"{counted(source.files, 'file')}, {size_text(source.size)}"
    lines = [f"  • {node.name}: development, its source is in the bundle ({files})"]
    if source.scripts:
        lines.append(f"      ⚠ brings {', '.join(source.scripts)}")
    if origin and (origin.remote or origin.commit):
        commit = f" at {origin.commit[:8]}" if origin.commit else ""
        where = origin.remote or "a repository that only the sender has"
        lines.append(f"      git: {escape_text(where)}{commit}")
    if origin and origin.dirty:
        lines.append("      ⚠ with changes that are not committed there")
    if origin and origin.unpushed:
        lines.append("      ⚠ with commits that were not pushed")
    return lines


def _model_lines(inspection: Inspection) -> list[str]:
    aggregates = by_criticality(inspection.summary.aggregates.values())
    inside = [each for each in aggregates if each.key in inspection.summary.inside]
    nowhere = [each for each in aggregates if not each.sources and each not in inside]
    facts = [sizes(aggregates)] if aggregates else []
    facts += [f"{len(inside)} inside with {sizes(inside)}"] if inside else []
    facts += [f"{len(nowhere)} without a source"] if nowhere else []
    lines = [f"Models: {len(aggregates)}" + (f" ({', '.join(facts)})" if facts else "")]
    for criticality in CRITICALITIES:
        some = [each for each in aggregates if each.criticality == criticality]
        if some:
            lines.append(f"  {criticality.capitalize()}: {len(some)} ({sizes(some)})")
            lines += [_model_line(each, inside=each in inside) for each in some]
    return lines


def _model_line(aggregate: ModelAggregate, *, inside: bool) -> str:
    places = ["inside"] if inside else []
    places += [counted(len(aggregate.sources), "source")] if aggregate.sources else []
    mark = "•" if places else "⚠"
    size = size_text(aggregate.total_size) if aggregate.total_size else "size unknown"
    facts = ", ".join([size, *(places or ["no source known"])])
    return f"    {mark} {escape_text(aggregate.model.filename)} ({facts})"


def _input_lines(inspection: Inspection) -> list[str]:
    inputs, missing = inspection.opened.inputs, inspection.summary.bundle.missing_inputs
    if not inputs and not missing:
        return []
    total = sum(file.size for file in inputs.values())
    held = f"{len(inputs)} inside ({size_text(total)})" if inputs else "none inside"
    lines = [f"Input files: {held}"]
    lines += [f"  • {escape_text(path)} ({size_text(f.size)})" for path, f in inputs.items()]
    lines += [f"  ⚠ {escape_text(name)} is loaded and not in the bundle" for name in missing]
    return [*lines, ""]


def _open_lines(inspection: Inspection) -> list[str]:
    issues = inspection.summary.bundle.issues
    if not issues:
        return []
    lines = ["Left open by the sender:"]
    for issue in issues:
        where = f"{issue.workflow}.json: " if issue.workflow else ""
        lines.append(f"  ⚠ {escape_text(where + issue.sentence)}")
    return [*lines, ""]


def _needs_lines(inspection: Inspection) -> list[str]:
    hosts = [*map(escape_text, inspection.summary.hosts), "the Python package index"]
    models = size_text(inspection.summary.total_size)
    rest = size_text(inspection.environment_size)
    return [
        f"An import would contact: {', '.join(hosts)}",
        f"Disk needed: about {size_text(inspection.disk_needed)} "
        f"(models {models}, ComfyUI and Python packages up to {rest})",
    ]


def _difference_lines(inspection: Inspection, difference: BundleDifference) -> list[str]:
    names = {key: one.model.filename for key, one in inspection.summary.aggregates.items()}
    lines = [
        *(f"  ↔ {v.name}: {v.bundle} in the bundle, {v.here} here" for v in difference.versions),
        *_listed("node packs only in the bundle", difference.nodes_new),
        *_listed("node packs only here", difference.nodes_missing),
        *_listed("workflows only in the bundle", difference.workflows_new),
        *_listed("workflows that mean something else", difference.workflows_changed),
        *_listed("workflows only here", difference.workflows_missing),
        *_listed("models that are here already", [names[k] for k in difference.models_here]),
        *_listed("models that look the same here", [names[k] for k in difference.models_likely]),
        *_listed("models not known here", [names[k] for k in difference.models_new]),
    ]
    return [f"Against {difference.environment}:", *map(escape_text, lines or ["  no difference"])]


def _listed(title: str, names: Iterable[str]) -> list[str]:
    found = ", ".join(names)
    return [f"  • {title}: {found}"] if found else []
