"""node add, list, remove."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.workspace import environments, nodes

from comfydock_cli.context import Context
from comfydock_cli.result import CommandResult


def add_node_arguments(parser: ArgumentParser) -> None:
    """What to add."""
    parser.add_argument(
        "node",
        metavar="ID[@VERSION]|URL[@REF]|PATH",
        help="registry id (ID@VERSION#sha256=... takes that file alone), git address, or folder",
    )
    parser.add_argument(
        "--dev", action="store_true", help="PATH is a node under development; it is copied"
    )


def add_node(arguments: Namespace, context: Context) -> CommandResult:
    """Add one node pack and its Python packages."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    with workspace.lock(environment.name):
        if arguments.dev:
            info = nodes.add_development(workspace, environment, Path(arguments.node))
        else:
            info = nodes.add_named(workspace, environment, arguments.node)
    place = environment.custom_nodes_path / info.name
    return CommandResult(
        command="node add",
        data={
            "name": info.name,
            "source": info.source,
            "version": info.version,
            "path": str(place),
        },
        text=f"✓ Added {info.name} ({described(info)})",
        notes=(f"work on it in {place}",) if arguments.dev else (),
        next_command=f'comfydock -e {environment.name} commit -m "Add {info.name}"',
    )


def described(info: NodeInfo) -> str:
    """Say where a node comes from and its version; a development node has none."""
    version = nodes.version_text(info)
    return version if version == info.source else f"{info.source}, {version}"


def list_nodes_arguments(_: ArgumentParser) -> None:
    """No arguments of its own."""


def list_nodes(_: Namespace, context: Context) -> CommandResult:
    """List the node packs of an environment."""
    environment = environments.ready_environment(context.workspace, context.options.env)
    manifest = environment.manifest()
    states = nodes.node_states(environment, manifest.nodes)
    rows = [
        {"name": name, "source": node.source, "version": node.version, "state": states[name]}
        for name, node in sorted(manifest.nodes.items())
    ]
    lines = [
        f"{name:32} {node.source:12} {nodes.version_text(node):14} {states[name]}".rstrip()
        for name, node in sorted(manifest.nodes.items())
    ]
    return CommandResult(
        command="node list",
        data={"nodes": rows},
        text="\n".join(lines) or f"{environment.name} has no custom nodes.",
        next_command="" if lines else f"comfydock -e {environment.name} node add ID",
    )


def remove_node_arguments(parser: ArgumentParser) -> None:
    """NAME."""
    parser.add_argument("name", metavar="NAME")


def remove_node(arguments: Namespace, context: Context) -> CommandResult:
    """Remove a node pack and the packages that only it needed."""
    workspace = context.workspace
    environment = environments.ready_environment(workspace, context.options.env)
    with workspace.lock(environment.name):
        kept = nodes.remove_node(workspace, environment, arguments.name)
    return CommandResult(
        command="node remove",
        data={"name": arguments.name, "kept": kept},
        text=f"✓ Removed {arguments.name}",
        notes=(f"your source was kept: {kept}",) if kept else (),
        next_command=f'comfydock -e {environment.name} commit -m "Remove {arguments.name}"',
    )
