"""From the sender's commit to pictures on the receiver's side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.real.bundles import differing_members, members_with, timestamp
from tests.real.nodes import NODE_PACKS
from tests.real.route import RECEIVED, SENT, Route
from tests.real.user import User
from tests.real.workflows import WORKFLOWS, api_form

LARGEST_BUNDLE = 100_000
SOME_TIME = "1700000000"
MODELS_USED = 4
PNG = b"\x89PNG\r\n\x1a\n"

Pictures = dict[str, list[bytes]]


def run_workflows(route: Route, user: User, environment: str, where: str) -> Pictures:
    """The PNGs of each of WORKFLOWS from ``comfydock run``."""
    with route.stage(f"run at the {where}'s"), user.runs(environment) as comfyui:
        pictures = {name: comfyui.pictures(api_form(steps)) for name, steps in WORKFLOWS.items()}
        exit_code = comfyui.stop()
    route.figure(f"ComfyUI's start at the {where}'s (s)", f"{comfyui.seconds_to_start:.1f}")
    route.check(f"Ctrl-C ends ComfyUI well at the {where}'s", exit_code, 0)
    return pictures


def check_pictures(route: Route, sent: Pictures, received: Pictures) -> None:
    """Each workflow made one real picture, of its own, and the same one on both sides."""
    made = [picture[: len(PNG)] for pictures in sent.values() for picture in pictures]
    route.check("each workflow makes one PNG", made, [PNG] * len(WORKFLOWS))
    for name, pictures in sent.items():
        route.check(f"{name}: the same bytes on both sides", received[name] == pictures)


def export(route: Route) -> Path:
    """Twice as it is, twice with SOURCE_DATE_EPOCH; the first of the bundles."""
    plain, again, dated, dated_again = (
        route.sender.home / f"{name}.tar.gz" for name in ("plain", "again", "dated", "dated-again")
    )
    with route.stage("export"):
        _write(route, plain)
    _write(route, again)
    for bundle in (dated, dated_again):
        _write(route, bundle, SOURCE_DATE_EPOCH=SOME_TIME)
    only_time = {"manifest.json:timestamp"}
    other = set(differing_members(plain, again)) - only_time
    route.check("two bundles differ in nothing but the timestamp", other, set())
    route.check("another time changes the timestamp", timestamp(plain) != timestamp(dated))
    route.check("it changes only that", set(differing_members(plain, dated)), only_time)
    same = dated.read_bytes() == dated_again.read_bytes()
    route.check("under SOURCE_DATE_EPOCH the bytes are the same", same)
    _check_contents(route, plain)
    return plain


def _check_contents(route: Route, bundle: Path) -> None:
    size = bundle.stat().st_size
    route.figure("bundle (bytes)", f"{size:,}")
    route.check("the bundle is under 100 kB", size < LARGEST_BUNDLE)
    for private in ("127.0.0.1", str(route.sender.home)):
        route.check(f"the bundle does not name {private}", members_with(bundle, private), [])


def _write(route: Route, bundle: Path, **variables: str) -> dict[str, Any]:
    return route.sender.does("export", SENT, "--output", str(bundle), **variables)


def import_bundle(route: Route, bundle: Path) -> None:
    """Into a workspace that has no model; everything comes from the hosts."""
    words = ("--name", RECEIVED, "--yes", "--trust-code")
    asked = len(route.hosts.models.requests)
    with route.stage("import"):
        done = route.receiver.does("import", str(bundle), *words)
    _check_models(route, done["models"], asked)
    installed = {key: value for key, value in done["nodes"].items() if value}
    route.check("every node is installed", installed, {"installed": len(NODE_PACKS)})
    route.check("both workflows are complete", done["workflows"]["complete"], len(WORKFLOWS))
    status = route.receiver.does("-e", RECEIVED, "status")
    route.check("the receiver's status has no issue", status["issues"], [])
    route.check("the receiver has nothing to commit", status["uncommitted"], [])


def _check_models(route: Route, counts: Mapping[str, object], asked: int) -> None:
    arrived = {key: count for key, count in counts.items() if count}
    route.check("every model is downloaded", arrived, {"downloaded": MODELS_USED})
    seen = [one.target for one in route.hosts.models.requests[asked:] if one.method == "GET"]
    fetched = [target for target in seen if not target.startswith("/hf/")]
    route.check("each model is fetched once", (len(fetched), len(set(fetched))), (MODELS_USED,) * 2)
