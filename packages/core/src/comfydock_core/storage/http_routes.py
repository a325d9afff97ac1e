"""Where a URL leads: mirrors, what may be contacted, and which token goes along (trust.md 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from urllib3.util import Url

from comfydock_core.domain.settings import REGISTRY, HostSettings
from comfydock_core.errors import NetworkError
from comfydock_core.storage.host_tokens import Token, tokens
from comfydock_core.storage.http_addresses import (
    Origin,
    addresses_of,
    is_address,
    is_public,
    origin_of,
    parsed,
)

HUGGING_FACE = "https://huggingface.co/"

# Asked for JSON, Civitai refuses with 401 or 403 where it would lead a browser to its login page.
_CIVITAI_DOWNLOAD = re.compile(r"https://(www\.)?civitai\.(com|red)/api/download/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One hop: the address that is contacted.

    ``public`` is the address that was asked for, of which ``target`` may be a mirror, and
    ``service`` is its host. ``configured`` says that the user's own settings lead there, so it may
    be private and plain http. ``token`` is sent with this hop.
    """

    target: Url
    origin: Origin
    public: str
    service: str
    configured: bool = False
    token: Token | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What this host is to be told whatever the request is, the token included."""
        found = {}
        if _CIVITAI_DOWNLOAD.match(self.public):
            found["Content-Type"] = "application/json"
        if self.token:
            found["Authorization"] = f"Bearer {self.token.value}"
        return found


class Routes:
    """The user's settings and tokens as rules for every hop."""

    def __init__(self, hosts: HostSettings, environment: Mapping[str, str]) -> None:
        endpoint = _endpoint(environment)
        self._tokens = tokens(environment, origin_of(parsed(endpoint)) if endpoint else None)
        self._hosts = replace(hosts, mirrors=dict(_mirrors(hosts, environment)))

    def first(self, url: str) -> Route:
        """Route what a caller asks for; a token goes to its own host.

        The host that ``HF_ENDPOINT`` names is one that the user gave the token for; a mirror gets
        it only if the user's settings allow its host by name.
        """
        parts = parsed(url)
        route = self._towards(parts)
        meant = origin_of(parts) if self._allowed(route.target) else route.origin
        token = self._tokens.get(route.origin) or self._tokens.get(meant)
        if token and (route.origin.scheme == "https" or self._allowed(route.target)):
            return replace(route, token=token)
        return route

    def onward(self, route: Route, location: str) -> Route:
        """Follow a redirect: the token stays with its origin, never to come back once it left."""
        following = self._towards(parsed(_joined(route.target, location)))
        if following.origin != route.origin:
            return following
        return replace(
            following,
            configured=following.configured or route.configured,
            token=route.token,
            public=route.public,
            service=route.service,
        )

    def require_scheme(self, route: Route) -> None:
        """Refuse plain http to a host that the user did not allow."""
        if route.origin.scheme == "https" or self._free(route):
            return
        host = route.origin.shown
        raise NetworkError(
            f"`{host}` would be spoken to over plain http, where anybody can change what arrives",
            hint=f"use its https address, or add `{host}` to hosts.allowed in config.toml",
            subject=host,
        )

    def checked_addresses(self, route: Route) -> tuple[str, ...]:
        """Resolve the route's host and return the addresses that may be connected to."""
        found = addresses_of(route.origin)
        if self._free(route):
            return found
        allowed = tuple(address for address in found if is_public(address))
        if not allowed:
            raise self._private(route, found[0] if found else "nothing")
        return allowed

    def require_public_name(self, route: Route) -> None:
        """Refuse what is private by its very name; a proxy resolves all other names itself."""
        host = route.origin.host
        private = host == "localhost" or host.endswith(".localhost")
        if is_address(host):
            private = not is_public(host)
        if private and not self._free(route):
            raise self._private(route, host)

    def _towards(self, public: Url) -> Route:
        reached = self._hosts.reach(str(public))
        target = parsed(reached)
        configured = reached != str(public) or self._is_registry(public)
        return Route(
            target=target,
            origin=origin_of(target),
            public=str(public),
            service=origin_of(public).shown,
            configured=configured,
        )

    def _is_registry(self, url: Url) -> bool:
        """A registry of the user's own is named in the settings, which is a permission."""
        registry = self._hosts.registry
        return registry != REGISTRY and str(url).startswith(_as_folder(registry))

    def _free(self, route: Route) -> bool:
        return route.configured or self._allowed(route.target)

    def _allowed(self, target: Url) -> bool:
        return self._hosts.allows_private(str(target))

    def _private(self, route: Route, address: str) -> NetworkError:
        host = route.origin.shown
        return NetworkError(
            f"`{host}` leads to `{address}`, which is not a public address",
            hint=f"if this host is yours, add `{host}` to hosts.allowed in config.toml",
            subject=host,
        )


def _joined(target: Url, location: str) -> str:
    try:
        return urljoin(str(target), location)
    except ValueError as error:
        raise NetworkError(
            f"`{target.host}` redirects to something that is no web address",
            hint="check the address in a browser",
            subject=target.host or "",
        ) from error


def _as_folder(prefix: str) -> str:
    """Without the slash, the mirror of ``https://host`` would also catch ``https://host.evil``."""
    return prefix if prefix.endswith("/") else prefix + "/"


def _mirrors(hosts: HostSettings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for public, mirror in hosts.mirrors.items():
        yield _as_folder(public), _as_folder(mirror)
    endpoint = _endpoint(environment)
    if endpoint and endpoint != HUGGING_FACE:
        yield HUGGING_FACE, endpoint


def _endpoint(environment: Mapping[str, str]) -> str:
    endpoint = environment.get("HF_ENDPOINT", "").strip()
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise NetworkError(
            "`HF_ENDPOINT` is not a web address", hint="set it as https://host, or unset it"
        )
    return _as_folder(endpoint) if endpoint else ""
