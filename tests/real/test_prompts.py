"""From a saved workflow to what is queued, and what differs between two sides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.real.prompts import prompt_changes, prompt_of
from tests.real.rewriting import first_difference, renamed
from tests.real.saved_workflows import (
    ENLARGING,
    EXPORTED,
    SAMPLING,
    UPSCALING,
    SavedWorkflow,
    saved_workflows,
)
from tests.real.tiny_models import RED_UPSCALER, UPSCALER
from tests.real.workflows import SAMPLE, UPSCALE, UPSCALE_RED, api_form

WIDGETS = {
    "EmptyImage": ("width", "height", "batch_size", "color"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "ImageUpscaleWithModel": (),
    "KSampler": ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "LoadImage": ("image",),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "SaveImage": ("filename_prefix",),
    "TinyConditioning": ("text", "context_width", "pooled_width"),
    "TinyInvert": (),
    "TinyPhrase": ("subject", "count"),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "UpscaleModelLoader": ("model_name",),
    "VAEDecode": (),
    "VAELoader": ("vae_name",),
}
CLASSES = {
    kind: {"input": {"required": {name: ["STRING", {}] for name in names}}}
    for kind, names in WIDGETS.items()
}
SAVED = {workflow.name: workflow for workflow in saved_workflows()}


def enlarged(identity: int, model: str, image: list[Any]) -> dict[str, Any]:
    return {
        f"{identity}:1": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": model}},
        f"{identity}:2": {
            "class_type": "ImageUpscaleWithModel",
            "inputs": {"upscale_model": [f"{identity}:1", 0], "image": image},
        },
    }


ENLARGE = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 3368601},
    },
    **enlarged(2, UPSCALER.filename, ["1", 0]),
    **enlarged(3, UPSCALER.filename, ["2:2", 0]),
    **enlarged(4, RED_UPSCALER.filename, ["3:2", 0]),
    "5": {
        "class_type": "SaveImage",
        "inputs": {"filename_prefix": "enlarged", "images": ["4:2", 0]},
    },
}
PROMPTS = {
    UPSCALING: api_form(UPSCALE),
    SAMPLING: api_form(SAMPLE),
    ENLARGING: ENLARGE,
    EXPORTED: api_form(UPSCALE_RED),
}


def without_titles(prompt: dict[str, Any]) -> dict[str, Any]:
    return {
        identity: {key: value for key, value in node.items() if key != "_meta"}
        for identity, node in prompt.items()
    }


@pytest.mark.parametrize(("name", "expected"), PROMPTS.items())
def test_the_prompt_of_a_saved_workflow(name: str, expected: dict[str, Any]) -> None:
    prompt = prompt_of(json.loads(SAVED[name].content), CLASSES)
    assert without_titles(prompt) == expected


@pytest.mark.parametrize("workflow", [SAVED[name] for name in PROMPTS], ids=PROMPTS.keys())
def test_what_is_said_of_the_upscalers_of_a_workflow(workflow: SavedWorkflow) -> None:
    loaders = [
        n for n in PROMPTS[workflow.name].values() if n["class_type"] == "UpscaleModelLoader"
    ]
    assert sorted(node["inputs"]["model_name"] for node in loaders) == list(workflow.upscalers)
    assert renamed(workflow.content)[1] == workflow.places


def test_renaming_leaves_what_only_contains_a_name() -> None:
    given = b'["tiny-compact-2x.safetensors", "not tiny-compact-2x.safetensors", "\xc3\xb6"]'
    expected = b'["mine/renamed 2x.safetensors", "not tiny-compact-2x.safetensors", "\xc3\xb6"]'
    assert renamed(given) == (expected, 1)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"1": {"class_type": "A", "inputs": {"x": "one"}}}, []),
        ({"1": {"class_type": "A", "inputs": {"x": "two"}}}, [("one", "two")]),
        ({"1": {"class_type": "B", "inputs": {"x": "one"}}}, [("A", "B")]),
        ({}, [("A", None), ("one", None)]),
    ],
)
def test_changes_between_prompts(
    other: dict[str, Any], expected: list[tuple[object, object]]
) -> None:
    one = {"1": {"class_type": "A", "inputs": {"x": "one"}}}
    assert prompt_changes(one, other) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (b"abc", ""),
        (b"abd", "at byte 2: b'd' instead of b'c'"),
        (b"ab", "at byte 2: b'' instead of b'c'"),
        (b"abcd", "at byte 3: b'd' instead of b''"),
    ],
)
def test_the_first_difference_from_abc(found: bytes, expected: str) -> None:
    assert first_difference(found, b"abc") == expected
