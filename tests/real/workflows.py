"""Small graphs on the tiny models, as the frontend saves them and as POST /prompt takes them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.real.nodes import NODE_PACKS
from tests.real.tiny_models import (
    DIFFUSION_MODEL,
    LORA,
    RED_UPSCALER,
    SD3_CONTEXT,
    SD3_POOLED,
    UPSCALER,
    VAE,
)
from tests.real.trained_weights import FILENAME, FOLDER

Graph = dict[str, Any]
Link = tuple[str, int]

CUSTOM_CLASSES = frozenset(name for pack in NODE_PACKS for name in pack.classes)
LINK_TYPES = {
    "image": "IMAGE",
    "images": "IMAGE",
    "upscale_model": "UPSCALE_MODEL",
    "model": "MODEL",
    "positive": "CONDITIONING",
    "negative": "CONDITIONING",
    "latent_image": "LATENT",
    "samples": "LATENT",
    "vae": "VAE",
    "text": "STRING",
    "seed": "INT",
}
OUTPUT_TYPES = {
    "LoadImage": ("IMAGE", "MASK"),
    "ImageScale": ("IMAGE",),
    "UpscaleModelLoader": ("UPSCALE_MODEL",),
    "ImageUpscaleWithModel": ("IMAGE",),
    "SaveImage": (),
    "UNETLoader": ("MODEL",),
    "LoraLoaderModelOnly": ("MODEL",),
    "EmptySD3LatentImage": ("LATENT",),
    "KSampler": ("LATENT",),
    "VAELoader": ("VAE",),
    "VAEDecode": ("IMAGE",),
    "TinyInvert": ("IMAGE",),
    "TinyPhrase": ("STRING", "INT"),
    "TinyConditioning": ("CONDITIONING",),
    "TinyFrame": ("IMAGE",),
}
WIDGET_WHEN_LINKED = {"text": "", "seed": 0}
ADDED_BY_THE_FRONTEND = {"seed": "fixed", "image": "image"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One node: links are ``(id of the source, slot)``; ``folder`` is where its model file lies."""

    kind: str
    links: Mapping[str, Link]
    widgets: Mapping[str, Any]
    folder: str = ""


def step(kind: str, widgets: Mapping[str, Any] | None = None, **links: Link) -> Step:
    """A node of class ``kind`` that loads no model file."""
    return Step(kind=kind, links=links, widgets=widgets or {})


UPSCALE: Mapping[str, Step] = {
    "1": step("LoadImage", {"image": "example.png"}),
    "2": step("TinyInvert", image=("1", 0)),
    "3": Step(
        kind="UpscaleModelLoader",
        links={},
        widgets={"model_name": UPSCALER.filename},
        folder=UPSCALER.folder,
    ),
    "4": step("ImageUpscaleWithModel", upscale_model=("3", 0), image=("2", 0)),
    "5": step("SaveImage", {"filename_prefix": "upscaled"}, images=("4", 0)),
}

CONDITIONING_SIZE = {"context_width": SD3_CONTEXT, "pooled_width": SD3_POOLED}
SAMPLE: Mapping[str, Step] = {
    "1": Step(
        kind="UNETLoader",
        links={},
        widgets={"unet_name": DIFFUSION_MODEL.filename, "weight_dtype": "default"},
        folder=DIFFUSION_MODEL.folder,
    ),
    "2": Step(
        kind="LoraLoaderModelOnly",
        links={"model": ("1", 0)},
        widgets={"lora_name": LORA.filename, "strength_model": 0.5},
        folder=LORA.folder,
    ),
    "3": step("TinyPhrase", {"subject": "fox", "count": 3}),
    "4": step("TinyConditioning", CONDITIONING_SIZE, text=("3", 0)),
    "5": step("TinyConditioning", {"text": "", **CONDITIONING_SIZE}),
    "6": step("EmptySD3LatentImage", {"width": 128, "height": 128, "batch_size": 1}),
    "7": step(
        "KSampler",
        {"steps": 4, "cfg": 2.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0},
        model=("2", 0),
        positive=("4", 0),
        negative=("5", 0),
        latent_image=("6", 0),
        seed=("3", 1),
    ),
    "8": Step(kind="VAELoader", links={}, widgets={"vae_name": VAE.filename}, folder=VAE.folder),
    "9": step("VAEDecode", samples=("7", 0), vae=("8", 0)),
    "10": step("SaveImage", {"filename_prefix": "sampled"}, images=("9", 0)),
}

UPSCALE_RED: Mapping[str, Step] = {
    **UPSCALE,
    "3": step("UpscaleModelLoader", {"model_name": RED_UPSCALER.filename}),
    "5": step("SaveImage", {"filename_prefix": "upscaled-red"}, images=("4", 0)),
}

FRAME: Mapping[str, Step] = {
    "1": Step(kind="VAELoader", links={}, widgets={"vae_name": VAE.filename}, folder=VAE.folder),
    "2": step("EmptySD3LatentImage", {"width": 64, "height": 64, "batch_size": 1}),
    "3": step("VAEDecode", samples=("2", 0), vae=("1", 0)),
    "4": step("TinyFrame", image=("3", 0)),
    "5": step("SaveImage", {"filename_prefix": "framed"}, images=("4", 0)),
}

SMALL_SIDE = 32
UPSCALE_TRAINED: Mapping[str, Step] = {
    "1": step("LoadImage", {"image": "example.png"}),
    "2": step(
        "ImageScale",
        {"upscale_method": "area", "width": SMALL_SIDE, "height": SMALL_SIDE, "crop": "center"},
        image=("1", 0),
    ),
    "3": Step(kind="UpscaleModelLoader", links={}, widgets={"model_name": FILENAME}, folder=FOLDER),
    "4": step("ImageUpscaleWithModel", upscale_model=("3", 0), image=("2", 0)),
    "5": step("SaveImage", {"filename_prefix": "upscaled-trained"}, images=("4", 0)),
}


def api_form(steps: Mapping[str, Step]) -> Graph:
    """``{id: {class_type, inputs}}``, what POST /prompt takes."""
    return {
        identity: {
            "class_type": one.kind,
            "inputs": dict(one.widgets) | {name: list(link) for name, link in one.links.items()},
        }
        for identity, one in steps.items()
    }


def ui_form(steps: Mapping[str, Step], name: str, *, models_url: str = "") -> Graph:
    """The graph as the frontend saves it (version 0.4); its id is a function of ``name``.

    With ``models_url`` each loader carries ``properties.models``, its URLs being
    ``<models_url>/<folder>/<file name>``.
    """
    links = _numbered_links(steps)
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "revision": 0,
        "last_node_id": max(map(int, steps)),
        "last_link_id": len(links),
        "nodes": [
            _node(identity, one, links, models_url) | _place(order)
            for order, (identity, one) in enumerate(steps.items())
        ],
        "links": [
            [number, int(source), slot, int(target), _slot(steps[target], fed), LINK_TYPES[fed]]
            for (target, fed), (number, source, slot) in links.items()
        ],
        "groups": [],
        "config": {},
        "extra": {"ds": {"scale": 1, "offset": [0, 0]}},
        "version": 0.4,
    }


NumberedLinks = dict[tuple[str, str], tuple[int, str, int]]


def _numbered_links(steps: Mapping[str, Step]) -> NumberedLinks:
    """(target, input) -> (number of the link, source, slot of the source)."""
    numbered: NumberedLinks = {}
    for target, one in steps.items():
        for name, (source, slot) in one.links.items():
            numbered[target, name] = (len(numbered) + 1, source, slot)
    return numbered


def _slot(one: Step, name: str) -> int:
    return list(one.links).index(name)


def _place(order: int) -> Graph:
    row, column = divmod(order, 3)
    position = [60 + 320 * column, 80 + 260 * row]
    return {"pos": position, "size": [300, 120], "flags": {}, "order": order, "mode": 0}


def _node(identity: str, one: Step, links: NumberedLinks, models_url: str) -> Graph:
    return {
        "id": int(identity),
        "type": one.kind,
        "inputs": [_input(name, links[identity, name][0]) for name in one.links],
        "outputs": [
            {"name": kind, "type": kind, "links": _leaving(links, identity, slot)}
            for slot, kind in enumerate(OUTPUT_TYPES[one.kind])
        ],
        "properties": _properties(one, models_url),
        "widgets_values": _widget_values(one),
    }


def _input(name: str, number: int) -> Graph:
    """A widget that is fed by a link says so, as the frontend writes it."""
    entry: Graph = {"name": name, "type": LINK_TYPES[name], "link": number}
    return entry | ({"widget": {"name": name}} if name in WIDGET_WHEN_LINKED else {})


def _leaving(links: NumberedLinks, source: str, slot: int) -> list[int] | None:
    numbers = [number for number, *origin in links.values() if origin == [source, slot]]
    return numbers or None


def _properties(one: Step, models_url: str) -> Graph:
    properties: Graph = {"Node name for S&R": one.kind}
    if one.kind not in CUSTOM_CLASSES:
        properties |= {"cnr_id": "comfy-core", "ver": "0.3.75"}
    if one.folder and models_url:
        filename = next(iter(value for key, value in one.widgets.items() if key.endswith("_name")))
        url = f"{models_url}/{one.folder}/{filename}"
        properties["models"] = [{"name": filename, "url": url, "directory": one.folder}]
    return properties


def _widget_values(one: Step) -> list[Any]:
    """Values in the order of INPUT_TYPES; a linked widget keeps its last value, and comes first."""
    linked = {name: WIDGET_WHEN_LINKED[name] for name in one.links if name in WIDGET_WHEN_LINKED}
    values: list[Any] = []
    for name, value in (linked | dict(one.widgets)).items():
        values.append(value)
        if name in ADDED_BY_THE_FRONTEND:
            values.append(ADDED_BY_THE_FRONTEND[name])
    return values
