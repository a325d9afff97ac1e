"""Clients whose public hosts are on loopback, and what was said to whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import NetworkError
from comfydock_core.storage.http import HttpClient, HttpLimits

from tests.hub.serving import SeenRequest

QUICK = HttpLimits(
    connect_timeout=5, read_timeout=10, attempts=2, first_wait=0.01, longest_wait=0.02
)
_LOOPBACK = frozenset({"127.0.0.1"})


def client_for(
    mirrors: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> HttpClient:
    """A client that reaches public addresses at ``mirrors``, which the user allowed by name."""
    hosts = HostSettings(mirrors=mirrors, allowed=_LOOPBACK)
    return HttpClient(hosts, environment or {}, QUICK)


def tokens_seen(requests: Iterable[SeenRequest]) -> set[str]:
    """The Authorization headers of requests, ``""`` for none."""
    return {seen.headers.get("authorization", "") for seen in requests}


def words(error: NetworkError) -> str:
    """All that a failure says."""
    return " | ".join((error.sentence, error.hint, error.cause, error.subject))
