"""A receiver with wishes: one model instead of another, one left out, and a node that is withdrawn.

The publisher of that node has taken back the version that travels, and has a newer one.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comfydock_core.storage.processes import python_of

from tests.hub.registry import PackVersion
from tests.real.hosts import registry_pack
from tests.real.nodes import NODE_PACKS, WITHDRAWN_NODE
from tests.real.prompts import prompt_changes
from tests.real.route import DECIDED, Route
from tests.real.saved_workflows import EXPORTED, FRAMED, SAMPLING, UPSCALING, saved_workflows
from tests.real.tiny_models import LORA, RED_UPSCALER, UPSCALER, safetensors
from tests.real.travelling import Run, run_workflows

OWN_TRAINED = "from a friend/some weights.pth"
WISHES = (
    *("--substitute", f"{UPSCALER.filename}={RED_UPSCALER.path}"),
    *("--skip-model", LORA.filename),
)
MODELS = {"downloaded": 2, "found_locally": 2, "substituted": 1, "skipped": 1}
"""Diffusion model and VAE; the red twin and the trained weights; the upscaler; the LoRA."""
NEWER_VERSION = "1.0.1"
LEAST_TINT = 20
"""Steps of 255: the red twin adds 64 to each pixel's red, less where that is too much."""
MEAN_COLOUR = (
    "import io, sys; from PIL import Image, ImageStat; "
    "print(*ImageStat.Stat(Image.open(io.BytesIO(sys.stdin.buffer.read())).convert('RGB')).mean)"
)


def receive_as_wished(route: Route, bundle: Path, sent: Run) -> None:
    """Imports in part, follows the next steps, and runs what does not need the model left out."""
    _fill_library(route)
    with _withdrawn(route):
        _follow(route, _import(route, bundle))
    names = [workflow.name for workflow in saved_workflows() if workflow.name != SAMPLING]
    _check_runs(route, sent, run_workflows(route, route.decider, DECIDED, "decider", names))


def _fill_library(route: Route) -> None:
    """The red twin, and the trained weights where no loader looks, under another name."""
    folder = route.decider.home / "own models"
    twin, trained = folder / RED_UPSCALER.path, folder / OWN_TRAINED
    for file in (twin, trained):
        file.parent.mkdir(parents=True)
    twin.write_bytes(safetensors(RED_UPSCALER.tensors()))
    trained.hardlink_to(route.hosts.trained_weights)
    route.decider.does("model", "index", "dir", str(folder))


@contextmanager
def _withdrawn(route: Route) -> Iterator[None]:
    node = WITHDRAWN_NODE
    sent = PackVersion(version=node.version, files=node.files)
    gone = PackVersion(version=node.version, files=node.files, status="Deleted")
    newer = PackVersion(version=NEWER_VERSION, files=node.files)
    registry = route.hosts.registry
    registry.publish(registry_pack(node, gone, newer))
    try:
        yield
    finally:
        registry.publish(registry_pack(node, sent))


def _import(route: Route, bundle: Path) -> dict[str, Any]:
    words = ("import", str(bundle), "--name", DECIDED, "--yes", "--trust-code", *WISHES)
    asked = len(route.hosts.models.requests)
    with route.stage("import as wished"):
        done = route.decider.does_in_part(*words)
    arrived = {key: count for key, count in done["models"].items() if count}
    route.check("each model came as it was wished", arrived, MODELS)
    requests = route.hosts.models.requests[asked:]
    needless = [one.target for one in requests if f"/{UPSCALER.folder}/" in one.target]
    route.check("no host is asked for what the decider has or replaces", needless, [])
    failed = [node["name"] for node in done["nodes"]["failed"]]
    route.check("the withdrawn node fails", failed, [WITHDRAWN_NODE.name])
    route.check("the others are installed", done["nodes"]["installed"], len(NODE_PACKS) - 1)
    blocked = [issue["workflow"] for issue in done["issues"] if issue["blocking"]]
    route.check("its workflow is named, and no other", blocked, [FRAMED])
    wished = [issue["workflow"] for issue in done["issues"] if not issue["blocking"]]
    route.check("the model left out keeps no workflow back", wished, [SAMPLING])
    return done


def _follow(route: Route, done: dict[str, Any]) -> None:
    """Each next step as it is written there."""
    with route.stage("next steps"):
        for step in done["next_steps"]:
            route.decider.does(*shlex.split(step)[1:])
    status = route.decider.does("-e", DECIDED, "status")
    route.check("then every node is there", set(status["nodes"].values()), {"installed"})
    open_ones = [issue["workflow"] for issue in status["issues"]]
    route.check("and nothing is open but the model left out", open_ones, [SAMPLING])


def _check_runs(route: Route, sent: Run, received: Run) -> None:
    """The substitute shows in what asked for the other model, and nowhere else."""
    for workflow in saved_workflows():
        name = workflow.name
        if name not in received.prompts:
            continue
        changes = prompt_changes(sent.prompts[name], received.prompts[name])
        asked = workflow.upscalers.count(UPSCALER.filename)
        expected = [(UPSCALER.filename, RED_UPSCALER.filename)] * asked
        route.check(f"{name}: only the substitute is queued instead", changes, expected)
        same = received.pictures[name] == sent.pictures[name]
        route.check(f"{name}: the sender's bytes unless a model is substituted", same, not asked)
    python = python_of(route.decider.folder(DECIDED) / ".venv")
    [plain], [red] = sent.pictures[UPSCALING], received.pictures[UPSCALING]
    before, after = _mean_colour(plain, python), _mean_colour(red, python)
    tint = [round(there - here) for here, there in zip(before, after, strict=True)]
    route.figure("substituted picture, red added (of 255)", str(tint[0]))
    route.check("the substitute turns its picture red", tint[0] >= LEAST_TINT)
    route.check("its other colours stay", tint[1:], [0, 0])
    twin = red in sent.pictures[EXPORTED]
    route.check("it is the picture that the sender's red twin made", twin)


def _mean_colour(picture: bytes, python: Path) -> list[float]:
    """Means of red, green and blue, of 255, as the environment's own Pillow reads the file."""
    command = [str(python), "-c", MEAN_COLOUR]
    done = subprocess.run(command, input=picture, capture_output=True, check=True)
    return [float(word) for word in done.stdout.split()]
