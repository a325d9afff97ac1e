"""A node registry on loopback: the calls of api.comfy.org over a table of node packs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.hub.serving import Exchange, Host, serving

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PackVersion:
    """A version: its files by path, or ``archive`` for bytes that are to be served as they are."""

    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    archive: bytes = b""
    status: str = "Active"
    dependencies: tuple[str, ...] = ()

    @property
    def zip(self) -> bytes:
        """The archive, the same bytes every time."""
        return self.archive or zip_of(self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """A node pack, its newest version last; ``classes`` are the node classes it publishes."""

    node_id: str
    versions: tuple[PackVersion, ...] = ()
    classes: tuple[str, ...] = ()
    name: str = ""
    repository: str = ""
    banned: bool = False


def zip_of(files: Mapping[str, str]) -> bytes:
    """Pack files in the order of their names, with a fixed time and mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in sorted(files.items()):
            info = zipfile.ZipInfo(path, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            archive.writestr(info, text)
    return buffer.getvalue()


class Registry(Host):
    """The packs by id. Archives are at ``/zips/ID/VERSION/node.zip``; ``downloads`` is the base
    of the download URLs that are given out, e.g. ``https://cdn.comfy.org``, else this server's.
    """

    def __init__(self, packs: Iterable[Pack], downloads: str) -> None:
        self._packs = {pack.node_id: pack for pack in packs}
        self._downloads = downloads

    def publish(self, pack: Pack) -> None:
        """Say this of the pack from now on."""
        self._packs[pack.node_id] = pack

    @property
    def installs(self) -> tuple[str, ...]:
        """The paths and queries of the calls that count an installation."""
        targets = (seen.target for seen in self.requests)
        return tuple(target for target in targets if "/install" in target)

    def answer(self, exchange: Exchange) -> None:
        """Serve one request."""
        match exchange.path_asked.strip("/").split("/"):
            case ["bulk", "nodes", "versions"]:
                self._bulk(exchange)
            case ["comfy-nodes", class_name, "node"]:
                self._class(exchange, class_name)
            case ["zips", node_id, version, "node.zip"]:
                self._zip(exchange, node_id, version)
            case ["nodes", "search"]:
                self._search(exchange)
            case ["nodes", node_id, *rest]:
                self._of_node(exchange, node_id, rest)
            case _:
                exchange.reply_json(404, {"message": "no such call"})

    def _of_node(self, exchange: Exchange, node_id: str, rest: list[str]) -> None:
        pack = self._packs.get(node_id)
        if pack is None:
            self._elsewhere(exchange, node_id)
            return
        if pack.banned:
            exchange.reply_json(403, {"message": "node is banned"})
            return
        wanted = {version.version: version for version in pack.versions}
        match rest:
            case []:
                exchange.reply_json(200, self._node(pack))
            case ["versions"]:
                states = exchange.query.get("statuses", "").removeprefix("NodeVersionStatus")
                found = [v for v in pack.versions if states in ("", v.status)]
                exchange.reply_json(200, [self._version(pack, v) for v in reversed(found)])
            case ["versions", version] if version in wanted:
                exchange.reply_json(200, self._version(pack, wanted[version]))
            case ["install"] if exchange.query.get("version", "") in wanted:
                exchange.reply_json(200, self._version(pack, wanted[exchange.query["version"]]))
            case _:
                exchange.reply_json(404, {"message": "no such version"})

    def _elsewhere(self, exchange: Exchange, node_id: str) -> None:
        """Ids are normalised to lower case with dashes."""
        normal = node_id.lower().replace("_", "-")
        if normal != node_id and normal in self._packs:
            target = exchange.path.replace(node_id, normal)
            exchange.reply(302, headers={"Location": target})
        else:
            exchange.reply_json(404, {"message": "node not found"})

    def _bulk(self, exchange: Exchange) -> None:
        results = []
        for asked in json.loads(exchange.body())["node_versions"]:
            pack = self._packs.get(asked["node_id"])
            found = [v for v in pack.versions if v.version == asked["version"]] if pack else []
            result = {"identifier": asked, "status": "success" if found else "not_found"}
            if pack and found:
                result["node_version"] = self._version(pack, found[0])
            results.append(result)
        exchange.reply_json(200, {"node_versions": results})

    def _class(self, exchange: Exchange, class_name: str) -> None:
        pack = next((p for p in self._packs.values() if class_name in p.classes), None)
        if pack is None:
            exchange.reply_json(404, {"message": "no node publishes it"})
        else:
            exchange.reply_json(200, self._node(pack))

    def _search(self, exchange: Exchange) -> None:
        text = exchange.query.get("search", "").lower()
        packs = [p for p in self._packs.values() if text in f"{p.node_id} {p.name}".lower()]
        shown = packs[: int(exchange.query.get("limit", "10"))]
        exchange.reply_json(200, {"nodes": [self._node(p) for p in shown], "total": len(packs)})

    def _zip(self, exchange: Exchange, node_id: str, version: str) -> None:
        pack = self._packs.get(node_id)
        found = [v for v in pack.versions if v.version == version] if pack else []
        if found:
            exchange.reply(200, found[0].zip, {"Content-Type": "application/zip"})
        else:
            exchange.reply(404)

    def _node(self, pack: Pack) -> dict[str, object]:
        active = [version for version in pack.versions if version.status == "Active"]
        return {
            "id": pack.node_id,
            "name": pack.name or pack.node_id,
            "description": None,
            "author": "",
            "publisher": {"id": "acme", "name": "Acme"},
            "repository": pack.repository,
            "status": "NodeStatusActive",
            "latest_version": self._version(pack, active[-1]) if active else None,
        }

    def _version(self, pack: Pack, version: PackVersion) -> dict[str, object]:
        base = self._downloads or f"{self.url}/zips"
        return {
            "id": f"{pack.node_id}-{version.version}",
            "node_id": pack.node_id,
            "version": version.version,
            "status": f"NodeVersionStatus{version.status}",
            "downloadUrl": f"{base}/{pack.node_id}/{version.version}/node.zip",
            "dependencies": list(version.dependencies),
            "deprecated": False,
        }


@contextmanager
def node_registry(packs: Iterable[Pack], downloads: str = "") -> Iterator[Registry]:
    """Serve the packs until the block ends."""
    registry = Registry(packs, downloads)
    with serving(registry.answer) as served:
        registry.served = served
        yield registry
