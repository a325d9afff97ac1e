"""Connections: pools, TLS and proxies; a request goes to the very address that was checked."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from comfydock_core.errors import NetworkError
from comfydock_core.storage.http_addresses import Origin
from comfydock_core.storage.http_patience import use_patience
from comfydock_core.storage.http_routes import Route, Routes

_KEPT_PER_HOST = 16
_KEPT_HOSTS = 32
_ADDRESSES_TRIED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpLimits:
    """How patient the client is. Times in seconds; ``attempts`` counts the first one too.

    A host that asks for a pause (429, 503) gets at most ``longest_wait`` before each new attempt.
    """

    connect_timeout: float = 30.0
    read_timeout: float = 30.0
    attempts: int = 4
    first_wait: float = 0.5
    longest_wait: float = 15.0
    redirects: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What is sent with one hop."""

    method: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Connections:
    """Keep-alive pools, one per address (or one per proxy), shared by all threads."""

    def __init__(
        self, routes: Routes, environment: Mapping[str, str], ca_bundle: str, limits: HttpLimits
    ) -> None:
        self._routes = routes
        self._environment = environment
        self._ca_bundle = ca_bundle
        self._limits = limits
        self._direct = urllib3.PoolManager(num_pools=_KEPT_HOSTS, maxsize=_KEPT_PER_HOST)
        use_patience(self._direct)
        self._proxied: dict[str, urllib3.ProxyManager] = {}
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def send(self, route: Route, message: Message) -> urllib3.BaseHTTPResponse:
        """Send one request of one hop and return the answer, its body unread."""
        self._routes.require_scheme(route)
        proxy = proxy_for(route.origin, self._environment)
        if proxy:
            self._routes.require_public_name(route)
            return self._send_through(proxy, route, message)
        *others, last = self._routes.checked_addresses(route)[:_ADDRESSES_TRIED]
        patience = self._limits.connect_timeout / (len(others) + 1)
        for address in others:
            try:
                return self._send_to(address, route, message, patience)
            except (NewConnectionError, ConnectTimeoutError):
                continue
        return self._send_to(last, route, message, patience)

    def close(self) -> None:
        """Close every kept connection."""
        self._direct.clear()
        with self._lock:
            for pool in self._proxied.values():
                pool.clear()

    def _send_to(
        self, address: str, route: Route, message: Message, patience: float
    ) -> urllib3.BaseHTTPResponse:
        origin = route.origin
        secure = origin.scheme == "https"
        pool = self._direct.connection_from_host(
            f"[{address}]" if ":" in address else address,
            origin.port,
            origin.scheme,
            {"ssl_context": self._tls(), "server_hostname": origin.host} if secure else None,
        )
        return pool.urlopen(
            message.method,
            route.target.request_uri,
            body=message.body,
            headers={"Host": origin.shown, **message.headers},
            timeout=urllib3.Timeout(connect=patience, read=self._limits.read_timeout),
            redirect=False,
            retries=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )

    def _send_through(self, proxy: str, route: Route, message: Message) -> urllib3.BaseHTTPResponse:
        limits = self._limits
        return self._proxy_pool(proxy).urlopen(
            message.method,
            str(route.target._replace(fragment=None)),
            body=message.body,
            headers=message.headers,
            timeout=urllib3.Timeout(connect=limits.connect_timeout, read=limits.read_timeout),
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )

    def _proxy_pool(self, proxy: str) -> urllib3.ProxyManager:
        context = self._tls()
        with self._lock:
            if proxy not in self._proxied:
                self._proxied[proxy] = _proxy_manager(proxy, context)
            return self._proxied[proxy]

    def _tls(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = _tls_context(self._environment, self._ca_bundle)
            return self._context


def proxy_for(origin: Origin, environment: Mapping[str, str]) -> str:
    """Return the proxy that the usual variables name for an origin; empty means none."""
    variables = (f"{origin.scheme}_proxy", f"{origin.scheme}_proxy".upper(), "all_proxy")
    proxy = next((environment[name] for name in variables if environment.get(name)), "")
    proxy = proxy or environment.get("ALL_PROXY", "")
    excepted = environment.get("no_proxy") or environment.get("NO_PROXY", "")
    if not proxy or any(_names(entry.strip(), origin) for entry in excepted.split(",")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _names(entry: str, origin: Origin) -> bool:
    """Whether an entry of NO_PROXY (``*``, host, ``.domain``, ``host:port``) means the origin."""
    if entry == "*":
        return True
    name = entry.removeprefix("*").removeprefix(".").lower()
    hosts = (origin.host, f"{origin.host}:{origin.port}")
    return bool(name) and any(host == name or host.endswith(f".{name}") for host in hosts)


def _proxy_manager(proxy: str, context: ssl.SSLContext) -> urllib3.ProxyManager:
    try:
        parts = urllib3.util.parse_url(proxy)
        manager = urllib3.ProxyManager(
            str(parts._replace(auth=None)),
            num_pools=_KEPT_HOSTS,
            maxsize=_KEPT_PER_HOST,
            ssl_context=context,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=parts.auth) if parts.auth else None,
        )
        use_patience(manager)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise NetworkError(
            "the proxy that `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` names cannot be used",
            hint="set it as http://host:port",
        ) from error
    return manager


def _tls_context(environment: Mapping[str, str], ca_bundle: str) -> ssl.SSLContext:
    """The system's certificates, and those of the user's own bundle with them."""
    context = ssl.create_default_context()
    bundle = (
        ca_bundle or environment.get("SSL_CERT_FILE") or environment.get("REQUESTS_CA_BUNDLE", "")
    )
    if not bundle:
        return context
    try:
        folder = Path(bundle).is_dir()
        context.load_verify_locations(None if folder else bundle, bundle if folder else None)
    except OSError as error:
        raise NetworkError(
            f"`{bundle}` cannot be read as certificates",
            cause=error.strerror or str(error),
            hint="hosts.ca_bundle in config.toml, SSL_CERT_FILE or REQUESTS_CA_BUNDLE names it",
            subject=bundle,
        ) from error
    return context
