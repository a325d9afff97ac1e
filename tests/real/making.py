"""The sender's side up to the commit: ComfyUI, three nodes, the models, the workflows."""

from __future__ import annotations

import json
from pathlib import Path

from tests.real.hosts import GIT_NODE_URL, MODELS_URL
from tests.real.nodes import DEVELOPMENT_NODE, NODE_PACKS, REGISTRY_NODE
from tests.real.route import SENT, Route
from tests.real.tiny_models import (
    DIFFUSION_MODEL,
    LORA,
    TINY_MODELS,
    VAE,
    write_tiny_models,
)
from tests.real.workflows import ui_form

UPSCALING = "tiny-upscale"
SAMPLING = "portraits/tiny-sample"
CRITICALITIES = {VAE.filename: "flexible", LORA.filename: "optional"}
MODELS_WITHOUT_URL_IN_WORKFLOW = (DIFFUSION_MODEL, LORA, VAE)


def create(route: Route) -> None:
    """An environment from the release's tag."""
    with route.stage("create"):
        made = route.sender.does("create", SENT, "--comfyui", route.tag)
    route.check("the environment has the release", made["comfyui_version"], route.tag)


def add_nodes(route: Route) -> None:
    """One node pack of each source."""
    work = DEVELOPMENT_NODE.write(route.sender.home / DEVELOPMENT_NODE.name)
    named = ((REGISTRY_NODE.name,), (GIT_NODE_URL,), ("--dev", str(work)))
    with route.stage("add 3 nodes"):
        for words in named:
            route.sender.does("-e", SENT, "node", "add", *words)
    listed = route.sender.does("-e", SENT, "node", "list")["nodes"]
    found = {node["name"]: node["source"] for node in listed if node["state"] == "installed"}
    sources = ("registry", "git", "development")
    expected = dict(zip((pack.name for pack in NODE_PACKS), sources, strict=True))
    route.check("nodes of three sources are installed", found, expected)


def index_models(route: Route) -> None:
    """The tiny models in a folder of the sender's own; sources for those of one workflow."""
    folder = route.sender.home / "models"
    write_tiny_models(folder)
    with route.stage("index models"):
        scanned = route.sender.does("model", "index", "dir", str(folder))
        for model in MODELS_WITHOUT_URL_IN_WORKFLOW:
            url = f"{MODELS_URL}/{model.path}"
            route.sender.does("model", "add-source", model.filename, url)
    route.check("every model is indexed", scanned["added"], len(TINY_MODELS))


def save_workflows(route: Route) -> None:
    """Saved as the frontend saves them; one brings its models' URLs along."""
    workflows = route.sender.folder(SENT) / "ComfyUI" / "user" / "default" / "workflows"
    _save(workflows / f"{UPSCALING}.json", ui_form("tiny-upscale", models_url=MODELS_URL))
    _save(workflows / f"{SAMPLING}.json", ui_form("tiny-sample"))
    with route.stage("workflows and commit"):
        for name in (UPSCALING, SAMPLING):
            route.sender.does("-e", SENT, "workflow", "resolve", name)
        for filename, criticality in CRITICALITIES.items():
            words = ("workflow", "model", SAMPLING, filename, "--criticality", criticality)
            route.sender.does("-e", SENT, *words)
    listed = route.sender.does("-e", SENT, "workflow", "list")["workflows"]
    issues = {workflow["name"]: workflow["issues"] for workflow in listed}
    route.check("both workflows are resolved", issues, {UPSCALING: [], SAMPLING: []})


def commit(route: Route) -> None:
    """Everything into the history."""
    with route.stage("workflows and commit"):
        done = route.sender.does("-e", SENT, "commit", "-m", "It works")
    route.check("the commit has both workflows", done["workflows"], [SAMPLING, UPSCALING])
    route.check("nothing is open after the commit", done["issues"], [])


def _save(path: Path, graph: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(graph), encoding="utf-8")
