"""The small ComfyUI behaves as the real ones do, and its pictures prove what they were made of."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import comfydock_cli
import pytest

from tests.real.comfyui_process import HEADLESS, ComfyuiProcessError, running_comfyui
from tests.real.contract import NUMBER_OF_CHECKS, differences

SHIPPED = Path(comfydock_cli.__file__).parent / "demo" / "small_comfyui"

CUSTOM_NODE = """
class Mixer:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "amount": ("INT", {"default": 1})}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "mix"
    CATEGORY = "test"

    def mix(self, image, amount):
        if amount < 0:
            raise ValueError("less than nothing")
        return (image + b"SALT" * amount,)

NODE_CLASS_MAPPINGS = {"Mixer": Mixer}
"""


def prompt(*, model: str = "m.safetensors", amount: int = 2) -> dict[str, Any]:
    size = {"width": 8, "height": 8, "batch_size": 1}
    return {
        "1": {"class_type": "EmptyImage", "inputs": {**size, "color": 0}},
        "2": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": model}},
        "3": {
            "class_type": "ImageUpscaleWithModel",
            "inputs": {"image": ["1", 0], "upscale_model": ["2", 0]},
        },
        "4": {"class_type": "Mixer", "inputs": {"image": ["3", 0], "amount": amount}},
        "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "p"}},
    }


class Place:
    """A base directory with one model and one node pack for the small ComfyUI."""

    def __init__(self, folder: Path) -> None:
        self.comfyui = Path(shutil.copytree(SHIPPED, folder / "ComfyUI"))
        self.base = folder / "base"
        self.model = self.base / "models/upscale_models/m.safetensors"
        self.pack = self.base / "custom_nodes/mixer/__init__.py"
        for file, content in ((self.model, "weights"), (self.pack, CUSTOM_NODE)):
            file.parent.mkdir(parents=True)
            file.write_text(content)

    def picture(self, asked: dict[str, Any]) -> bytes:
        argv = [sys.executable, "main.py", *HEADLESS, "--base-directory", str(self.base)]
        with running_comfyui(argv, self.comfyui, log=self.base / "log") as comfyui:
            (picture,) = comfyui.pictures(asked)
        return picture


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_contract_holds(tmp_path: Path) -> None:
    comfyui = Path(shutil.copytree(SHIPPED, tmp_path / "ComfyUI"))
    assert NUMBER_OF_CHECKS == 22
    assert differences(comfyui, Path(sys.executable)) == []


def test_the_contract_tells_what_differs(tmp_path: Path) -> None:
    comfyui = Path(shutil.copytree(SHIPPED, tmp_path / "ComfyUI"))
    folder_paths = comfyui / "folder_paths.py"
    folder_paths.write_text(folder_paths.read_text().replace('".sft"', '".other"'))
    (found,) = differences(comfyui, Path(sys.executable))
    assert found.startswith("models: sub-folders, links and extra paths, by extension: found")


def test_the_same_models_and_nodes_give_the_same_picture(tmp_path: Path) -> None:
    here, there = Place(tmp_path / "here"), Place(tmp_path / "there")
    assert here.picture(prompt()) == there.picture(prompt())


def test_other_weights_give_another_picture(place: Place) -> None:
    before = place.picture(prompt())
    place.model.write_text("other weights")
    assert pixels(place.picture(prompt())) != pixels(before)


def test_another_custom_node_gives_another_picture(place: Place) -> None:
    before = place.picture(prompt())
    place.pack.write_text(CUSTOM_NODE.replace("SALT", "SUGAR"))
    assert pixels(place.picture(prompt())) != pixels(before)


def test_a_moved_model_gives_the_same_pixels(place: Place) -> None:
    before = place.picture(prompt())
    place.model.rename(place.model.with_name("moved.safetensors"))
    assert pixels(place.picture(prompt(model="moved.safetensors"))) == pixels(before)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (prompt(model="absent.safetensors"), "value_not_in_list"),
        (prompt(amount=-1), "less than nothing"),
    ],
)
def test_what_cannot_run_is_told(place: Place, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(ComfyuiProcessError) as failure:
        place.picture(asked)
    assert told in failure.value.cause


def pixels(png: bytes) -> bytes:
    return png[png.index(b"PLTE") : png.index(b"tEXt") - 4] + png[png.index(b"IDAT") :]
