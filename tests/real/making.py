"""The sender's side up to the commit: ComfyUI, the nodes, the models, the workflows."""

from __future__ import annotations

from tests.real.hosts import GIT_NODE_URL, MODELS_URL
from tests.real.nodes import DEVELOPMENT_NODE, NODE_PACKS, REGISTRY_NODE, WITHDRAWN_NODE
from tests.real.route import SENT, Route
from tests.real.saved_workflows import ENLARGING, SAMPLING, saved_workflows, workflow_file
from tests.real.tiny_models import (
    DIFFUSION_MODEL,
    LORA,
    RED_UPSCALER,
    TINY_MODELS,
    UPSCALER,
    VAE,
    write_tiny_models,
)
from tests.real.trained_weights import place_trained_weights

CRITICALITIES = {
    (SAMPLING, VAE.filename): "flexible",
    (SAMPLING, LORA.filename): "optional",
    (ENLARGING, UPSCALER.filename): "required",
    (ENLARGING, RED_UPSCALER.filename): "optional",
}
MODELS_WITHOUT_URL_IN_WORKFLOW = (DIFFUSION_MODEL, LORA, VAE, RED_UPSCALER)


def create(route: Route) -> None:
    """An environment from the release's tag."""
    with route.stage("create"):
        made = route.sender.does("create", SENT, "--comfyui", route.tag)
    route.check("the environment has the release", made["comfyui_version"], route.tag)


def add_nodes(route: Route) -> None:
    """One node pack of each source, and one that is withdrawn later."""
    work = DEVELOPMENT_NODE.write(route.sender.home / DEVELOPMENT_NODE.name)
    named = ((REGISTRY_NODE.name,), (GIT_NODE_URL,), ("--dev", str(work)), (WITHDRAWN_NODE.name,))
    with route.stage(f"add {len(NODE_PACKS)} nodes"):
        for words in named:
            route.sender.does("-e", SENT, "node", "add", *words)
    listed = route.sender.does("-e", SENT, "node", "list")["nodes"]
    found = {node["name"]: node["source"] for node in listed if node["state"] == "installed"}
    sources = ("registry", "git", "development", "registry")
    expected = dict(zip((pack.name for pack in NODE_PACKS), sources, strict=True))
    route.check("nodes of three sources are installed", found, expected)


def index_models(route: Route) -> None:
    """The models in a folder of the sender's own; sources for what no workflow declares."""
    folder = route.sender.home / "models"
    write_tiny_models(folder)
    place_trained_weights(route.hosts.trained_weights, folder)
    with route.stage("index models"):
        scanned = route.sender.does("model", "index", "dir", str(folder))
        for model in MODELS_WITHOUT_URL_IN_WORKFLOW:
            url = f"{MODELS_URL}/{model.path}"
            route.sender.does("model", "add-source", model.filename, url)
    route.check("every model is indexed", scanned["added"], len(TINY_MODELS) + 1)


def save_workflows(route: Route) -> None:
    """Saved as the frontend saves them; two bring a model's URL along."""
    saved = saved_workflows()
    for workflow in saved:
        file = workflow_file(route.sender, SENT, workflow.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(workflow.content)
    with route.stage("workflows and commit"):
        for workflow in saved:
            route.sender.does("-e", SENT, "workflow", "resolve", workflow.name)
        for (name, filename), criticality in CRITICALITIES.items():
            words = ("workflow", "model", name, filename, "--criticality", criticality)
            route.sender.does("-e", SENT, *words)
    listed = route.sender.does("-e", SENT, "workflow", "list")["workflows"]
    issues = {workflow["name"]: workflow["issues"] for workflow in listed}
    route.check("every workflow is resolved", issues, {workflow.name: [] for workflow in saved})


def commit(route: Route) -> None:
    """Everything into the history."""
    with route.stage("workflows and commit"):
        done = route.sender.does("-e", SENT, "commit", "-m", "It works")
    names = sorted(workflow.name for workflow in saved_workflows())
    route.check("the commit has every workflow", done["workflows"], names)
    route.check("nothing is open after the commit", done["issues"], [])
