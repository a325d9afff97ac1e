"""What a user may set once for all environments: hosts and mirrors, Python's sources, models.

The values behind the workspace's config.toml; secrets are never among them (tokens come from the
environment).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

REGISTRY = "https://api.comfy.org"
COMFYUI_REPOSITORY = "https://github.com/comfyanonymous/ComfyUI"


@dataclass(frozen=True, kw_only=True, slots=True)
class HostSettings:
    """Where the services are and which hosts may be reached.

    ``mirrors`` maps a URL prefix to the prefix that is contacted instead; what is recorded in an
    environment stays the public URL. ``allowed`` lists ``host`` or ``host:port`` entries that may
    be private addresses and may be spoken to over plain http. ``ca_bundle`` is a PEM file.
    """

    registry: str = REGISTRY
    comfyui_repository: str = COMFYUI_REPOSITORY
    mirrors: Mapping[str, str] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()
    ca_bundle: str = ""

    def reach(self, url: str) -> str:
        """Return the address to contact for ``url``: its longest matching mirror, or itself.

        A prefix ends at a slash: ``https://a.org`` does not cover ``https://a.org.example``.
        """
        mirrors = {_slashed(public): _slashed(mirror) for public, mirror in self.mirrors.items()}
        prefix = max((p for p in mirrors if f"{url}/".startswith(p)), key=len, default="")
        if not prefix:
            return url
        return (mirrors[prefix] + f"{url}/"[len(prefix) :]).removesuffix("/")

    def allows_private(self, url: str) -> bool:
        """Whether the user allowed this host to be a private address and plain http."""
        parts = urlsplit(url.lower())
        hosts = {parts.netloc.rpartition("@")[2], parts.hostname or ""}
        return not hosts.isdisjoint(host.lower() for host in self.allowed)


def _slashed(address: str) -> str:
    return address.rstrip("/") + "/"


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonSettings:
    """Where Python packages come from; empty means what uv does by itself.

    ``torch_wheels`` is a folder or page of wheels that replaces PyTorch's own index for the torch
    stack; ``find_links`` are further folders or pages for everything else.
    """

    index: str = ""
    find_links: tuple[str, ...] = ()
    torch_wheels: str = ""
    torch_backend: str = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """config.toml as a whole. ``models_directories`` are absolute paths, the default one first."""

    models_directories: tuple[str, ...] = ()
    active_environment: str = ""
    hosts: HostSettings = HostSettings()
    python: PythonSettings = PythonSettings()
