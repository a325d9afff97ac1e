"""What is known of the node classes in a folder of code, without what it takes to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from comfydock_core.domain.model_loaders import Loaders, LoaderWidget
from comfydock_core.storage.python_source import SkippedFile, python_files


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeCatalogue:
    """The node classes of a folder with the widgets that name their model files.

    ``inputs`` are the widgets that name files of ComfyUI's input folder, by class. ``frontend`` are
    the classes that exist in the browser alone. ``skipped`` are the files that could not be
    searched for more.
    """

    classes: Mapping[str, tuple[LoaderWidget, ...]]
    skipped: tuple[SkippedFile, ...] = ()
    inputs: Loaders = field(default_factory=dict)
    frontend: tuple[str, ...] = ()


def core_files(comfyui: Path) -> list[Path]:
    """Return the files of a ComfyUI checkout that define nodes."""
    extras = sorted((comfyui / "comfy_extras").glob("*.py"))
    api_nodes = python_files(comfyui / "comfy_api_nodes")
    return [comfyui / "nodes.py", *extras, *api_nodes]
