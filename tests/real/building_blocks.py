"""Everything that a run against real ComfyUI needs and that is worth keeping between runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.real.comfyui_repository import comfyui_repository
from tests.real.cpu_wheels import CpuWheels, cpu_wheels
from tests.real.trained_weights import trained_weights

COMFYUI_PATH = "comfyanonymous/ComfyUI"


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildingBlocks:
    """``git_root`` holds ComfyUI's bare repository at COMFYUI_PATH, as the public host does.

    ``trained_weights`` is the file of a real upscaler.
    """

    git_root: Path
    wheels: CpuWheels
    trained_weights: Path

    @property
    def comfyui(self) -> Path:
        return self.git_root / COMFYUI_PATH


def building_blocks(cache: Path) -> BuildingBlocks:
    """Makes in ``cache`` what is not there yet; the downloads are kept beside it."""
    git_root, downloads = cache / "git", cache / "downloads"
    comfyui_repository(git_root / COMFYUI_PATH, downloads=downloads)
    return BuildingBlocks(
        git_root=git_root,
        wheels=cpu_wheels(cache / "wheels", downloads=downloads),
        trained_weights=trained_weights(cache / "trained", downloads=downloads),
    )
