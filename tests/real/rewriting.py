"""A receiver who has the upscalers already, under other names: found by content, named anew."""

from __future__ import annotations

import json
import re
from itertools import takewhile

from tests.real.making import CRITICALITIES
from tests.real.route import RECEIVED, SENT, Route
from tests.real.saved_workflows import saved_workflows, workflow_file
from tests.real.tiny_models import RED_UPSCALER, UPSCALER, safetensors

OWN_NAMES = {
    UPSCALER.filename: "mine/renamed 2x.safetensors",
    RED_UPSCALER.filename: UPSCALER.filename,
}
"""Sender's name -> receiver's. A workflow that is not changed would run, with the wrong model."""


def fill_library(route: Route) -> None:
    """The receiver's own two files, indexed."""
    folder = route.receiver.home / "own models"
    for model in (UPSCALER, RED_UPSCALER):
        own = folder / model.folder / OWN_NAMES[model.filename]
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(safetensors(model.tensors()))
    scanned = route.receiver.does("model", "index", "dir", str(folder))
    route.check("the receiver has models of its own", scanned["added"], len(OWN_NAMES))


def check_files(route: Route) -> None:
    """Each file is the sender's, byte for byte, but for the texts that name an upscaler."""
    for workflow in saved_workflows():
        name, places = workflow.name, workflow.places
        sent = workflow_file(route.sender, SENT, name).read_bytes()
        expected, found = renamed(sent)
        route.check(f"{name}: the sender's file names upscalers ({places} times)", found, places)
        received = workflow_file(route.receiver, RECEIVED, name).read_bytes()
        difference = first_difference(received, expected)
        route.check(f"{name}: only these names differ at the receiver's", difference, "")


def check_criticality(route: Route) -> None:
    """What the sender set is what the receiver reads, of renamed models too."""
    listed = route.receiver.does("-e", RECEIVED, "workflow", "list")["workflows"]
    found = {
        (workflow["name"], model["filename"]): model["criticality"]
        for workflow in listed
        for model in workflow["models"]
    }
    expected = {
        (workflow, OWN_NAMES.get(filename, filename).rpartition("/")[2]): criticality
        for (workflow, filename), criticality in CRITICALITIES.items()
    }
    kept = {key: found.get(key) for key in expected}
    route.check("the sender's criticalities hold at the receiver's", kept, expected)


def renamed(workflow: bytes) -> tuple[bytes, int]:
    """The file with each text that is a sender's name replaced, and how many there were."""
    names = {json.dumps(old).encode(): json.dumps(new).encode() for old, new in OWN_NAMES.items()}
    pattern = b"|".join(re.escape(name) for name in names)
    return re.subn(pattern, lambda match: names[match[0]], workflow)


def first_difference(found: bytes, expected: bytes) -> str:
    """Where two files begin to differ, and what each says there; nothing when they are the same."""
    if found == expected:
        return ""
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(found, expected, strict=False))
    start = sum(1 for _ in shared)
    there, instead = (content[start : start + 40] for content in (found, expected))
    return f"at byte {start}: {there!r} instead of {instead!r}"
