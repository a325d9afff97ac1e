"""What the contract's checks are asked against: a base directory, extra paths, three prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOOD_NODE = """
import folder_paths

class GoodNode:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES = ()
    FUNCTION = "nothing"
    CATEGORY = "contract"

    def nothing(self):
        return ()

NODE_CLASS_MAPPINGS = {"GoodNode": GoodNode}
"""
BROKEN_NODE = """
import no_such_module_anywhere

NODE_CLASS_MAPPINGS = {"BrokenNode": object}
"""
EXTRA_PATHS = """shared:
    base_path: {folder}/extra
    unet: unet
    loras: |
        loras_of_one
        loras_of_two
"""
BAD_EXTRA_PATHS = """shared:
    base_path: {folder}
    custom_nodes: not_there
"""

EMPTY_IMAGE = {"width": 8, "height": 8, "batch_size": 1, "color": 0xFF0000}
PROMPT_THAT_SAVES: dict[str, Any] = {
    "1": {"class_type": "EmptyImage", "inputs": EMPTY_IMAGE},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "ok"}},
}
PROMPT_WITHOUT_NODE: dict[str, Any] = {"1": {"class_type": "NoSuchNode", "inputs": {}}}
PROMPT_WITHOUT_MODEL: dict[str, Any] = {
    "1": {"class_type": "VAELoader", "inputs": {"vae_name": "absent.safetensors"}},
    "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 0]}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "never"}},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bed:
    """A base directory, two extra model path files (the bad one names no real folder), a log."""

    base: Path
    extra_paths: Path
    bad_extra_paths: Path
    log: Path


def lay_out(folder: Path) -> Bed:
    """Makes everything in ``folder``; node packs and models come by link as well as by copy."""
    base = folder / "base"
    for name in ("custom_nodes", "user/default/workflows", "input", "output", "models/loras"):
        (base / name).mkdir(parents=True)
    (base / "user/default/workflows/one.json").write_text("{}")
    _lay_out_nodes(base / "custom_nodes", elsewhere=folder / "packs")
    _lay_out_models(base / "models", elsewhere=folder)
    bed = Bed(
        base=base,
        extra_paths=folder / "extra.yaml",
        bad_extra_paths=folder / "bad.yaml",
        log=folder / "comfyui.log",
    )
    bed.extra_paths.write_text(EXTRA_PATHS.format(folder=folder))
    bed.bad_extra_paths.write_text(BAD_EXTRA_PATHS.format(folder=folder))
    return bed


def _lay_out_nodes(custom_nodes: Path, *, elsewhere: Path) -> None:
    _write(elsewhere / "good/__init__.py", GOOD_NODE)
    _write(elsewhere / "good/prestartup_script.py", "print('PRESTART')\n")
    (custom_nodes / "good").symlink_to(elsewhere / "good", target_is_directory=True)
    _write(custom_nodes / "broken/__init__.py", BROKEN_NODE)
    _write(custom_nodes / "unmapped/__init__.py", "mapped = False\n")
    _write(custom_nodes / "off.disabled/__init__.py", "raise SystemExit(9)\n")


def _lay_out_models(models: Path, *, elsewhere: Path) -> None:
    diffusion_models = models / "diffusion_models"
    _write(diffusion_models / "a.safetensors")
    _write(diffusion_models / "sub/b.sft")
    _write(diffusion_models / "note.txt")
    _write(elsewhere / "shared/c.safetensors")
    (diffusion_models / "linked").symlink_to(elsewhere / "shared", target_is_directory=True)
    _write(elsewhere / "extra/unet/d.safetensors")
    _write(elsewhere / "extra/loras_of_two/e.safetensors")


def _write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
