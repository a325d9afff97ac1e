"""``make real``: real ComfyUI travels from one workspace to another, release by release."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import comfydock_cli

from tests.real import contract
from tests.real.building_blocks import building_blocks
from tests.real.comfyui_repository import RELEASES
from tests.real.hosts import hosts
from tests.real.journey import travel
from tests.real.report import Report
from tests.real.route import route
from tests.real.tiny_models import write_tiny_models
from tests.real.trained_weights import place_trained_weights
from tests.real.wheel_downloads import cache_folder

SMALL_COMFYUI = Path(comfydock_cli.__file__).parent / "demo" / "small_comfyui"
SMALL = "small"


def main(arguments: Sequence[str]) -> int:
    """The releases named, newest first, or all of RELEASES; 1 when a check failed."""
    # A script that starts this in its background has it ignore Ctrl-C, and all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    known = [release.tag for release in reversed(RELEASES)]
    tags = [tag for tag in known if tag in arguments] if arguments else known
    cache, report = cache_folder(), Report()
    with report.stage(SMALL, "building blocks"):
        blocks = building_blocks(cache)
    # Beside uv's cache, whose files are linked: links do not cross devices.
    with tempfile.TemporaryDirectory(dir=cache, prefix="run-") as temporary:
        folder = Path(temporary)
        write_tiny_models(folder / "published")
        place_trained_weights(blocks.trained_weights, folder / "published")
        with hosts(blocks, folder / "published", folder) as reached:
            for tag in tags:
                travel(route(tag, folder / tag, reached, cache / "uv", report))
        _keep_small_contract(folder, report)
    return report.conclude()


def _keep_small_contract(folder: Path, report: Report) -> None:
    comfyui = Path(shutil.copytree(SMALL_COMFYUI, folder / "small" / "ComfyUI"))
    with report.stage(SMALL, "contract"):
        found = contract.differences(comfyui, Path(sys.executable))
    report.check(SMALL, f"the contract's {contract.NUMBER_OF_CHECKS} points hold", found, [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
