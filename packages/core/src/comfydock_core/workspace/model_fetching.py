"""Models that are wanted -> files in the library: what is here is used, the rest is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.domain.models import detect_url_type
from comfydock_core.errors import ComfydockError
from comfydock_core.events import ItemFailed, ItemFinished, StepFinished, StepStarted
from comfydock_core.storage.downloads import DownloadRequest, DownloadResult, model_request
from comfydock_core.storage.hashing import FullHashes
from comfydock_core.storage.local_source import is_same_as_local
from comfydock_core.workspace.download_speeds import measured
from comfydock_core.workspace.local_models import find_local, make_loadable
from comfydock_core.workspace.workspace import Workspace

STEP = "models"


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedModel:
    """A file for the library.

    ``target`` is POSIX, below the models directory; ``sources`` are tried in turn; ``content`` is
    what is known of it, and nothing else is put in place. ``named`` tells that the user named the
    sources, who may name a file of this machine.
    """

    filename: str
    target: str
    sources: tuple[str, ...]
    content: ManifestModel | None = None
    named: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedModel:
    """What became of a wanted model; ``path`` is where it lies, ``error`` why it does not.

    ``hashes`` are those of what was downloaded.
    """

    wanted: WantedModel
    how: Literal["found", "downloaded", "failed"]
    path: str = ""
    hashes: FullHashes | None = None
    error: ComfydockError | None = None


def fetch_models(workspace: Workspace, wanted: Sequence[WantedModel]) -> tuple[FetchedModel, ...]:
    """Bring every model into the library, and remember where it was had.

    A failure of one does not keep the others from coming; a full disk ends it all.
    """
    workspace.scan_models()
    found = [_found(workspace, model) for model in wanted]
    missing = [model for model, here in zip(wanted, found, strict=True) if not here]
    fetched = _download(workspace, missing) if missing else []
    if fetched:
        workspace.scan_models()
        for outcome in fetched:
            _remember(workspace, outcome)
    return (*filter(None, found), *fetched)


def _found(workspace: Workspace, wanted: WantedModel) -> FetchedModel | None:
    if wanted.content is None or not _has_digest(wanted.content):
        return _fetched_before(workspace, wanted)
    match = find_local(workspace, wanted.content)
    if match is None or match.kind != "verified":
        return None
    make_loadable(workspace, match.model, wanted.content.category, wanted.target)
    return FetchedModel(wanted=wanted, how="found", path=match.model.path)


def _has_digest(content: ManifestModel) -> bool:
    return bool(content.sha256_hash or content.blake3_hash)


def _fetched_before(workspace: Workspace, wanted: WantedModel) -> FetchedModel | None:
    """Find what came from the same address before, where no digest can tell what is there now.

    A file of this machine is compared instead, wherever the one in its place came from.
    """
    target = workspace.download_directory / wanted.target
    if wanted.named and any(is_same_as_local(url, target) for url in wanted.sources):
        return FetchedModel(wanted=wanted, how="found", path=str(target))
    index, size = workspace.tools.models, wanted.content.size if wanted.content else None
    for here in index.by_relative_path(wanted.target):
        if size in (None, here.size) and set(wanted.sources) & set(
            index.get_model_sources(here.hash)
        ):
            return FetchedModel(wanted=wanted, how="found", path=here.path)
    return None


def _download(workspace: Workspace, wanted: Sequence[WantedModel]) -> list[FetchedModel]:
    report = workspace.reporter.report
    report(StepStarted(step=STEP, title="Downloading models", count=len(wanted)))
    requests = {_request(workspace, model): model for model in wanted}
    outcomes: list[FetchedModel] = []
    arriving = measured(workspace.root, workspace.tools.downloader.fetch_all(requests))
    with closing(arriving) as results:
        for request, result in results:
            outcomes.append(_outcome(requests[request], result))
            report(_told(request, result))
    done = sum(outcome.how == "downloaded" for outcome in outcomes)
    report(StepFinished(step=STEP, detail=f"Downloaded {done}/{len(wanted)} models"))
    return outcomes


def _request(workspace: Workspace, wanted: WantedModel) -> DownloadRequest:
    request = model_request(
        wanted.content,
        urls=wanted.sources,
        target=workspace.download_directory / wanted.target,
        name=wanted.filename,
    )
    return replace(request, local_allowed=wanted.named)


def _outcome(wanted: WantedModel, result: DownloadResult | ComfydockError) -> FetchedModel:
    if isinstance(result, ComfydockError):
        return FetchedModel(wanted=wanted, how="failed", error=result)
    hashes = FullHashes(blake3=result.blake3, sha256=result.sha256, size=result.size)
    return FetchedModel(wanted=wanted, how="downloaded", path=str(result.path), hashes=hashes)


def _told(
    request: DownloadRequest, result: DownloadResult | ComfydockError
) -> ItemFinished | ItemFailed:
    if isinstance(result, ComfydockError):
        return ItemFailed(step=STEP, item=request.shown, reason=result.in_one_line)
    return ItemFinished(step=STEP, item=request.shown, detail=request.how_verified)


def _remember(workspace: Workspace, outcome: FetchedModel) -> None:
    """Keep the addresses of what came from the network, and the digests it had on the way."""
    index = workspace.tools.models
    for found in index.by_relative_path(outcome.wanted.target):
        if outcome.hashes and Path(found.path) == Path(outcome.path):
            index.update_model_hashes(found.hash, outcome.hashes)
            for url in outcome.wanted.sources:
                if not url.startswith("file:"):
                    index.add_source(found.hash, detect_url_type(url), url)
