"""URLs and addresses: one parser for all decisions, what may be shown, what counts as public."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from comfydock_core.errors import NetworkError

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Who is spoken to: ``host`` in lower case, IPv6 addresses without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        """The host as a person writes it, with the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parsed(url: str) -> Url:
    """Parse an absolute http(s) URL; its text form is normalised and is what gets contacted."""
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise NetworkError(
            f"`{redact(url)}` is not a web address",
            hint="write it as https://host/path, a host outside ASCII in its xn-- form",
        ) from error
    if parts.scheme not in _PORTS or not parts.host:
        raise NetworkError(
            f"`{redact(url)}` is not an https address", hint="write it as https://host/path"
        )
    if parts.auth:
        raise NetworkError(
            f"`{redact(url)}` carries a user name or password",
            hint="remove it from the address; tokens are read from environment variables",
        )
    return parts


def origin_of(parts: Url) -> Origin:
    """Return whom a parsed URL speaks to."""
    scheme, host = parts.scheme or "", (parts.host or "").strip("[]")
    return Origin(scheme=scheme, host=host, port=parts.port or _PORTS[scheme])


def redact(url: str) -> str:
    """Make a URL fit to be shown or stored: no user info, no query values, no fragment."""
    head, separator, rest = url.partition("://")
    base, query, _ = rest.partition("#")[0].partition("?")
    authority, slash, path = base.partition("/")
    if not separator:
        return url.partition("?")[0].rpartition("@")[2][:200]
    return f"{head}://{authority.rpartition('@')[2]}{slash}{path}{'?…' if query else ''}"[:400]


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet can reach.

    An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) is judged by itself.
    """
    value = ipaddress.ip_address(address)
    if isinstance(value, ipaddress.IPv4Address):
        return value.is_global and not value.is_multicast
    inner = value.ipv4_mapped or value.sixtofour
    if value in _NAT64:
        inner = ipaddress.IPv4Address(int(value) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    special = value.is_multicast or value.is_reserved or value.is_site_local
    return value.is_global and not special


def addresses_of(origin: Origin) -> tuple[str, ...]:
    """Resolve a host to its IP addresses, in the order in which they should be tried."""
    try:
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NetworkError(
            f"`{origin.host}` cannot be found",
            cause=getattr(error, "strerror", None) or str(error),
            hint="check the spelling and the network connection, then try again",
            subject=origin.host,
        ) from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
