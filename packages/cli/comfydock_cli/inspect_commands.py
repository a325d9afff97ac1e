"""inspect: what is in a bundle, for people and for programs."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict
from shlex import quote

from comfydock_core.domain.acquisition import ModelAggregate
from comfydock_core.domain.bundle import BundleFile
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.errors import NotFoundError
from comfydock_core.importing.inspection import Inspection
from comfydock_core.importing.plan import by_criticality, target_path
from comfydock_core.services.inspect_service import InspectService
from comfydock_core.storage.user_paths import user_path
from comfydock_core.workspace import environments

from comfydock_cli.context import Context
from comfydock_cli.inspect_screens import inspection_lines
from comfydock_cli.result import CommandResult


def inspect_bundle_arguments(parser: ArgumentParser) -> None:
    """BUNDLE and what it is compared with."""
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument(
        "--against", default="", metavar="ENV", help="show how it differs from an environment"
    )


def inspect_bundle(arguments: Namespace, context: Context) -> CommandResult:
    """Look at a bundle: no network, nothing of it runs, nothing is kept."""
    bundle = user_path(arguments.bundle)
    if not os.path.isfile(bundle):  # noqa: PTH113 - Path's raises for too long a name
        raise NotFoundError(f"`{bundle}` is no file", subject=str(bundle))
    workspace = context.workspace
    against = (
        environments.ready_environment(workspace, arguments.against) if arguments.against else None
    )
    inspection = InspectService(workspace).inspect(bundle, against)
    return CommandResult(
        command="inspect",
        data=inspection_data(inspection),
        text="\n".join(inspection_lines(inspection)),
        next_command=f"comfydock import {quote(str(bundle))}",
    )


def inspection_data(inspection: Inspection) -> dict[str, object]:
    """Return all of an inspection for programs; sizes are in bytes."""
    summary, difference = inspection.summary, inspection.difference
    data: dict[str, object] = {
        "bundle": _bundle_data(inspection),
        "comfyui": {
            "version": summary.manifest.comfyui_version,
            "commit": summary.manifest.comfyui_commit,
            "repository": summary.manifest.comfyui_repository,
        },
        "python": summary.manifest.python_version,
        "torch": asdict(summary.manifest.torch),
        "workflows": [asdict(workflow) for workflow in inspection.workflows],
        "nodes": [
            _node_data(inspection, node) for _, node in sorted(summary.manifest.nodes.items())
        ],
        "models": [
            _model_data(inspection, aggregate)
            for aggregate in by_criticality(summary.aggregates.values())
        ],
        "inputs": _files_data(inspection.opened.inputs),
        "model_files": _files_data(inspection.opened.models),
        "missing_inputs": list(summary.bundle.missing_inputs),
        "issues": [asdict(issue) for issue in summary.bundle.issues],
        "code": [
            {"kind": o.kind, "name": o.name, "detail": o.detail, "vouched": o.pinned}
            for o in summary.code
        ],
        "hosts": list(summary.hosts),
        "disk": {
            "models": summary.total_size,
            "environment": inspection.environment_size,
            "total": inspection.disk_needed,
        },
        "warnings": list(inspection.warnings),
        "dropped": list(summary.dropped),
    }
    return {**data, "difference": asdict(difference)} if difference else data


def _bundle_data(inspection: Inspection) -> dict[str, object]:
    bundle = inspection.summary.bundle
    return {
        "path": str(inspection.path),
        "size": inspection.size,
        "digest": inspection.summary.digest,
        "format_version": bundle.format_version,
        "profile": bundle.profile,
        "environment": bundle.environment_name,
        "timestamp": bundle.timestamp,
        "comfydock_version": bundle.comfydock_version,
        "tool": bundle.tool,
        "exported_commit": bundle.exported_commit,
        "platform": bundle.platform,
    }


def _node_data(inspection: Inspection, node: NodeInfo) -> dict[str, object]:
    sources = {source.name: source for source in inspection.opened.development}
    origin = inspection.summary.bundle.development.get(node.name)
    source = sources.get(node.name)
    data: dict[str, object] = {
        "name": node.name,
        "source": node.source,
        "version": node.version,
        "registry_id": node.registry_id,
        "repository": node.repository,
        "sha256": node.sha256,
    }
    carried = {"bundled": asdict(source) if source else None}
    return data | carried | {"origin": asdict(origin) if origin else None}


def _model_data(inspection: Inspection, aggregate: ModelAggregate) -> dict[str, object]:
    content = aggregate.content
    return {
        "key": aggregate.key,
        "filename": aggregate.model.filename,
        "path": target_path(aggregate.model, content),
        "criticality": aggregate.criticality,
        "size": aggregate.total_size,
        "sha256": content.sha256_hash if content else "",
        "blake3": content.blake3_hash if content else "",
        "sources": list(aggregate.sources),
        "inside": aggregate.key in inspection.summary.inside,
        "workflows": list(aggregate.workflows),
    }


def _files_data(files: Mapping[str, BundleFile]) -> list[dict[str, object]]:
    return [{"path": path, **asdict(file)} for path, file in files.items()]
