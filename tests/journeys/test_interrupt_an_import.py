"""An import that is stopped at any step is finished by the next run; nothing is fetched twice."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.journeys.interruptions import (
    BODIES,
    Moment,
    Watched,
    bodies,
    outage,
    small_disk,
    targets_asked,
    watched,
)
from tests.journeys.machines import Machine, Ran, machine
from tests.journeys.town import Town, git, write_files
from tests.journeys.updates import Receiver

AGREED = ("--yes", "--trust-code", "--no-verify")


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """What an uninterrupted import makes, and how often it asks for the bytes of each item."""

    state: dict[str, object]
    bodies: Counter[str]


def state_of(one: Machine) -> dict[str, object]:
    """Return all of a machine that an import makes, and what it may not leave behind."""
    receiver, environment, models = Receiver(one=one), one.place("studio"), one.home / "models"
    left = [
        path
        for path in one.home.rglob("*")
        if path.suffix in (".part", ".unfinished") and one.home / "cache" not in path.parents
    ]
    (row,) = one.ok("list", "--json").envelope["data"]["environments"]
    return {
        **receiver.state(),
        **{str(p.relative_to(models)): p.read_bytes() for p in models.rglob("*") if p.is_file()},
        "packages": receiver.packages(),
        "commits": receiver.messages(),
        "recorded": git(receiver.cec, "rev-parse", "HEAD^{tree}"),
        "uncommitted": git(receiver.cec, "status", "--porcelain"),
        "ComfyUI": git(environment / "ComfyUI", "rev-parse", "HEAD"),
        "changed of ComfyUI": git(environment / "ComfyUI", "status", "--porcelain", "-uno"),
        "environment": sorted(path.name for path in environment.iterdir()),
        "staging": sorted(p.name for p in (one.home / "environments/.staging").iterdir()),
        "left": left,
        "state": (row["name"], row["state"]),
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, bundle: Path, town: Town) -> Whole:
    one = machine(tmp_path_factory.mktemp("whole"), town)
    before = bodies(targets_asked(town))
    one.ok("import", str(bundle), *AGREED)
    asked = bodies(targets_asked(town))
    asked.subtract(before)
    return Whole(state=state_of(one), bodies=asked)


def check_account(
    town: Town, before: Counter[str], whole: Whole, finished: Sequence[str], denied: Sequence[str]
) -> None:
    """What was finished was asked for as often as without a stop, the rest once more at most."""
    asked = bodies(targets_asked(town))
    asked.subtract(before)
    asked.subtract(bodies(denied))
    most = {name: n * (1 if name in finished else 2) for name, n in whole.bodies.items()}
    assert {name: n for name, n in asked.items() if n > most[name]} == {}


STOPS: dict[str, Moment] = {
    "ComfyUI": ("step-started", "environment", 1),
    "a git node": ("step-started", "nodes", 1),
    "a registry node": ("item-finished", "nodes", 1),
    "a development node": ("item-finished", "nodes", 1),
    "models announced": ("step-finished", "nodes", 1),
    "models on their way": ("item-started", "models", 2),
    "the manifest": ("item-finished", "index", 1),
    "Python": ("step-started", "python", 1),
    "workflows": ("step-finished", "python", 1),
    "the commit": ("step-started", "workflows", 1),
}
"""What a run is at when it is stopped, and the event before the last one that it could write.

Each run begins where the one before was stopped.
"""


def run_into_stops(
    one: Machine, bundle: Path, town: Town, stop: Callable[[Watched], None], left_out: str = ""
) -> Iterator[tuple[str, Ran]]:
    """Import again and again, stopped at one step after the other; nothing comes twice."""
    finished: set[str] = set()
    for name, moment in STOPS.items():
        if name == left_out:
            continue
        before = bodies(targets_asked(town))
        # The proof comes after the commit, so its first event holds what passed that.
        with watched(one, "import", str(bundle), "--yes", "--trust-code") as running:
            running.until(moment)
            stop(running)
            yield name, running.end()
        assert (one.place("studio") / "import.json").exists(), name
        asked = bodies(targets_asked(town))
        assert [item for item in finished if asked[item] != before[item]] == []
        finished |= set(running.finished)
    assert finished >= BODIES.keys()


def test_ctrl_c_at_every_step(bundle: Path, town: Town, whole: Whole, tmp_path: Path) -> None:
    one = machine(tmp_path, town)
    for name, ran in run_into_stops(one, bundle, town, Watched.interrupt):
        assert (name, ran.exit_code, ran.envelope["exit_code"]) == (name, 130, 130)
        (error,) = ran.envelope["errors"]
        assert error["code"] == "interrupted"
        assert error["hint"] == "the same command again goes on with what is left to do"
    one.ok("import", str(bundle), *AGREED)
    assert state_of(one) == whole.state


def test_a_power_cut_at_every_step(bundle: Path, town: Town, whole: Whole, tmp_path: Path) -> None:
    one = machine(tmp_path, town)
    for name, ran in run_into_stops(one, bundle, town, Watched.kill):
        assert (name, ran.exit_code) == (name, -signal.SIGKILL)
    one.ok("import", str(bundle), *AGREED)
    assert state_of(one) == whole.state


def test_a_full_disk_at_every_step(bundle: Path, town: Town, whole: Whole, tmp_path: Path) -> None:
    with small_disk(tmp_path, town, "40m") as one:

        def fill(running: Watched) -> None:
            with running.frozen():
                one.fill()

        # What has the commit behind it needs no more space.
        for name, ran in run_into_stops(one, bundle, town, fill, "the commit"):
            one.free()
            (error,) = ran.envelope["errors"]
            assert (name, ran.exit_code, error["code"]) == (name, 1, "disk-full")
            assert "free some" in error["hint"]
        one.ok("import", str(bundle), *AGREED)
        assert state_of(one.brought_out()) == whole.state


def test_a_lock_that_a_killed_git_left_is_in_nobodys_way(
    bundle: Path, town: Town, whole: Whole, tmp_path: Path
) -> None:
    one = machine(tmp_path, town)
    with watched(one, "import", str(bundle), *AGREED) as running:
        running.until(STOPS["workflows"])
        running.kill()
    tracked = Receiver(one=one).cec
    git(tracked, "init", "-q", ".")
    (tracked / ".git/index.lock").touch()
    one.ok("import", str(bundle), *AGREED)
    assert state_of(one) == whole.state


CUTS = {
    "ComfyUI": "/ComfyUI/git-upload-pack",
    "asking the models' hosts": "/resolve/",
    "a git node": "/acme-git/git-upload-pack",
    "asking for a registry node": "/install?",
    "a registry node": "/node.zip",
    "models": "&name=",
}
"""What the network is doing when it goes away, and what the address of that request has in it."""


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_network(cut: str, bundle: Path, town: Town, whole: Whole, tmp_path: Path) -> None:
    """What cannot be without the network stops it; all else goes on, and `update` gets the rest."""
    one, before = machine(tmp_path, town), bodies(targets_asked(town))
    words = ("import", str(bundle), *AGREED)
    with outage(town, CUTS[cut]) as denied, watched(one, *words) as running:
        ran = running.end()
    told = whole.state
    if (one.place("studio") / "import.json").exists():
        assert (cut in tuple(CUTS)[:2], ran.exit_code) == (True, 1)
        assert "check the" in ran.envelope["errors"][0]["hint"]
        one.ok(*words)
    else:
        assert (cut in tuple(CUTS)[2:], ran.exit_code) == (True, 3)
        # It was installed before the node that asks for it failed.
        assert ("colorama" in Receiver(one=one).packages()) == (cut != "a git node")
        one.ok("update", "studio", str(bundle), *AGREED)
        update = Receiver(one=one).messages()[0]
        assert update.startswith("Update from bundle ")
        told = {**told, "commits": [update, "Initial import from bundle"]}
    assert state_of(one) == told
    check_account(town, before, whole, running.finished, denied)


def test_a_network_that_is_away_until_python_is_installed(
    bundle: Path, town: Town, whole: Whole, tmp_path: Path
) -> None:
    """The import cannot end without Python; the next run tries again what was given up as well."""
    one, before = machine(tmp_path, town), bodies(targets_asked(town))
    config = write_files(one.home, {"config.toml": "[python]\nindex = 'http://127.0.0.1:9'\n"})
    with outage(town, "/acme-git/info/refs") as denied:
        ran = one.run(
            "import", str(bundle), *AGREED, "--json", COMFYDOCK_UV_CACHE=str(tmp_path / "uv")
        )
    (error,) = ran.envelope["errors"]
    assert (ran.exit_code, error["code"]) == (1, "python-environment")
    assert "check the network" in error["hint"]
    (config / "config.toml").unlink()
    one.ok("import", str(bundle), *AGREED)
    assert state_of(one) == whole.state
    check_account(town, before, whole, ["ComfyUI"], denied)


def test_no_network_at_all_with_everything_here(
    bundle: Path, town: Town, whole: Whole, tmp_path: Path
) -> None:
    one = machine(tmp_path, town)
    one.ok("import", str(bundle), *AGREED)
    one.ok("delete", "studio", "--yes")
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "http_proxy"), nowhere)
    away = replace(one, variables={**one.variables, **proxies})
    asked = targets_asked(town)
    away.ok("import", str(bundle), *AGREED)
    assert state_of(one) == whole.state
    assert targets_asked(town) == asked
