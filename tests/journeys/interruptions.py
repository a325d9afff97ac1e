"""Ways to stop a comfydock at an exact step: it is watched event by event, and held between two."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from comfydock_core.storage.uv import uv_cache_folder

from tests.hub.serving import Exchange, Served
from tests.journeys.machines import Machine, Ran
from tests.journeys.town import Town

Moment = tuple[str, str, int]
_PACKET = 4096


@dataclass(kw_only=True, slots=True)
class Watched:
    """A running ``comfydock … --json-stream`` that gets one event ahead of who reads, not two.

    ``finished`` are the items that it has reported as finished, ``answer`` is its envelope.
    """

    process: subprocess.Popen[bytes]
    events: int
    said: Path
    finished: list[str] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)
    _rest: bytes = b""

    def until(self, moment: Moment) -> None:
        """Read up to the ``moment``, (event, step, which one); return when one more is written.

        From there the program gets as far as the event after that one, and no further.
        """
        kind, step, count = moment
        while count:
            event = self._next()
            assert event, f"it ended before {moment}: {self.said.read_text()}"
            count -= (event.get("event"), event.get("step")) == (kind, step)
        select.select([self.events], [], [], 60)

    def interrupt(self) -> None:
        """Press Ctrl-C: a terminal tells every process of the command."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill it and all that it started at once, as a power cut does."""
        os.killpg(self.process.pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have it and all that it started wait until the block ends."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        yield
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> Ran:
        """Read on to the end."""
        while self._next():
            pass
        code, errors = self.process.wait(60), self.said.read_text()
        assert "Traceback" not in errors, errors
        return Ran(exit_code=code, out=json.dumps(self.answer), err=errors)

    def _next(self) -> dict[str, Any]:
        while b"\n" not in self._rest:
            packet = os.read(self.events, _PACKET)
            if not packet:
                return {}
            self._rest += packet
        line, _, self._rest = self._rest.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        if event.get("event") == "item-finished":
            self.finished.append(event["item"])
        if "schema" in event:
            self.answer = event
        return event


@contextmanager
def watched(one: Machine, *words: str) -> Iterator[Watched]:
    """Start a command whose events are read one by one; it is killed if it outlives the block.

    Each write to a pipe of packets with room for a single one waits until the last was read.
    """
    events, out = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _PACKET)
    with tempfile.NamedTemporaryFile("wb", dir=one.home.parent) as said:
        process = subprocess.Popen(
            one.command((*words, "--json-stream")),
            env=one.environment(),
            cwd=one.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=said,
            start_new_session=True,
        )
        os.close(out)
        try:
            yield Watched(process=process, events=events, said=Path(said.name))
        finally:
            process.kill()
            process.wait()
            os.close(events)


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallDiskMachine(Machine):
    """A machine whose home lies on a disk of its own that only its commands see.

    ``home`` is where others see it, through the process ``keeper``; ``place`` where it is.
    """

    keeper: int
    seen_at: Path

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of this machine's processes."""
        base = super(SmallDiskMachine, self).environment()
        # The packages that other tests fetched lie on another disk.
        cache = uv_cache_folder(os.environ, self.seen_at)
        own = {"COMFYDOCK_HOME": str(self.seen_at / "home"), "COMFYDOCK_UV_CACHE": str(cache)}
        return base | own | more

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line for some words."""
        base = super(SmallDiskMachine, self).command(words)
        return [*_ENTER, f"--target={self.keeper}", "--mount", *base]

    def fill(self) -> None:
        """Leave no space on the disk, at once."""
        system = os.statvfs(self.home.parent)
        with self._filler.open("wb", buffering=0) as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, system.f_bavail * system.f_frsize)
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink()

    def brought_out(self) -> Machine:
        """Return the same machine, from now on where everybody sees it."""
        home = self.seen_at / "home"
        shutil.copytree(self.home, home, symlinks=True)
        return Machine(home=home, variables=self.variables)

    @property
    def _filler(self) -> Path:
        return self.home.parent / "filler"


_AS_ROOT = os.name == "posix" and os.geteuid() == 0
_ENTER = ("nsenter", *(() if _AS_ROOT else ("--user", "--preserve-credentials")))
_LEAVE = ("unshare", "--mount", *(() if _AS_ROOT else ("--map-root-user",)))
_MOUNT = 'mount -t tmpfs -o size="$2" none "$1" && echo ready && exec cat'


@contextmanager
def small_disk(folder: Path, town: Town, size: str) -> Iterator[SmallDiskMachine]:
    """Make a machine on a disk of ``size`` below ``folder``; skips where nobody may mount one."""
    place = folder / "disk"
    place.mkdir()
    words = [*_LEAVE, "sh", "-c", _MOUNT, "sh", str(place), size]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as keeper:
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "ready\n":
            pytest.skip("this system gives nobody a disk of his own")
        home = Path(f"/proc/{keeper.pid}/root{place}") / "home"
        yield SmallDiskMachine(
            home=home, variables=town.variables, keeper=keeper.pid, seen_at=place
        )
        keeper.kill()


def hosts(town: Town) -> tuple[Served, ...]:
    """Return all servers of the town."""
    return (town.git, town.registry.served, town.models.served, town.storage.served)


@contextmanager
def outage(town: Town, part: str) -> Iterator[list[str]]:
    """Cut the network at the first request whose target has ``part``, until the block ends.

    Gives the targets of the requests that were cut off.
    """
    denied: list[str] = []

    def admit(exchange: Exchange) -> bool:
        if part in exchange.path or denied:
            denied.append(exchange.path)
        return not denied

    for host in hosts(town):
        host.admit = admit
    try:
        yield denied
        assert denied, f"nobody asked for {part}"
    finally:
        for host in hosts(town):
            host.admit = Served.admits_all


BODIES: Mapping[str, str] = {
    "ComfyUI": "/ComfyUI/git-upload-pack",
    "acme-git": "/acme-git/git-upload-pack",
    "acme-text": "/acme-text/1.2.0/node.zip",
    "tiny-2x.safetensors": "&name=tiny-2x.safetensors",
    "tiny-style.safetensors": "&name=tiny-style.safetensors",
    "tiny-vae.safetensors": "&name=tiny-vae.safetensors",
}
"""What the address of each item's bytes has in it."""


def targets_asked(town: Town) -> list[str]:
    """Return what all servers of the town were asked for so far."""
    return [seen.target for host in hosts(town) for seen in host.requests]


def bodies(targets: Iterable[str]) -> Counter[str]:
    """Count for each item the requests for its bytes."""
    asked = list(targets)
    return Counter(item for item, part in BODIES.items() for one in asked if part in one)
