"""Real material for benchmarks, fetched once into $COMFYDOCK_BENCH_CACHE, else work/bench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = "comfyui-workflow-templates-json==0.1.123"


def cache_folder() -> Path:
    """Where fetched material lies between runs; git ignores it."""
    chosen = os.environ.get("COMFYDOCK_BENCH_CACHE")
    return Path(chosen).resolve() if chosen else ROOT / "work" / "bench"


def template_workflows() -> dict[str, bytes]:
    """The 644 official workflow templates by file name; the package's indexes are left out."""
    folder = _installed(TEMPLATES) / "comfyui_workflow_templates_json" / "templates"
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    return {name: data for name, data in files.items() if _is_workflow(data)}


def _is_workflow(data: bytes) -> bool:
    document = json.loads(data)
    return isinstance(document, dict) and isinstance(document.get("nodes"), list)


def _installed(requirement: str) -> Path:
    """Unpack a package beside the others, aside and renamed, with pip as it is configured here."""
    folder = cache_folder() / requirement.replace("==", "-")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".pip-"))
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*pip, "--no-deps", "--target", str(aside), requirement], check=True)
        aside.replace(folder)
    return folder


def comfyui_checkout() -> Path:
    """A checkout of real ComfyUI 0.3.75, made as `make real` makes it."""
    from tests.real.comfyui_repository import checked_out, comfyui_repository
    from tests.real.wheel_downloads import cache_folder as real_cache

    repository = comfyui_repository(
        real_cache() / "git" / "comfyanonymous" / "ComfyUI", downloads=real_cache() / "downloads"
    )
    return checked_out(repository, "v0.3.75", cache_folder() / "ComfyUI-0.3.75")


def node_packs() -> list[Path]:
    """Checkouts of real node packs, if $COMFYDOCK_BENCH_PACKS names folders (as PATH does)."""
    named = os.environ.get("COMFYDOCK_BENCH_PACKS", "")
    return [Path(each) for each in named.split(os.pathsep) if each]
