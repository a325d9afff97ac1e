"""Which files of ComfyUI's input folder a workflow loads: images, sounds, videos, folders of them.

A value is a POSIX path below that folder, or has the folder behind it: ``x.png [output]``, as
``folder_paths.annotated_filepath`` reads it (ComfyUI 0.3.75).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from comfydock_core.domain.model_loaders import (
    INPUT_FOLDER,
    Loaders,
    LoaderWidget,
    is_not_a_file,
)
from comfydock_core.domain.workflow import Workflow, WorkflowNode
from comfydock_core.domain.workflow_promotions import Promotions
from comfydock_core.domain.workflow_values import WidgetText, widget_texts

InputPlace = Literal["input", "output", "temp", "elsewhere"]

_COMFYUI = "."
"""The ``folder`` of widgets whose values are paths as ComfyUI's process sees them."""

_ANNOTATED = re.compile(r"(.+).\[(input|output|temp)\]", re.DOTALL)
_PLACES: Mapping[str, InputPlace] = {"input": "input", "output": "output", "temp": "temp"}
_DRIVE = re.compile(r"[A-Za-z]:")


def _widget(name: str, folder: str = INPUT_FOLDER) -> tuple[LoaderWidget, ...]:
    return (LoaderWidget(name=name, index=0, folder=folder),)


INPUT_WIDGETS: Loaders = {
    "GeminiInputFiles": _widget("file"),
    "Load3D": _widget("model_file"),
    "Load3DAnimation": _widget("model_file"),
    "LoadAudio": _widget("audio"),
    "LoadImage": _widget("image"),
    "LoadImageDataSetFromFolder": _widget("folder"),
    "LoadImageMask": _widget("image"),
    "LoadImageOutput": _widget("image"),
    "LoadImageSetFromFolderNode": _widget("folder"),
    "LoadImageSetNode": _widget("images"),
    "LoadImageTextDataSetFromFolder": _widget("folder"),
    "LoadImageTextSetFromFolderNode": _widget("folder"),
    "LoadLatent": _widget("latent"),
    "LoadVideo": _widget("file"),
    "OpenAIInputFiles": _widget("file"),
    "ADE_LoadCameraPosesFromFile": _widget("pose_filename"),
    "IPAdapterLoadEmbeds": _widget("embeds"),
    "ImageReceiver": _widget("image"),
    "LatentReceiver": _widget("latent"),
    "LoadAndResizeImage": _widget("image"),
    "VHS_LoadAudio": _widget("audio_file", _COMFYUI),
    "VHS_LoadAudioUpload": _widget("audio"),
    "VHS_LoadImagePath": _widget("image", _COMFYUI),
    "VHS_LoadImages": _widget("directory"),
    "VHS_LoadImagesPath": _widget("directory", _COMFYUI),
    "VHS_LoadVideo": _widget("video"),
    "VHS_LoadVideoFFmpeg": _widget("video"),
    "VHS_LoadVideoFFmpegPath": _widget("video", _COMFYUI),
    "VHS_LoadVideoPath": _widget("video", _COMFYUI),
}
"""The fall-back for classes whose code is not at hand or computes its choices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InputReference:
    """A place where a workflow names a file, or a folder of files, that it loads.

    ``name`` is a POSIX path below the folder that ``place`` says; ``elsewhere`` it is the last part
    alone, because the path would tell of this machine. ``node_id`` is as in NodeReference;
    ``active`` is False for a node that does not run.
    """

    workflow: str
    node_id: str
    node_type: str
    name: str
    place: InputPlace = "input"
    active: bool = True


def known_inputs(learned: Loaders) -> Loaders:
    """Return what code told about its classes, and the shipped table for everything else."""
    return {**INPUT_WIDGETS, **{name: widgets for name, widgets in learned.items() if widgets}}


def input_references(
    workflow: Workflow, widgets: Loaders = INPUT_WIDGETS
) -> tuple[InputReference, ...]:
    """Return the files that a workflow loads, each place once, in the order of the file.

    In a node of an unknown class a text counts that says its folder itself (``x.png [input]``).
    """
    candidates = [node for node in workflow.nodes if _may_load(node, widgets)]
    if not candidates:
        return ()
    promotions = Promotions(workflow, widgets)
    found = (each for node in candidates for each in _of_node(workflow.name, node, promotions))
    return tuple(dict.fromkeys(found))


def _may_load(node: WorkflowNode, widgets: Loaders) -> bool:
    """Sort out, quickly, the nodes that cannot load anything: nearly all of them."""
    if not node.widgets:
        return False
    if node.type in widgets or node.promoted:
        return True
    values = node.widgets.values() if isinstance(node.widgets, Mapping) else node.widgets
    return any(isinstance(value, str) and value.endswith("]") for value in values)


def _of_node(workflow: str, node: WorkflowNode, promotions: Promotions) -> Iterator[InputReference]:
    for text in widget_texts(node, promotions.loaders):
        located = _located(text, promotions.folder(node, text))
        if located and not promotions.is_stale(node, text):
            place, name = located
            yield InputReference(
                workflow=workflow,
                node_id=node.id,
                node_type=node.type,
                name=name,
                place=place,
                active=node.active and text.switched_on,
            )


def _located(text: WidgetText, folder: str) -> tuple[InputPlace, str] | None:
    """Return where the file lies that a text names, None when it names none."""
    value = text.value.replace("\\", "/")
    annotated = _ANNOTATED.fullmatch(value)
    loads = folder in (INPUT_FOLDER, _COMFYUI) and not is_not_a_file(value) and "://" not in value
    if not loads and not (annotated and _looks_like_file(annotated[1])):
        return None
    if folder == _COMFYUI:
        return _below(value, f"{INPUT_FOLDER}/")
    if annotated:
        place, name = _below(annotated[1], "")
        return _PLACES[annotated[2]] if place == "input" else place, name
    return _below(value, "")


def _looks_like_file(value: str) -> bool:
    return "\n" not in value and bool(posixpath.splitext(value)[1]) and "://" not in value


def _below(path: str, folder: str) -> tuple[InputPlace, str]:
    """Return a path as one below ``folder``, or its last part when it leads elsewhere."""
    plain = posixpath.normpath(path)
    inside = plain.startswith(folder) and not plain.startswith(("/", "../"))
    if not inside or plain in (".", "..") or _DRIVE.match(plain):
        return "elsewhere", posixpath.basename(plain)
    return "input", plain.removeprefix(folder)
