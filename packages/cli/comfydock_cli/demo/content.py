"""What the demo works with: nodes, models and workflows, and how the public hosts offer them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

from comfydock_cli.demo.hub import INDEX
from comfydock_cli.demo.repositories import Files, Release, make_repository
from comfydock_cli.demo.tiny_models import FOLDER, tiny_models

_HERE = Path(__file__).parent
_NODES = _HERE / "content_files" / "nodes"
_WORKFLOWS = _HERE / "content_files" / "workflows"

COMFYUI = "https://github.com/comfyanonymous/ComfyUI"
REGISTRY = "https://api.comfy.org"
REGISTRY_NODE = "demo-colours"
GIT_NODE = "https://github.com/comfydock-demo/demo-phrases"
DEVELOPMENT_NODE = "demo-names"
MODELS = "https://huggingface.co/comfydock-demo/tiny/resolve/main"
WORKFLOWS = ("poster", "experiments/variants")

_VERSION = "1.0.0"
_ARCHIVE = f"https://cdn.comfy.org/comfydock-demo/{REGISTRY_NODE}/{_VERSION}/node.zip"
_OFFERED_AT = (
    "https://api.comfy.org/",
    "https://cdn.comfy.org/comfydock-demo/",
    "https://github.com/comfydock-demo/",
    "https://huggingface.co/comfydock-demo/",
)
# Releases of the real ComfyUI had these tags at these times.
_COMFYUI_RELEASES = (("v0.3.74", 1763950000), ("v0.3.75", 1764630000))
_NODE_TIME = 1764000000
_ZIP_TIME = (2025, 11, 24, 0, 0, 0)


def publish(folder: Path, *, comfyui: bool) -> None:
    """Lay out below ``folder``, by host, what the demo needs of the internet.

    ``comfyui`` says whether the small ComfyUI is to stand where the real one is.
    """
    if comfyui:
        make_repository(_place(folder, COMFYUI), _comfyui_releases())
    node = _files_below(_NODES / "demo-phrases")
    release = Release(tag="v1.0", time=_NODE_TIME, files=node)
    make_repository(_place(folder, GIT_NODE), [release])
    _publish_registry_node(folder)
    for name, content in tiny_models().items():
        _write(_place(folder, f"{MODELS}/{name}"), content)


def mirrors(hub: str, *, comfyui: bool) -> str:
    """Return ``COMFYDOCK_MIRRORS`` for a hub that serves what was published."""
    public = (*_OFFERED_AT, COMFYUI) if comfyui else _OFFERED_AT
    return " ".join(f"{url}={hub}/{url.removeprefix('https://')}" for url in public)


def write_models(library: Path) -> None:
    """Put the three models where ComfyUI looks for upscalers below ``library``."""
    for name, content in tiny_models().items():
        _write(library / FOLDER / name, content)


def write_development_node(folder: Path) -> None:
    """Put the node that the sender is working on into ``folder``."""
    for path, content in _files_below(_NODES / DEVELOPMENT_NODE).items():
        _write(folder / path, content)


def write_workflows(folder: Path) -> None:
    """Save the workflows as ComfyUI's own page would, below ``folder``."""
    for name in WORKFLOWS:
        _write(folder / f"{name}.json", (_WORKFLOWS / f"{name}.json").read_bytes())


def _comfyui_releases() -> list[Release]:
    newest = _files_below(_HERE / "small_comfyui")
    version = _COMFYUI_RELEASES[-1][0].removeprefix("v").encode()
    return [
        Release(
            tag=tag,
            time=time,
            files={
                path: re.sub(re.escape(version), tag.removeprefix("v").encode(), content)
                for path, content in newest.items()
            },
        )
        for tag, time in _COMFYUI_RELEASES
    ]


def _publish_registry_node(folder: Path) -> None:
    """Write the registry's answers about the one pack that it has."""
    version = {
        "node_id": REGISTRY_NODE,
        "version": _VERSION,
        "status": "NodeVersionStatusActive",
        "downloadUrl": _ARCHIVE,
        "dependencies": [],
    }
    asked = {"node_id": REGISTRY_NODE, "version": _VERSION}
    found = {"identifier": asked, "status": "success", "node_version": version}
    answers: dict[str, object] = {
        f"nodes/{REGISTRY_NODE}": {
            "id": REGISTRY_NODE,
            "name": "Demo Colours",
            "status": "NodeStatusActive",
            "latest_version": version,
        },
        f"nodes/{REGISTRY_NODE}/versions": [version],
        f"nodes/{REGISTRY_NODE}/versions/{_VERSION}": version,
        f"nodes/{REGISTRY_NODE}/install": version,
        "bulk/nodes/versions": {"node_versions": [found]},
    }
    for call, answer in answers.items():
        place = _place(folder, f"{REGISTRY}/{call}") / INDEX
        _write(place, json.dumps(answer).encode())
    _write(_place(folder, _ARCHIVE), _zip_of(_files_below(_NODES / REGISTRY_NODE)))


def _zip_of(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted(files.items()):
            member = zipfile.ZipInfo(path, _ZIP_TIME)
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def _place(folder: Path, url: str) -> Path:
    return folder / url.removeprefix("https://")


def _files_below(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
