"""Arbitrary manifests within the rules of the format, for properties."""

from __future__ import annotations

from comfydock_core.domain.criticality import CRITICALITIES
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeInfo,
    NodeReference,
    TorchSpec,
)
from hypothesis import strategies as st

# Surrogates cannot stand in a file; everything else can be in a widget.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
keys = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
urls = st.builds("https://h.org/{}".format, words)
paths = st.builds("{}/{}.safetensors".format, words, words)
requirements = st.sampled_from(("numpy>=1.26", "pillow", 'a[x]>=1; os_name == "nt"'))
lists = st.lists(requirements, max_size=3).map(tuple)

references = st.builds(
    NodeReference,
    node_id=texts,
    node_type=texts,
    widget_index=st.integers(0, 99),
    widget_value=texts,
    widget_name=texts,
)
workflow_models = st.builds(
    ManifestWorkflowModel,
    filename=texts,
    category=st.just("") | words,
    criticality=st.sampled_from(CRITICALITIES),
    status=st.sampled_from(("resolved", "unresolved")),
    nodes=st.lists(references, max_size=3).map(tuple),
    hash=st.just("") | keys,
    relative_path=st.just("") | paths,
    sources=st.lists(urls, max_size=2).map(tuple),
    substituted_for=st.just("") | keys,
)


def _node(name: str, source: str, digest: str, torch: tuple[str, ...]) -> NodeInfo:
    if source == "git":
        repository = f"https://h.org/{name}"
        return NodeInfo(name=name, source="git", version=digest[:40], repository=repository)
    if source == "registry":
        return NodeInfo(
            name=name, source="registry", version="1.2", registry_id=name, sha256=digest, group=name
        )
    return NodeInfo(
        name=name, source="development", version="dev", group=name, torch_requirements=torch
    )


def _manifest(
    nodes: list[NodeInfo],
    workflows: list[ManifestWorkflow],
    models: list[ManifestModel],
    torch: TorchSpec,
    groups: dict[str, tuple[str, ...]],
) -> Manifest:
    return Manifest(
        name="studio",
        comfyui_version="v0.3.75",
        comfyui_commit="0" * 40,
        comfyui_repository="https://github.com/a/ComfyUI",
        python_version="3.11",
        requirements=("numpy>=1.26", "torch"),
        torch=torch,
        groups=groups,
        nodes={node.name: node for node in nodes},
        workflows={workflow.name: workflow for workflow in workflows},
        models={model.hash: model for model in models},
    )


def _model(key: str, path: str, size: int, digest: str, sources: list[str]) -> ManifestModel:
    folder, _, name = path.partition("/")
    return ManifestModel(
        hash=key,
        filename=name,
        size=size,
        relative_path=path,
        category=folder,
        blake3_hash=digest,
        sources=tuple(sources),
    )


def _workflow(
    name: str, models: list[ManifestWorkflowModel], node_map: dict[str, str | bool]
) -> ManifestWorkflow:
    path = f"workflows/{name}.json"
    return ManifestWorkflow(
        name=name, path=path, nodes=(), models=tuple(models), custom_node_map=node_map
    )


manifests = st.builds(
    _manifest,
    st.lists(
        st.builds(
            _node, words, st.sampled_from(("git", "registry", "development")), digests, lists
        ),
        max_size=3,
        unique_by=lambda node: node.name,
    ).filter(lambda nodes: all(n.name not in ("con", "prn", "aux", "nul") for n in nodes)),
    st.lists(
        st.builds(
            _workflow,
            st.sampled_from(("flow", "sub/a b", "工作流", "x.y", "#1 'q'")),
            st.lists(workflow_models, max_size=2),
            st.dictionaries(texts, st.booleans() | words, max_size=2),
        ),
        max_size=2,
    ),
    st.lists(
        st.builds(
            _model,
            keys,
            paths,
            st.integers(0, 2**63 - 1),
            st.just("") | digests,
            st.lists(urls, max_size=2),
        ),
        max_size=3,
    ),
    st.builds(TorchSpec, version=st.sampled_from(("", "2.9.0")), backend=st.just("") | words),
    st.dictionaries(words, lists, max_size=2),
)
