"""From the sender's commit to pictures on the receiver's side."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfydock_core.storage.node_classes import core_node_classes

from tests.real.bundles import differing_members, members_with, timestamp
from tests.real.nodes import NODE_PACKS
from tests.real.open_workflow import check_open_workflow, export_at_a_terminal
from tests.real.prompts import prompt_changes, prompt_of
from tests.real.rewriting import OWN_NAMES
from tests.real.route import RECEIVED, SENT, Route
from tests.real.saved_workflows import SAMPLING, TRAINED, UPSCALING, saved_workflows, workflow_file
from tests.real.tiny_models import TINY_MODELS, UPSCALER
from tests.real.trained_weights import ENLARGES
from tests.real.user import User
from tests.real.workflows import SAMPLE, SMALL_SIDE, UPSCALE, api_form

LARGEST_BUNDLE = 100_000
SOME_TIME = "1700000000"
MODELS_TO_FETCH = len(TINY_MODELS) - len(OWN_NAMES)
PNG = b"\x89PNG\r\n\x1a\n"
ALL = tuple(workflow.name for workflow in saved_workflows())


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """By workflow: what was queued, and the PNGs that came of it."""

    prompts: Mapping[str, dict[str, Any]]
    pictures: Mapping[str, list[bytes]]


def run_workflows(
    route: Route, user: User, environment: str, where: str, names: Sequence[str] = ALL
) -> Run:
    """Queues each workflow, as its file on this side is, in ComfyUI from ``comfydock run``."""
    files = {name: workflow_file(user, environment, name).read_bytes() for name in names}
    with route.stage(f"run at the {where}'s"), user.runs(environment) as comfyui:
        classes = comfyui.answer("/object_info")
        prompts = {name: prompt_of(json.loads(file), classes) for name, file in files.items()}
        pictures = {name: comfyui.pictures(prompt) for name, prompt in prompts.items()}
        exit_code = comfyui.stop()
    route.figure(f"ComfyUI's start at the {where}'s (s)", f"{comfyui.seconds_to_start:.1f}")
    route.check(f"Ctrl-C ends ComfyUI well at the {where}'s", exit_code, 0)
    _check_core_classes(route, user, environment, classes)
    return Run(prompts=prompts, pictures=pictures)


def _check_core_classes(
    route: Route, user: User, environment: str, classes: Mapping[str, Any]
) -> None:
    """Every class that the running ComfyUI has of its own was read out of its source."""
    own = {name for name, info in classes.items() if "custom_nodes" not in info["python_module"]}
    checkout = user.folder(environment) / "ComfyUI"
    unknown = own - core_node_classes(checkout).classes.keys()
    route.check("every core class is known from the source", sorted(unknown), [])
    route.figure("core classes", f"{len(own)}")


def check_runs(route: Route, sent: Run, received: Run) -> None:
    """Each workflow made one real picture, of its own, and the same one on both sides."""
    found = [sent.prompts[name] for name in (UPSCALING, SAMPLING)]
    route.check("the prompts are those meant", found, [api_form(UPSCALE), api_form(SAMPLE)])
    made = [picture for pictures in sent.pictures.values() for picture in pictures]
    heads = [picture[: len(PNG)] for picture in made]
    route.check("each workflow makes one PNG", heads, [PNG] * len(saved_workflows()))
    route.check("no two of them are the same", len(set(made)), len(made))
    trained = SMALL_SIDE * ENLARGES
    size = [picture_size(picture) for picture in received.pictures[TRAINED]]
    route.check("the trained weights enlarge a picture", size, [(trained, trained)])
    for workflow in saved_workflows():
        name = workflow.name
        changes = prompt_changes(sent.prompts[name], received.prompts[name])
        expected = [(old, OWN_NAMES[old]) for old in workflow.upscalers]
        route.check(f"{name}: only the upscalers are queued by other names", changes, expected)
        same = received.pictures[name] == sent.pictures[name]
        route.check(f"{name}: the same bytes on both sides", same)


def picture_size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, out of its first chunk."""
    width, height = struct.unpack_from(">II", png, 16)
    return width, height


def export(route: Route) -> Path:
    """Twice as it is, twice with SOURCE_DATE_EPOCH; the first of the bundles."""
    plain, again, dated, dated_again = (
        route.sender.home / f"{name}.tar.gz" for name in ("plain", "again", "dated", "dated-again")
    )
    export_at_a_terminal(route, route.sender.home / "resolved.tar.gz")
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
    """Into a workspace that has all upscalers; everything else comes from the hosts."""
    words = ("--name", RECEIVED, "--yes", "--trust-code")
    asked = len(route.hosts.models.requests)
    with route.stage("import"):
        done = route.receiver.does("import", str(bundle), *words)
    _check_models(route, done["models"], asked)
    installed = {key: value for key, value in done["nodes"].items() if value}
    route.check("every node is installed", installed, {"installed": len(NODE_PACKS)})
    complete = done["workflows"]["complete"]
    route.check("every workflow is complete", complete, len(saved_workflows()) + 1)
    check_open_workflow(route)
    status = route.receiver.does("-e", RECEIVED, "status")
    route.check("the receiver's status has no issue", status["issues"], [])
    route.check("the receiver has nothing to commit", status["uncommitted"], [])


def _check_models(route: Route, counts: Mapping[str, object], asked: int) -> None:
    arrived = {key: count for key, count in counts.items() if count}
    expected = {"downloaded": MODELS_TO_FETCH, "found_locally": len(OWN_NAMES) + 1}
    route.check("every model is downloaded or found", arrived, expected)
    requests = route.hosts.models.requests[asked:]
    fetched = [one.target for one in requests if one.method == "GET"]
    fetched = [target for target in fetched if not target.startswith("/hf/")]
    once = (len(fetched), len(set(fetched)))
    route.check("each of the others is fetched once", once, (MODELS_TO_FETCH,) * 2)
    needless = [one.target for one in requests if f"/{UPSCALER.folder}/" in one.target]
    route.check("no host is asked for what the receiver has", needless, [])
