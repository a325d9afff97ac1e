"""What an environment consists of: the values behind pyproject.toml's ``[tool.comfydock]``.

The field names are those of the specification and of the bundles that ComfyDock 1.x and
ComfyGit 0.7 wrote. Parsing is in ``manifest_parsing.py``, writing in ``manifest_writing.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from comfydock_core.domain.criticality import Criticality

SCHEMA_VERSION = "2.0.0"

NodeSource = Literal["registry", "git", "development"]
ModelStatus = Literal["resolved", "unresolved"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeInfo:
    """A custom node pack.

    ``name`` is its folder in ``custom_nodes``. ``version`` is the registry version, the full git
    commit, or ``dev``. ``sha256`` is the digest of the registry zip as it was installed here.
    ``group`` names its dependency group, empty when it asks for no Python packages.
    """

    name: str
    source: NodeSource
    version: str = ""
    registry_id: str = ""
    repository: str = ""
    download_url: str = ""
    sha256: str = ""
    group: str = ""
    torch_requirements: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeReference:
    """Where a workflow names a model: node ``node_id``, its class, and which widget.

    ``node_id`` of a node inside a subgraph is ``<subgraph uuid>:<id>``. ``widget_index`` counts
    in ``widgets_values`` (UI form); ``widget_name`` is the input's name where it is known.
    """

    node_id: str
    node_type: str
    widget_index: int = 0
    widget_value: str = ""
    widget_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestModel:
    """A model as content: what it is and where it can be had.

    ``hash`` is the short (sampled) hash, a key and never a proof; ``size`` is in bytes;
    ``relative_path`` is POSIX, below a models directory; ``sources`` are URLs, best first.
    """

    hash: str
    filename: str
    size: int
    relative_path: str
    category: str
    blake3_hash: str = ""
    sha256_hash: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestWorkflowModel:
    """A model as one workflow uses it; ``substituted_for`` is the hash of the original."""

    filename: str
    category: str
    criticality: Criticality
    status: ModelStatus
    nodes: tuple[NodeReference, ...] = ()
    hash: str = ""
    relative_path: str = ""
    sources: tuple[str, ...] = ()
    substituted_for: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestWorkflow:
    """A workflow: its file below ``.cec``, the node packs and the models it needs.

    ``name`` is the path below ``workflows/`` without ``.json``. ``custom_node_map`` maps a node
    class that needed a decision to a pack, or to False for "leave it".
    """

    name: str
    path: str
    nodes: tuple[str, ...] = ()
    models: tuple[ManifestWorkflowModel, ...] = ()
    custom_node_map: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchSpec:
    """The torch stack as it ran on the machine that wrote this: a record, not an order.

    Versions are without their local part (``+cpu``), so that another machine can ask for them.
    """

    version: str = ""
    backend: str = ""
    torchvision: str = ""
    torchaudio: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Everything that ``.cec/pyproject.toml`` says.

    ``requirements`` are ComfyUI's own, ``groups`` one list per node that asks for packages;
    both are PEP 508 strings. ``name`` is the environment's name where it was written.
    """

    name: str
    comfyui_version: str
    python_version: str
    comfyui_commit: str = ""
    comfyui_repository: str = ""
    version: str = SCHEMA_VERSION
    torch: TorchSpec = TorchSpec()
    requirements: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nodes: Mapping[str, NodeInfo] = field(default_factory=dict)
    workflows: Mapping[str, ManifestWorkflow] = field(default_factory=dict)
    models: Mapping[str, ManifestModel] = field(default_factory=dict)

    def nodes_by_source(self, source: NodeSource) -> tuple[NodeInfo, ...]:
        """Return the nodes of one source, by name."""
        return tuple(node for _, node in sorted(self.nodes.items()) if node.source == source)
