"""The good bundle that all bad ones are made from, as `comfydock export` writes it."""

from __future__ import annotations

import hashlib
import json

from tests.hostile.bundles import LOCK, MANIFEST, PROJECT, PYTHON, Change, Files, both, tell, write

MODEL = b"\x10\0\0\0\0\0\0\0{}              "
INPUT = b"\x89PNG\r\n\x1a\n"
WORKFLOW = json.dumps({"nodes": [], "links": [], "version": 0.4}).encode()
SHA256 = hashlib.sha256(MODEL).hexdigest()
KEY = "2c6a6a60f90fdab6caebb355c7833dd5"
SOURCE = "https://huggingface.co/town/models/resolve/main/upscale_models/tiny-2x.safetensors"
MODEL_PATH = 'relative_path = "upscale_models/tiny-2x.safetensors"'
MODEL_FILE = "models/upscale_models/tiny-2x.safetensors"
REPOSITORY = 'repository = "https://github.com/acme/acme-git"'

_PROJECT = f"""\
[project]
name = "comfydock-env-studio"
version = "0.1.0"
requires-python = "==3.11.*"
dependencies = [
    "packaging>=24",
]

[tool.uv]
package = false

[tool.comfydock]
version = "2.0.0"
comfyui_version = "v0.3.75"
comfyui_commit = "{"853d6bfe" * 5}"
comfyui_repository = "https://github.com/comfyanonymous/ComfyUI"
python_version = "3.11"

[tool.comfydock.nodes.acme-git]
name = "acme-git"
source = "git"
version = "{"915344e0" * 5}"
{REPOSITORY}
group = "acme-git-1502ea58"

[tool.comfydock.nodes.acme-text]
name = "acme-text"
source = "registry"
version = "1.2.0"
registry_id = "acme-text"
download_url = "https://cdn.example/acme-text/1.2.0/node.zip"
sha256 = "{"b2472d3a" * 8}"
group = "acme-text-cc0d92b6"

[tool.comfydock.nodes.my-dev]
name = "my-dev"
source = "development"
version = "dev"
group = "my-dev-461b7487"

[tool.comfydock.workflows.upscale]
path = "workflows/upscale.json"
nodes = ["acme-text"]

[[tool.comfydock.workflows.upscale.models]]
filename = "tiny-2x.safetensors"
category = "upscale_models"
criticality = "required"
status = "resolved"
nodes = [{{node_id = "1", node_type = "UpscaleModelLoader", widget_index = 0, \
widget_value = "tiny-2x.safetensors", widget_name = "model_name"}}]
hash = "{KEY}"

[tool.comfydock.models.{KEY}]
filename = "tiny-2x.safetensors"
size = {len(MODEL)}
{MODEL_PATH}
category = "upscale_models"
blake3_hash = "{"add495ef" * 8}"
sha256_hash = "{SHA256}"
sources = ["{SOURCE}"]

[dependency-groups]
acme-git-1502ea58 = ["colorama"]
acme-text-cc0d92b6 = ["tabulate>=0.9"]
my-dev-461b7487 = ["humanize>=4"]
"""
_WHEEL = '{{ url = "https://files.example/{0}-1.0-py3-none-any.whl", hash = "sha256:{1}" }}'
_PACKAGES = ("colorama", "humanize", "packaging", "tabulate", "typing-extensions")


def _package(name: str) -> str:
    wheel = _WHEEL.format(name, hashlib.sha256(name.encode()).hexdigest())
    source = '{ registry = "https://index.example/simple" }'
    return f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {source}\nwheels = [{wheel}]\n'


_LOCK = "\n".join(
    (
        'version = 1\nrevision = 5\nrequires-python = "==3.11.*"\n',
        '[[package]]\nname = "comfydock-env-studio"\nversion = "0.1.0"\n'
        'source = { virtual = "." }\n',
        *map(_package, _PACKAGES),
    )
)
_MANIFEST = {
    "timestamp": "2025-01-15T10:30:00Z",
    "comfydock_version": "2.0.0",
    "environment_name": "studio",
    "workflows": ["upscale.json"],
    "python_version": "3.11",
    "comfyui_version": "v0.3.75",
    "platform": "linux",
    "total_models": 1,
    "total_nodes": 3,
    "format_version": 1,
    "exported_commit": "fb3e8030" * 5,
    "hash_scheme": "blake3-sampled-1",
    "profile": "minimal",
    "development": {"my-dev": {"remote": "", "commit": "", "dirty": False, "unpushed": False}},
    "files": {"uv.lock": {}},
}
GOOD: Files = {
    MANIFEST: json.dumps(_MANIFEST).encode(),
    PROJECT: _PROJECT.encode(),
    LOCK: _LOCK.encode(),
    PYTHON: b"3.11\n",
    "workflows/upscale.json": WORKFLOW,
    "dev_nodes/my-dev/__init__.py": b"NODE_CLASS_MAPPINGS = {}\n",
    "dev_nodes/my-dev/requirements.txt": b"humanize>=4\n",
}

full: Change = both(tell(profile="full"), write("inputs/cat.png", INPUT), write(MODEL_FILE, MODEL))
"""Add an input file and the model itself."""
