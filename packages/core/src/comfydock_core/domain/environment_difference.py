"""How two states of an environment differ, whether they are two commits or one is in a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from comfydock_core.domain.manifest import Manifest, ManifestModel, NodeInfo
from comfydock_core.domain.path_rules import folded


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentContents:
    """A manifest and the workflows beside it.

    ``workflows`` maps names to anything that is equal for two workflows of one meaning.
    """

    manifest: Manifest
    workflows: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionChange:
    """One part in two versions, for people to read."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentDifference:
    """What is otherwise in the second of two states.

    ``versions`` are the parts that both have in another version: ``ComfyUI``, ``Python``, then node
    packs by name. Models are compared by content, whatever they are called.
    """

    versions: tuple[VersionChange, ...] = ()
    nodes_added: tuple[NodeInfo, ...] = ()
    nodes_removed: tuple[NodeInfo, ...] = ()
    workflows_added: tuple[str, ...] = ()
    workflows_changed: tuple[str, ...] = ()
    workflows_removed: tuple[str, ...] = ()
    models_added: tuple[ManifestModel, ...] = ()
    models_removed: tuple[ManifestModel, ...] = ()

    def __bool__(self) -> bool:
        parts = (self.versions, self.nodes_added, self.nodes_removed, self.models_added)
        files = (self.workflows_added, self.workflows_changed, self.workflows_removed)
        return any((*parts, *files, self.models_removed))


def difference(of: EnvironmentContents, to: EnvironmentContents) -> EnvironmentDifference:
    """Return what changes from ``of`` to ``to``; names that differ in case alone are one."""
    before, after = _by_name(of.manifest), _by_name(to.manifest)
    old, new = of.workflows, to.workflows
    had, has = _by_content(of.manifest), _by_content(to.manifest)
    return EnvironmentDifference(
        versions=tuple(_version_changes(of.manifest, to.manifest)),
        nodes_added=tuple(after[key] for key in sorted(after.keys() - before.keys())),
        nodes_removed=tuple(before[key] for key in sorted(before.keys() - after.keys())),
        workflows_added=tuple(sorted(new.keys() - old.keys())),
        workflows_changed=tuple(sorted(n for n in old.keys() & new.keys() if old[n] != new[n])),
        workflows_removed=tuple(sorted(old.keys() - new.keys())),
        models_added=tuple(has[key] for key in sorted(has.keys() - had.keys())),
        models_removed=tuple(had[key] for key in sorted(had.keys() - has.keys())),
    )


def _by_name(manifest: Manifest) -> dict[str, NodeInfo]:
    return {folded(node.name): node for node in manifest.nodes.values()}


def _by_content(manifest: Manifest) -> dict[str, ManifestModel]:
    models = manifest.models.values()
    return {model.sha256_hash or model.blake3_hash or model.hash: model for model in models}


def _version_changes(of: Manifest, to: Manifest) -> Iterable[VersionChange]:
    pairs = [
        ("ComfyUI", _comfyui(of), _comfyui(to)),
        ("Python", of.python_version, to.python_version),
    ]
    before, after = _by_name(of), _by_name(to)
    both = sorted(before.keys() & after.keys())
    pairs += [(after[key].name, version_of(before[key]), version_of(after[key])) for key in both]
    for name, old, new in pairs:
        if old != new:
            yield VersionChange(name=name, before=old, after=new)


def _comfyui(manifest: Manifest) -> str:
    commit = f" ({manifest.comfyui_commit[:8]})" if manifest.comfyui_commit else ""
    return f"{manifest.comfyui_version}{commit}"


def version_of(node: NodeInfo) -> str:
    """Say where a node is from and in which version: ``registry 1.2.0``, ``git 0123abcd``."""
    if node.source == "development":
        return "development"
    version = node.version[:8] if node.source == "git" else node.version
    return f"{node.source} {version}"


def node_identity(node: NodeInfo) -> str:
    """Return what is equal for two nodes from one place in one version.

    The sources of development nodes have no version: whether they are equal is in their files.
    """
    place = node.repository.removesuffix(".git") if node.source == "git" else node.registry_id
    return "|".join((node.source, "" if node.source == "development" else node.version, place))
