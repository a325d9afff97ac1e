"""What a second environment from the same ComfyUI costs: disk, requests, downloads."""

from __future__ import annotations

from pathlib import Path

from tests.real.disk import occupied
from tests.real.route import SENT, Route

SECOND = "second"
THIRD = "third"
LARGEST_SHARE = 0.05
MEGABYTE = 1_000_000


def create_second(route: Route) -> None:
    """By tag, then a third one by commit; whatever is added anywhere counts."""
    sender = route.sender
    first = occupied([sender.folder(SENT)])
    places = [sender.workspace, route.uv_cache]
    before, stored, asked = occupied(places), _stored(route), len(route.hosts.git.requests)
    with route.stage("create second"):
        made = sender.does("create", SECOND, "--comfyui", route.tag)
    work_tree = _work_tree(sender.folder(SECOND) / "ComfyUI")
    more = occupied(places) - before - work_tree
    route.figure("first environment (MB)", f"{first / MEGABYTE:.1f}")
    route.figure("git's work tree (MB)", f"{work_tree / MEGABYTE:.1f}")
    route.figure("second, beyond its work tree (MB)", f"{more / MEGABYTE:.1f}")
    route.figure("second, share of the first", f"{more / first:.1%}")
    route.figure("second, git requests", str(len(route.hosts.git.requests) - asked))
    route.check("a second environment adds less than 5 %", more < LARGEST_SHARE * first)
    route.check("a second environment downloads nothing", _stored(route) - stored, frozenset())
    _create_by_commit(route, made["comfyui_commit"])


def _create_by_commit(route: Route, commit: str) -> None:
    asked = len(route.hosts.git.requests)
    with route.stage("create by commit"):
        route.sender.does("create", THIRD, "--comfyui", commit)
    asked_now = route.hosts.git.requests[asked:]
    route.check("a known commit asks the git host for nothing", [r.target for r in asked_now], [])
    route.sender.does("delete", THIRD, "--yes")


def _work_tree(comfyui: Path) -> int:
    return occupied([comfyui]) - occupied([comfyui / ".git"])


def _stored(route: Route) -> frozenset[Path]:
    """Objects in git's mirrors and packages in uv's cache: what downloads leave behind."""
    objects = (route.sender.workspace / "cache" / "git").glob("*/objects/*/*")
    return frozenset([*objects, *route.uv_cache.glob("archive-v*/*")])
