"""What a workspace works with: git, uv, HTTP, the node registry, downloads, the model index."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from comfydock_core.domain.settings import Settings
from comfydock_core.events import Reporter

if TYPE_CHECKING:
    from comfydock_core.storage.download_limits import DownloadLimits
    from comfydock_core.storage.downloads import Downloader
    from comfydock_core.storage.git import Git, RepositoryCache
    from comfydock_core.storage.http import HttpClient
    from comfydock_core.storage.model_hosts import ModelHosts
    from comfydock_core.storage.model_index import ModelIndex
    from comfydock_core.storage.node_registry import NodeRegistry
    from comfydock_core.storage.uv import Uv


class Tools:
    """Each tool is made when it is first used, so that a command pays only for what it needs,
    the import of its libraries included."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        process_environment: Mapping[str, str],
        reporter: Reporter,
    ) -> None:
        self._root = root
        self._settings = settings
        self._process_environment = process_environment
        self._reporter = reporter
        self.download_limits: DownloadLimits | None = None

    @cached_property
    def git(self) -> Git:
        """git, for this user's settings."""
        from comfydock_core.storage.git import Git

        return Git(self._settings.hosts, self._process_environment)

    @cached_property
    def repositories(self) -> RepositoryCache:
        """The bare mirrors of git repositories."""
        from comfydock_core.storage.git import RepositoryCache

        return RepositoryCache(self.git, self._settings.hosts, self._root / "cache" / "git")

    @cached_property
    def uv(self) -> Uv:
        """uv, for this user's settings."""
        from comfydock_core.storage.found_pythons import FoundPythons
        from comfydock_core.storage.uv import Uv, uv_cache_folder

        found = FoundPythons(self._root / "cache" / "pythons.json", self._process_environment)
        cache = uv_cache_folder(self._process_environment, self._root)
        # uv leaves lock files of its own in the temporary folder.
        temporary = self._root / "cache" / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        places = dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(temporary))
        return Uv(self._settings.python, {**self._process_environment, **places}, cache, found)

    @cached_property
    def http(self) -> HttpClient:
        """The one HTTP client."""
        from comfydock_core.storage.http import HttpClient

        return HttpClient(self._settings.hosts, self._process_environment)

    @cached_property
    def registry(self) -> NodeRegistry:
        """The node registry."""
        from comfydock_core.storage.node_registry import NodeRegistry

        return NodeRegistry(self.http, self._settings.hosts)

    @cached_property
    def downloader(self) -> Downloader:
        """Verified downloads, within ``download_limits`` as they are when it is first used."""
        from comfydock_core.storage.download_limits import DownloadLimits
        from comfydock_core.storage.downloads import Downloader

        limits = self.download_limits or DownloadLimits()
        return Downloader(self.http, self._reporter, limits=limits)

    @cached_property
    def model_hosts(self) -> ModelHosts:
        """The hosts of models, asked about addresses and contents."""
        from comfydock_core.storage.model_hosts import ModelHosts

        return ModelHosts(self.http)

    @cached_property
    def hurried_model_hosts(self) -> ModelHosts:
        """The same hosts, asked about many addresses at once: a silent one is soon given up."""
        from comfydock_core.storage.http import HttpClient
        from comfydock_core.storage.model_hosts import HURRIED, ModelHosts

        client = HttpClient(self._settings.hosts, self._process_environment, HURRIED)
        return ModelHosts(client)

    @cached_property
    def models(self) -> ModelIndex:
        """The index of the model library."""
        from comfydock_core.storage.model_index import ModelIndex

        return ModelIndex(self._root / "index.db", self._reporter)
