"""The way of one ComfyUI release: from whom to whom, past which hosts, reported where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.hosts import Hosts
from tests.real.report import Report
from tests.real.user import User

SENT = "mine"
RECEIVED = "theirs"
DECIDED = "as-they-like"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """``sender`` and both who receive share nothing but the hosts and ``uv_cache``.

    ``receiver`` takes everything as it is, ``decider`` has wishes of its own.
    """

    tag: str
    hosts: Hosts
    sender: User
    receiver: User
    decider: User
    uv_cache: Path
    report: Report

    def check(self, sentence: str, found: object, expected: object = True) -> None:
        """Notes whether ``found`` is ``expected``."""
        self.report.check(self.tag, sentence, found, expected)

    def figure(self, row: str, text: str) -> None:
        """Notes a figure for the table."""
        self.report.figure(self.tag, row, text)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a stage."""
        with self.report.stage(self.tag, name):
            yield


def route(tag: str, folder: Path, hosts: Hosts, uv_cache: Path, report: Report) -> Route:
    """Three users with fresh folders in ``folder``."""
    configuration = hosts.configuration() | {"COMFYDOCK_UV_CACHE": str(uv_cache)}
    homes = [folder / name for name in ("sender", "receiver", "decider")]
    for home in homes:
        home.mkdir(parents=True)
    sender, receiver, decider = (User(home=home, configuration=configuration) for home in homes)
    return Route(
        tag=tag,
        hosts=hosts,
        sender=sender,
        receiver=receiver,
        decider=decider,
        uv_cache=uv_cache,
        report=report,
    )
