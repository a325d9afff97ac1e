"""How long the downloads of a plan will take, where their hosts were measured before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from comfydock_core.domain.acquisition import ImportPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadTime:
    """``seconds`` for what comes from the hosts in ``speeds`` (bytes a second); ``unmeasured`` are
    the hosts about which nothing can be said."""

    seconds: float
    speeds: Mapping[str, float]
    unmeasured: tuple[str, ...]


def download_time(plan: ImportPlan) -> DownloadTime | None:
    """Estimate a plan's downloads, as far as their sizes are known; None if there are none."""
    sizes: dict[str, int] = {}
    for decision in plan.models_for("download"):
        host, size = source_host(decision.source_url), plan.aggregates[decision.key].total_size
        if host and size:
            sizes[host] = sizes.get(host, 0) + size
    if not sizes:
        return None
    known = {host: plan.preflight.speeds[host] for host in sizes if host in plan.preflight.speeds}
    return DownloadTime(
        seconds=sum(sizes[host] / speed for host, speed in known.items()),
        speeds=known,
        unmeasured=tuple(host for host in sizes if host not in known),
    )


def source_host(url: str) -> str:
    """Return the host of an address; ``""`` for what has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
