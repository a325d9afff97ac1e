"""The workflows that travel, as their sender saved them, and what of them names an upscaler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real.hosts import MODELS_URL
from tests.real.subgraph_workflow import subgraph_workflow
from tests.real.tiny_models import RED_UPSCALER, UPSCALER
from tests.real.user import User
from tests.real.workflows import (
    FRAME,
    SAMPLE,
    UPSCALE,
    UPSCALE_RED,
    UPSCALE_TRAINED,
    api_form,
    ui_form,
)

Graph = dict[str, Any]

UPSCALING = "tiny-upscale"
SAMPLING = "portraits/tiny-sample"
ENLARGING = "subgraphs/tiny-enlarge"
EXPORTED = "exported/tiny-upscale-red"
TRAINED = "trained-upscale"
FRAMED = "framed"


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedWorkflow:
    """``upscalers``: the file names that its prompt gives to UpscaleModelLoader, sorted.

    ``places``: how many texts of the file are such a name and nothing else.
    """

    name: str
    content: bytes
    upscalers: tuple[str, ...] = ()
    places: int = 0


def saved_workflows() -> tuple[SavedWorkflow, ...]:
    """Five in UI form, one of them with subgraphs, and one in API form; three declare models."""
    red, plain = RED_UPSCALER.filename, UPSCALER.filename
    return (
        SavedWorkflow(
            name=EXPORTED,
            content=json.dumps(_with_titles(api_form(UPSCALE_RED)), indent=2).encode(),
            upscalers=(red,),
            places=1,
        ),
        SavedWorkflow(name=SAMPLING, content=_saved(ui_form(SAMPLE, SAMPLING))),
        SavedWorkflow(
            name=ENLARGING,
            content=_saved(subgraph_workflow(MODELS_URL)),
            upscalers=(red, plain, plain),
            places=5,
        ),
        SavedWorkflow(
            name=UPSCALING,
            content=_saved(ui_form(UPSCALE, UPSCALING, models_url=MODELS_URL)),
            upscalers=(plain,),
            places=2,
        ),
        SavedWorkflow(
            name=TRAINED,
            content=_saved(ui_form(UPSCALE_TRAINED, TRAINED, models_url=MODELS_URL)),
        ),
        SavedWorkflow(name=FRAMED, content=_saved(ui_form(FRAME, FRAMED))),
    )


def workflow_file(user: User, environment: str, name: str) -> Path:
    """Where ComfyUI keeps a workflow."""
    folder = user.folder(environment) / "ComfyUI" / "user" / "default" / "workflows"
    return folder / f"{name}.json"


def _saved(graph: Graph) -> bytes:
    """As the page writes it: in one line, letters as they are."""
    return json.dumps(graph, ensure_ascii=False, separators=(",", ":")).encode()


def _with_titles(prompt: Mapping[str, Graph]) -> Graph:
    """What the page's export adds."""
    return {
        identity: node | {"_meta": {"title": node["class_type"]}}
        for identity, node in prompt.items()
    }
