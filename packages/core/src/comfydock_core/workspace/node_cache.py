"""Which nodes of a bundle are on this machine already, so that no network is needed for them."""

from __future__ import annotations

from collections.abc import Iterable

from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.workspace.workspace import Workspace


def cached_nodes(workspace: Workspace, nodes: Iterable[NodeInfo]) -> dict[str, int]:
    """Return the nodes whose files are in the caches, with their bytes; 0 where nothing tells."""
    zips = workspace.root / "cache" / "nodes"
    cached: dict[str, int] = {}
    for node in nodes:
        archive = zips / f"{node.sha256}.zip"
        if node.source == "registry" and node.sha256 and archive.is_file():
            cached[node.name] = archive.stat().st_size
        elif node.source == "git" and workspace.tools.repositories.has(
            node.repository, node.version
        ):
            cached[node.name] = 0
    return cached
