"""Contents that somebody wants, among the files that are on this machine already."""

from __future__ import annotations

from pathlib import Path

from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.domain.model_loaders import loader_value
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.storage.hugging_face_cache import find_in_caches
from comfydock_core.storage.model_links import link_model
from comfydock_core.storage.model_match import LocalMatch, identify
from comfydock_core.workspace.workspace import Workspace


def find_local(workspace: Workspace, content: ManifestModel) -> LocalMatch | None:
    """Look for a content in the library, then in the Hugging Face client's cache.

    The library is as it was scanned last.
    """
    match = identify(content, workspace.tools.models)
    if match and match.kind == "verified":
        return match
    cached = find_in_caches(content, workspace.process_environment)
    return LocalMatch(kind="verified", model=cached) if cached else match


def make_loadable(
    workspace: Workspace, here: ModelWithLocation, category: str, target: str
) -> None:
    """Make a file appear at ``target`` below the models directory, unless its loader sees it.

    It stays where it is, and no second copy of its bytes is made where the system can help it.
    """
    folder = category or target.partition("/")[0]
    if not loader_value(folder, here.relative_path, separator="/"):
        link_model(Path(here.path), workspace.download_directory / target)
