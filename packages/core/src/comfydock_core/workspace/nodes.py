"""Node packs of an environment: fetched aside, resolved together, then moved into place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from comfydock_core.domain.fields import Fields
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.domain.names import node_name_problem
from comfydock_core.domain.requirements import (
    Requirements,
    parse_requirements,
    sort_requirements,
)
from comfydock_core.domain.toml_document import read_toml
from comfydock_core.errors import ManifestError, NodeError, NotFoundError, UsageError
from comfydock_core.events import ItemFinished, ItemStarted, Notice
from comfydock_core.storage.archive import DEFAULT_LIMITS, ArchiveMember
from comfydock_core.storage.downloads import DownloadRequest
from comfydock_core.storage.durable_files import (
    copy_tree,
    remove_folder,
    staging_folder,
    write_durably,
)
from comfydock_core.storage.node_registry import NodeRegistry, RegistryVersion, UnknownNodeError
from comfydock_core.storage.user_paths import user_path
from comfydock_core.storage.zip_reader import extract_zip
from comfydock_core.workspace import python_packages
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

STEP = "nodes"
_TRACKING = ".tracking"
# An `@` before the path belongs to a user name, which is refused by name later on.
_ADDRESS = re.compile(r"(?P<target>[a-z+]+://(?:[^@/]*@)?[^@/]+(?:/[^@]*)?)(?:@(?P<reference>.+))?")
_SSH = re.compile(r"[^@/\s]+@(?P<host>[^@:/\s]+):(?P<path>[^@:\s]+)")
_REGISTRY = re.compile(r"(?P<target>[^@/]+)(?:@(?P<reference>.+))?")
_WITH_DIGEST = re.compile(r"(?P<name>[^@/#]+@[^#]+)#sha256=(?P<digest>[0-9a-f]{64})")
_ON_GITHUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NOT_COPIED = ("__pycache__", "*.pyc", "node_modules", ".venv", "*.egg-info")


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedNode:
    """A node pack that lies aside, whole, with what it asks of Python."""

    info: NodeInfo
    folder: Path
    requirements: Requirements

    @property
    def install_script(self) -> bool:
        """Whether it brings an ``install.py``; comfydock never runs it by itself."""
        return (self.folder / "install.py").is_file()


def stage_registry(
    workspace: Workspace, node_id: str, version: str, staging: Path, sha256: str = ""
) -> StagedNode:
    """Fetch a registry node's zip through the cache and unpack it; ``sha256`` must match if given.

    An empty ``version`` is the newest active one.
    """
    cached = workspace.root / "cache" / "nodes" / f"{sha256}.zip"
    if sha256 and cached.exists():
        info = NodeInfo(name=node_id, source="registry", version=version, registry_id=node_id)
    else:
        wanted = version or workspace.tools.registry.version(node_id).version
        release = _release(workspace.tools.registry, node_id, wanted)
        info = NodeInfo(
            name=release.node_id,
            source="registry",
            version=release.version,
            registry_id=release.node_id,
            download_url=release.download_url,
        )
        cached = _fetch_zip(workspace, info, sha256, staging)
    folder = staging / "pack"
    folder.mkdir()
    members = extract_zip(cached, folder)
    _track(folder, members)
    return _staged(replace(info, sha256=cached.stem), folder)


def _release(registry: NodeRegistry, node_id: str, version: str) -> RegistryVersion:
    """Return the version to install; UnknownNodeError says whether it or the pack is unknown."""
    try:
        return registry.install(node_id, version)
    except UnknownNodeError:
        registry.node(node_id)
        raise


def _track(folder: Path, members: Sequence[ArchiveMember]) -> None:
    """Write down what the archive brought, as ComfyUI-Manager does; its own list does not count."""
    tracking = folder / _TRACKING
    if any(member.path.startswith(f"{_TRACKING}/") for member in members):
        raise NodeError(f"its archive has a folder `{_TRACKING}`, which is the name of a list")
    write_durably(tracking, "\n".join(member.path for member in members).encode())


def _fetch_zip(workspace: Workspace, info: NodeInfo, sha256: str, staging: Path) -> Path:
    fetched = workspace.tools.downloader.fetch(
        DownloadRequest(
            urls=(info.download_url,),
            target=staging / "node.zip",
            sha256=sha256,
            name=f"{info.name} {info.version}",
            limit_bytes=DEFAULT_LIMITS.total_size,
        )
    )
    cached = workspace.root / "cache" / "nodes" / f"{fetched.sha256}.zip"
    fetched.path.replace(cached)
    return cached


def stage_git(workspace: Workspace, repository: str, reference: str, staging: Path) -> StagedNode:
    """Check a git node out at a tag, branch or commit; an empty reference is the default branch."""
    commit, _ = workspace.tools.repositories.resolve(repository, reference or "HEAD")
    folder = staging / "pack"
    workspace.tools.repositories.check_out(repository, commit, folder)
    name = urlsplit(repository).path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    info = NodeInfo(name=name, source="git", version=commit, repository=repository)
    return _staged(info, folder)


def stage_development(path: Path, staging: Path) -> StagedNode:
    """Copy a node that is being written; ComfyUI does not accept a link in its place."""
    if not path.is_dir():
        raise NotFoundError(f"`{path}` is no folder", subject=str(path))
    _check_name(path.name)
    if staging.resolve().is_relative_to(path.resolve()):
        raise UsageError(
            f"`{path}` holds comfydock's own workspace, so it is no node", subject=str(path)
        )
    folder = staging / "pack"
    copy_tree(path, folder, _NOT_COPIED)
    return _staged(NodeInfo(name=path.name, source="development", version="dev"), folder)


def _check_name(name: str) -> None:
    if problem := node_name_problem(name):
        raise NodeError(f"`{ascii(name)[1:-1]}` {problem}", subject=name)


def _staged(info: NodeInfo, folder: Path) -> StagedNode:
    _check_name(info.name)
    requirements = node_requirements(folder)
    if requirements.refused:
        raise NodeError(
            f"`{info.name}` asks for `{requirements.refused[0]}`, which is an address or a path "
            "and cannot be locked",
            hint="ask its author for a released version, or add it as a development node "
            "without that line",
            subject=info.name,
        )
    group = group_name(info.name) if requirements.packages else ""
    staged = replace(info, group=group, torch_requirements=requirements.torch)
    return StagedNode(info=staged, folder=folder, requirements=requirements)


def group_name(node: str) -> str:
    """Return the dependency group of a node: readable, and unique where names normalise alike."""
    stem = re.sub(r"[^a-z0-9]+", "-", node.lower()).strip("-")
    return f"{stem}-{hashlib.sha256(node.encode()).hexdigest()[:8]}"


def node_requirements(folder: Path) -> Requirements:
    """Read requirements.txt, or where there is none the dependencies of pyproject.toml."""
    listed = folder / "requirements.txt"
    if listed.is_file():
        return parse_requirements(listed.read_text(encoding="utf-8", errors="replace"))
    project = folder / "pyproject.toml"
    if not project.is_file():
        return Requirements()
    name = project.name
    try:
        table = Fields(read_toml(project.read_bytes(), name), "", name).table("project")
        return sort_requirements(table.strings("dependencies"))
    except ManifestError as error:
        raise NodeError(
            f"the node's `{name}` cannot be read",
            cause="\n".join(filter(None, (error.sentence, error.cause))),
            subject=name,
        ) from error


def with_node(manifest: Manifest, staged: StagedNode) -> Manifest:
    """Return the manifest with the node and its dependency group."""
    groups = {**manifest.groups}
    groups.pop(group_name(staged.info.name), None)
    if staged.info.group:
        groups[staged.info.group] = staged.requirements.packages
    return replace(manifest, groups=groups, nodes={**manifest.nodes, staged.info.name: staged.info})


def without_node(manifest: Manifest, name: str) -> Manifest:
    """Return the manifest without the node and its dependency group."""
    group = manifest.nodes[name].group
    return replace(
        manifest,
        groups={key: lines for key, lines in manifest.groups.items() if key != group},
        nodes={key: node for key, node in manifest.nodes.items() if key != name},
    )


def check_free(environment: Environment, manifest: Manifest, staged: StagedNode) -> None:
    """Raise NodeError when the node's folder name is taken."""
    name = staged.info.name
    known = {key.casefold() for key in manifest.nodes}
    there = {p.name.casefold() for p in environment.custom_nodes_path.iterdir()}
    if name.casefold() in there:
        raise NodeError(
            f"`{name}` is already installed"
            if name.casefold() in known
            else f"`custom_nodes/{name}` is already there, put there by hand",
            hint=f"comfydock node remove {quote(name)}"
            if name in manifest.nodes
            else "move that folder away, then try again",
            subject=name,
        )


def add_node(workspace: Workspace, environment: Environment, staged: StagedNode) -> Manifest:
    """Install a staged node: all requirements resolved together, then placed.

    A conflict changes nothing. The manifest is written before the folder appears, so a killed run
    shows as a missing node that ``node add`` repairs.
    """
    report = workspace.reporter.report
    before = environment.manifest()
    lock_before = environment.lock_path.read_bytes()
    check_free(environment, before, staged)
    manifest = with_node(before, staged)
    report(ItemStarted(step=STEP, item=staged.info.name))
    lock = python_packages.resolve(workspace, environment, manifest)
    environment.write_manifest(manifest)
    try:
        python_packages.install(workspace, environment, lock, build=True)
    except BaseException:
        environment.write_manifest(before)
        environment.lock_path.write_bytes(lock_before)
        raise
    place(environment, staged)
    report(ItemFinished(step=STEP, item=staged.info.name, detail=version_text(staged.info)))
    _say_what_was_left(workspace, staged)
    return manifest


def place(environment: Environment, staged: StagedNode) -> None:
    """Move a staged node into ``custom_nodes``."""
    environment.custom_nodes_path.mkdir(exist_ok=True)
    staged.folder.rename(environment.custom_nodes_path / staged.info.name)


def _say_what_was_left(workspace: Workspace, staged: StagedNode) -> None:
    report = workspace.reporter.report
    name = staged.info.name
    if staged.install_script:
        report(Notice(text=f"`{name}` brings an install.py, which was not run"))
    if staged.requirements.torch:
        asked = ", ".join(staged.requirements.torch)
        report(Notice(text=f"`{name}` asks for {asked}: recorded, your torch stays as it is"))
    if staged.requirements.ignored:
        report(Notice(text=f"`{name}`: pip options in its requirements are not followed"))


def remove_node(workspace: Workspace, environment: Environment, name: str) -> str:
    """Take a node out; return where its files are now, ``""`` when they are gone.

    A development node is somebody's work: its folder is only disabled.
    """
    manifest = environment.manifest()
    if name not in manifest.nodes:
        raise NotFoundError(
            f"there is no node `{name}` in `{environment.name}`", hint="comfydock node list"
        )
    node = manifest.nodes[name]
    reduced = without_node(manifest, name)
    lock = python_packages.resolve(workspace, environment, reduced)
    kept = _put_away(workspace, environment, node)
    environment.write_manifest(reduced)
    python_packages.install(workspace, environment, lock, build=True)
    return kept


def _put_away(workspace: Workspace, environment: Environment, node: NodeInfo) -> str:
    folder = environment.custom_nodes_path / node.name
    if node.source != "development" or not folder.exists():
        remove_folder(folder, workspace.root / "cache" / "trash")
        return ""
    kept = next(
        place
        for number in range(1, 1000)
        if not (place := folder.with_name(f"{node.name}-{number}.disabled")).exists()
    )
    folder.rename(kept)
    return str(kept)


def version_text(node: NodeInfo) -> str:
    """Say a node's version as a person would: ``v1.2.3``, a short commit, ``development``."""
    if node.source == "git":
        return node.version[:8]
    return "development" if node.source == "development" else f"v{node.version}"


def node_states(environment: Environment, nodes: Mapping[str, NodeInfo]) -> dict[str, str]:
    """Say of each node whether its folder is there: ``installed`` or ``missing``."""
    return {
        name: "installed" if (environment.custom_nodes_path / node.name).is_dir() else "missing"
        for name, node in sorted(nodes.items())
    }


def add_development(workspace: Workspace, environment: Environment, folder: Path) -> NodeInfo:
    """Add a node that is being written, by a copy of its folder."""
    with staging_folder(workspace.staging_path, "node-") as staging:
        staged = stage_development(user_path(folder).resolve(), staging)
        add_node(workspace, environment, staged)
        return staged.info


def add_named(workspace: Workspace, environment: Environment, text: str) -> NodeInfo:
    """Add what a user names: ``ID[@VERSION]``, ``URL[@REF]`` or ``owner/repository`` of GitHub.

    After ``ID@VERSION`` may come ``#sha256=HEX``: then nothing but that archive is taken.
    """
    found = _WITH_DIGEST.fullmatch(text)
    target, reference = parse_name(found["name"] if found else text)
    with staging_folder(workspace.staging_path, "node-") as staging:
        if "://" in target:
            staged = stage_git(workspace, target, reference, staging)
        else:
            digest = found["digest"] if found else ""
            staged = stage_registry(workspace, target, reference, staging, digest)
        add_node(workspace, environment, staged)
        return staged.info


def parse_name(text: str) -> tuple[str, str]:
    """Split what a user types into an id or address and a version or reference, ``""`` for none."""
    ssh = _SSH.fullmatch(text)
    found = None if ssh else _ADDRESS.fullmatch(text) or _REGISTRY.fullmatch(text)
    if found:
        return found["target"], found["reference"] or ""
    if _ON_GITHUB.fullmatch(text):
        return f"https://github.com/{text}", ""
    raise UsageError(
        f"`{text}` is no registry id and no address",
        hint=f"comfydock node add https://{ssh['host']}/{ssh['path']}"
        if ssh
        else f"comfydock node add --dev {quote(text)}",
        subject=text,
    )
