"""The Comfy registry: which node packs exist, and where a version's archive is.

Reads need no key. The interface is that of ``https://api.comfy.org`` (OpenAPI at ``/openapi``);
the registry publishes no checksum of an archive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from comfydock_core.domain.fields import Fields
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import ManifestError, NetworkError, NodeError
from comfydock_core.storage.http import HttpClient, HttpStatusError, redact

NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
NODE_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z+_-]*(\.[0-9A-Za-z+_-]+)*")
_Read = TypeVar("_Read")
_LONGEST_NAME = 100
_BULK_SIZE = 100
_ACTIVE = "Active"
_WARNED_OF = ("Banned", "Flagged")
_STATES = {
    "Pending": "is still being checked by the registry",
    "Flagged": "was flagged by the registry as possibly harmful",
    "Banned": "was banned from the registry",
    "Deleted": "was deleted by its publisher",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryVersion:
    """One published version. ``status`` is Active, Pending, Flagged, Banned or Deleted;
    ``dependencies`` are PEP 508 strings as the publisher wrote them.
    """

    node_id: str
    version: str
    download_url: str
    status: str
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryNode:
    """A node pack as its publisher describes it; the texts are a stranger's."""

    node_id: str
    name: str
    description: str = ""
    author: str = ""
    repository: str = ""
    latest_version: str = ""


class UnknownNodeError(NodeError):
    """The registry does not know the node pack, version or class."""


class ForbiddenNodeError(NodeError):
    """The registry warns of the node pack or version: nobody should install it."""


class NodeRegistry:
    """Asks the registry that ``hosts`` names. Each method is one request unless it says more.

    A registry that cannot be asked, or whose answer cannot be read, is a NetworkError.
    """

    def __init__(self, client: HttpClient, hosts: HostSettings) -> None:
        self._client = client
        self._base = hosts.registry.rstrip("/")

    def node(self, node_id: str) -> RegistryNode:
        """Describe a node pack; NodeError when there is none or it was banned."""
        return self._ask(_node_path(node_id), node_id, _node)

    def versions(self, node_id: str) -> tuple[RegistryVersion, ...]:
        """List the versions that may be installed, in the registry's order."""
        path = f"{_node_path(node_id)}/versions?statuses=NodeVersionStatusActive"
        found = self._ask(path, node_id, _versions)
        return tuple(version for version in found if version.status == _ACTIVE)

    def version(self, node_id: str, version: str | None = None) -> RegistryVersion:
        """Find a version, or the latest one (two requests); NodeError unless it is active."""
        wanted = version or self.node(node_id).latest_version
        if not wanted:
            raise UnknownNodeError(
                f"`{node_id}` has no version in the registry",
                hint="add it by the address of its git repository",
                subject=node_id,
            )
        path = f"{_node_path(node_id)}/versions/{_checked_version(wanted)}"
        pair = (node_id, wanted)
        return usable(self._ask(path, f"{node_id}@{wanted}", _version), pair)

    def install(self, node_id: str, version: str) -> RegistryVersion:
        """As ``version``, and the registry counts an installation."""
        path = f"{_node_path(node_id)}/install?version={quote(_checked_version(version))}"
        return usable(self._ask(path, f"{node_id}@{version}", _version), (node_id, version))

    def search(self, text: str, limit: int) -> tuple[RegistryNode, ...]:
        """Find at most ``limit`` node packs for a text."""
        query = urlencode({"search": text, "limit": limit})
        return self._ask(f"/nodes/search?{query}", text, _nodes)[:limit]

    def node_of_class(self, class_name: str) -> RegistryNode | None:
        """Find the node pack that publishes a class; None for a core or unknown class."""
        path = f"/comfy-nodes/{quote(class_name, safe='')}/node"
        try:
            return self._ask(path, class_name, _node)
        except UnknownNodeError:
            return None

    def check_versions(
        self, wanted: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], RegistryVersion | None]:
        """Look up many (node id, version) pairs, a hundred a request: in any state, or None."""
        pairs = tuple(dict.fromkeys(wanted))
        found: dict[tuple[str, str], RegistryVersion] = {}
        for start in range(0, len(pairs), _BULK_SIZE):
            batch = [
                {"node_id": _checked_id(node_id), "version": _checked_version(version)}
                for node_id, version in pairs[start : start + _BULK_SIZE]
            ]
            url = f"{self._base}/bulk/nodes/versions"
            answer = self._client.post_json(url, {"node_versions": batch})
            found.update(self._read(answer, _bulk))
        return {pair: found.get(pair) for pair in pairs}

    def _ask(self, path: str, subject: str, read: Callable[[Fields], _Read]) -> _Read:
        try:
            answer = self._client.get_json(self._base + path)
        except HttpStatusError as error:
            raise _refusal(error, subject) from error
        return self._read(answer, read)

    def _read(self, answer: object, read: Callable[[Fields], _Read]) -> _Read:
        """A list is read as the table ``{"list": …}``; nulls are as good as missing keys."""
        table = {"list": answer} if isinstance(answer, list) else answer
        try:
            return read(Fields(_without_nulls(table), "", "the registry's answer"))
        except (ManifestError, RecursionError) as error:
            raise NetworkError(
                f"`{redact(self._base)}` gave an answer that is not a node registry's",
                cause=str(error),
                hint="check hosts.registry in config.toml, then try again later",
                subject=redact(self._base),
            ) from error


def _node(fields: Fields) -> RegistryNode:
    latest = fields.table("latest_version")
    return RegistryNode(
        node_id=fields.text("id", form=NODE_ID),
        name=fields.text("name", ""),
        description=fields.text("description", ""),
        author=fields.text("author", "") or fields.table("publisher").text("name", ""),
        repository=fields.text("repository", ""),
        latest_version=latest.text("version", "", form=NODE_VERSION),
    )


def _nodes(fields: Fields) -> tuple[RegistryNode, ...]:
    return tuple(_node(entry) for entry in fields.tables("nodes"))


def _version(fields: Fields) -> RegistryVersion:
    return RegistryVersion(
        node_id=fields.text("node_id", form=NODE_ID),
        version=fields.text("version", form=NODE_VERSION),
        download_url=fields.text("downloadUrl", ""),
        status=fields.text("status", "").removeprefix("NodeVersionStatus"),
        dependencies=fields.strings("dependencies"),
    )


def _versions(fields: Fields) -> tuple[RegistryVersion, ...]:
    return tuple(_version(entry) for entry in fields.tables("list"))


def _bulk(fields: Fields) -> dict[tuple[str, str], RegistryVersion]:
    found = {}
    for entry in fields.tables("node_versions"):
        asked = entry.table("identifier")
        if entry.text("status") == "success":
            version = _version(entry.table("node_version"))
            found[asked.text("node_id"), asked.text("version")] = version
    return found


def usable(version: RegistryVersion | None, asked: tuple[str, str]) -> RegistryVersion:
    """Return a version that may be installed; NodeError says why it may not.

    ``asked`` is the (node id, version) that the registry was asked about.
    """
    if version is None:
        raise _unknown("@".join(asked))
    name = f"{version.node_id}@{version.version}"
    if version.status != _ACTIVE:
        state = _STATES.get(version.status, f"has the unknown state {version.status[:40]!a}")
        kind = ForbiddenNodeError if version.status in _WARNED_OF else NodeError
        raise kind(
            f"`{name}` {state}",
            hint="choose another version, or look at the node's repository",
            subject=version.node_id,
        )
    if not version.download_url:
        raise NodeError(
            f"`{name}` has no archive in the registry",
            hint="add it by the address of its git repository",
            subject=version.node_id,
        )
    return version


def _unknown(subject: str) -> UnknownNodeError:
    return UnknownNodeError(
        f"the registry does not know `{subject}`",
        hint="check the spelling, or add it by the address of its git repository",
        subject=subject,
    )


def _refusal(error: HttpStatusError, subject: str) -> NetworkError | NodeError:
    if error.answer.status == 404:
        return _unknown(subject)
    if error.answer.status == 403:
        return ForbiddenNodeError(
            f"`{subject}` was banned from the registry",
            hint="look at what is known about it before you get it from elsewhere",
            subject=subject,
        )
    return error


def checked_pair(node_id: str, version: str) -> tuple[str, str]:
    """Return both if a registry node can have such an id and version; NodeError otherwise."""
    return _checked_id(node_id), _checked_version(version)


def _node_path(node_id: str) -> str:
    return f"/nodes/{_checked_id(node_id)}"


def _checked_id(node_id: str) -> str:
    if len(node_id) > _LONGEST_NAME or not NODE_ID.fullmatch(node_id):
        raise NodeError(
            f"`{node_id[:_LONGEST_NAME]}` is not a name that a registry node can have",
            hint="names are letters, digits, `-`, `_` and `.`; git nodes are added by their URL",
            subject=node_id[:_LONGEST_NAME],
        )
    return node_id


def _checked_version(version: str) -> str:
    if len(version) > _LONGEST_NAME or not NODE_VERSION.fullmatch(version):
        raise NodeError(
            f"`{version[:_LONGEST_NAME]}` is not a version that a registry node can have",
            hint="versions look like 1.2.3",
            subject=version[:_LONGEST_NAME],
        )
    return version


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
