"""Bundle contents + this machine -> what an import is about, before any network (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from packaging.version import Version

from comfydock_core.domain.acquisition import (
    CodeOrigin,
    ModelAggregate,
    aggregate_model_criticality,
)
from comfydock_core.domain.bundle import BundleFile, BundleManifest
from comfydock_core.domain.import_summary import ImportSummary
from comfydock_core.domain.lock import LockedPackage
from comfydock_core.domain.manifest import Manifest, NodeInfo
from comfydock_core.domain.names import MAX_ENVIRONMENT_NAME, PICKLES
from comfydock_core.domain.path_rules import folded

_SHOWN_ENTRIES = 20
_SHOWN_VERSION = 40
OFFICIAL_COMFYUI = (
    "https://github.com/comfyanonymous/ComfyUI",
    "https://github.com/Comfy-Org/ComfyUI",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DevelopmentSource:
    """The source of a development node as it lies in a bundle; ``digest`` is over its files.

    ``size`` is in bytes; ``scripts`` say what in it runs by itself or is no source.
    """

    name: str
    files: int
    digest: str
    size: int = 0
    scripts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedBundle:
    """A bundle that passed the strict reader, parsed.

    ``manifest.comfyui_repository`` is this machine's own where the bundle names none. ``models``
    and ``inputs`` are the files that travelled along, by their paths below a models directory and
    below ComfyUI's input folder; ``dropped`` says what another tool's bundle has beyond that.
    ``unpacked`` is the digest of the folder that it lies in (``unpacked_bundle.folder_digest``),
    empty where not all was unpacked.
    """

    bundle: BundleManifest
    manifest: Manifest
    lock: tuple[LockedPackage, ...]
    development: tuple[DevelopmentSource, ...]
    digest: str
    models: Mapping[str, BundleFile] = field(default_factory=dict)
    inputs: Mapping[str, BundleFile] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    unpacked: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What this machine is like: names that are taken, where ComfyUI and nodes come from."""

    environment_names: frozenset[str]
    comfyui_repository: str
    registry: str
    version: str


def summarise(opened: OpenedBundle, wanted_name: str, here: Surroundings) -> ImportSummary:
    """Describe an import; a taken name gets the first free suffix ``-1``, ``-2``, …"""
    manifest = opened.manifest
    aggregates = aggregate_model_criticality(
        (workflow for _, workflow in sorted(manifest.workflows.items())), manifest.models
    )
    name = wanted_name or opened.bundle.environment_name
    inside = frozenset(key for key, each in aggregates.items() if _is_inside(each, opened))
    elsewhere = [each for key, each in aggregates.items() if key not in inside]
    return ImportSummary(
        environment=free_name(name, here.environment_names),
        requested_name=name,
        bundle=opened.bundle,
        manifest=manifest,
        aggregates=aggregates,
        digest=opened.digest,
        hosts=_hosts(manifest, elsewhere, here),
        code=tuple(_code(opened, aggregates, here)),
        inside=inside,
        absent=frozenset(absent_nodes(opened)),
        warnings=(
            *opened.warnings,
            *_newer(opened.bundle, here.version),
            *left_open(opened.bundle),
        ),
        dropped=opened.dropped,
    )


def absent_nodes(opened: OpenedBundle) -> Iterable[str]:
    """Name the development nodes whose source is not in the bundle."""
    here = {source.name for source in opened.development}
    return (n.name for n in opened.manifest.nodes_by_source("development") if n.name not in here)


def _is_inside(aggregate: ModelAggregate, opened: OpenedBundle) -> bool:
    """Whether the bundle's file in a model's place is what its manifest says of the model."""
    content = aggregate.content
    file = opened.models.get(content.relative_path) if content else None
    if content is None or file is None:
        return False
    return file.size == content.size and content.sha256_hash.lower() in ("", file.sha256)


def left_open(bundle: BundleManifest) -> Iterable[str]:
    """Say what the sender knew to be missing; a long list is cut, `inspect` has all of it."""
    for issue in bundle.issues[:_SHOWN_ENTRIES]:
        where = f"{issue.workflow}: " if issue.workflow else ""
        yield f"the sender left this open: {where}{issue.sentence}"
    if len(bundle.issues) > _SHOWN_ENTRIES:
        yield f"the sender left {len(bundle.issues) - _SHOWN_ENTRIES} more things open"
    if bundle.missing_inputs:
        shown = ", ".join(bundle.missing_inputs[:_SHOWN_ENTRIES])
        more = len(bundle.missing_inputs) - _SHOWN_ENTRIES
        rest = f" and {more} more" if more > 0 else ""
        yield f"files that workflows load are not in the bundle: {shown}{rest}"


def free_name(name: str, taken: frozenset[str]) -> str:
    """Return ``name``, or with the first suffix ``-1``, ``-2``, … that is free.

    Names that some file systems take for one count as one; a long name gives way to its suffix.
    """
    known = {folded(other) for other in taken}
    free, counter = name, 0
    while folded(free) in known:
        counter += 1
        suffix = f"-{counter}"
        free = name[: MAX_ENVIRONMENT_NAME - len(suffix)] + suffix
    return free


def _newer(bundle: BundleManifest, ours: str) -> tuple[str, ...]:
    """Warn of a bundle from a later comfydock, or from one whose version cannot be compared."""
    if bundle.tool:
        return ()
    theirs = bundle.comfydock_version
    shown = theirs[:_SHOWN_VERSION]
    try:
        newer = Version(theirs) > Version(ours)
    except ValueError:
        return (
            f"Bundle created with an unknown comfydock ({shown or 'no version'}): "
            "may have compatibility issues.",
        )
    if not newer:
        return ()
    return (
        f"Bundle created with newer comfydock ({shown} > {ours}): "
        "may have compatibility issues. Proceed with caution.",
    )


def also_contacting(summary: ImportSummary, addresses: Iterable[str]) -> ImportSummary:
    """Add to ``hosts`` those of addresses that the user gives, which no bundle names."""
    hosts = dict.fromkeys((*summary.hosts, *_netlocs(addresses)))
    return replace(summary, hosts=tuple(hosts))


def _netlocs(addresses: Iterable[str]) -> Iterable[str]:
    for address in addresses:
        with suppress(ValueError):
            host = urlsplit(address).netloc.rpartition("@")[2]
            if host and "://" in address:
                yield host


def _hosts(
    manifest: Manifest, aggregates: Iterable[ModelAggregate], here: Surroundings
) -> tuple[str, ...]:
    addresses = [manifest.comfyui_repository]
    addresses += [node.repository for node in manifest.nodes_by_source("git")]
    registry_nodes = manifest.nodes_by_source("registry")
    addresses += [here.registry] if registry_nodes else []
    addresses += [node.download_url for node in registry_nodes]
    addresses += [url for aggregate in aggregates for url in aggregate.sources]
    return tuple(dict.fromkeys(_netlocs(addresses)))


def _code(
    opened: OpenedBundle, aggregates: Mapping[str, ModelAggregate], here: Surroundings
) -> Iterable[CodeOrigin]:
    yield _comfyui(opened.manifest, here)
    sources = {source.name: source for source in opened.development}
    for _, node in sorted(opened.manifest.nodes.items()):
        if node.source != "development":
            yield _node(node)
        elif source := sources.get(node.name):
            yield _development(source)
    for package in opened.lock:
        if package.source == "registry" and not package.wheels:
            yield CodeOrigin(
                kind="python-source",
                name=f"{package.name} {package.version}",
                detail="its build script runs during installation",
            )
    for aggregate in aggregates.values():
        if _is_pickle(aggregate):
            yield CodeOrigin(
                kind="pickle",
                name=aggregate.model.filename,
                detail="a pickle file, which can run code when it is loaded",
            )


def _is_pickle(aggregate: ModelAggregate) -> bool:
    """Whether any name that the file can get here is a pickle's."""
    known = aggregate.content.relative_path if aggregate.content else ""
    names = (known, aggregate.model.relative_path, aggregate.model.filename)
    return any(name.lower().endswith(PICKLES) for name in names)


def _comfyui(manifest: Manifest, here: Surroundings) -> CodeOrigin:
    repository = manifest.comfyui_repository
    known = {here.comfyui_repository.removesuffix(".git"), *OFFICIAL_COMFYUI}
    return CodeOrigin(
        kind="comfyui",
        name=manifest.comfyui_version,
        detail=f"{repository} at {manifest.comfyui_commit[:8] or manifest.comfyui_version}",
        pinned=repository.removesuffix(".git") in known,
    )


def _node(node: NodeInfo) -> CodeOrigin:
    if node.source == "registry":
        pinned = bool(node.sha256)
        known_as = "" if node.registry_id in ("", node.name) else f"registry {node.registry_id} "
        digest = f"sha256 {node.sha256[:12]}" if pinned else "no digest recorded"
        detail = f"{known_as}v{node.version}, {digest}"
        return CodeOrigin(kind="registry", name=node.name, detail=detail, pinned=pinned)
    detail = f"{node.repository} at {node.version[:8]}"
    return CodeOrigin(kind="git", name=node.name, detail=detail)


def _development(source: DevelopmentSource) -> CodeOrigin:
    scripts = f", brings {' and '.join(source.scripts)}" if source.scripts else ""
    return CodeOrigin(
        kind="development",
        name=source.name,
        detail=f"{source.files} files in the bundle, sha256 {source.digest[:12]}{scripts}",
    )
