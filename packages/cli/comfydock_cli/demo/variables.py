"""The environment of the demo's commands: the user's settings, the demo's hosts over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from comfydock_core.domain.settings import HostSettings, PythonSettings
from comfydock_core.storage.config_file import read_settings
from comfydock_core.storage.uv import uv_cache_folder
from comfydock_core.workspace.model_directories import CONFIG
from comfydock_core.workspace.workspace import default_root

from comfydock_cli.demo.content import COMFYUI, REGISTRY, mirrors

# Tokens must not go to the demo's hosts, and HF_ENDPOINT would lead past them.
_LEFT_OUT = (
    *("HF_ENDPOINT", "HF_HOME", "HF_TOKEN", "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN"),
    *("CIVITAI_API_TOKEN", "CIVITAI_API_KEY", "GITHUB_TOKEN", "GH_TOKEN"),
    *("SOURCE_DATE_EPOCH", "FORCE_COLOR", "PYTHONDONTWRITEBYTECODE"),
)
_LOOPBACK = "127.0.0.1,localhost"


def side_variables(environment: Mapping[str, str], hub: str, *, real: bool) -> dict[str, str]:
    """Return the variables for both sides; ``hub`` is the address of the demo's own hosts.

    The sides have workspaces of their own, so the settings of the user's workspace (mirrors,
    package index, torch) come along as variables.
    """
    settings = read_settings(default_root(environment) / CONFIG, environment)
    kept = {key: value for key, value in environment.items() if key not in _LEFT_OUT}
    return {
        **kept,
        **_hosts(settings.hosts, hub, real=real),
        **_python(settings.python),
        "COMFYDOCK_UV_CACHE": str(uv_cache_folder(environment, Path.home())),
        "NO_PROXY": _with_loopback(environment.get("NO_PROXY", "")),
        "no_proxy": _with_loopback(environment.get("no_proxy", "")),
        "PYTHONUTF8": "1",
    }


def _hosts(hosts: HostSettings, hub: str, *, real: bool) -> dict[str, str]:
    theirs = [f"{public}={mirror}" for public, mirror in hosts.mirrors.items()]
    return {
        "COMFYDOCK_REGISTRY": REGISTRY,
        "COMFYDOCK_COMFYUI_REPOSITORY": hosts.comfyui_repository if real else COMFYUI,
        "COMFYDOCK_MIRRORS": " ".join([*theirs, mirrors(hub, comfyui=not real)]),
        "COMFYDOCK_ALLOWED_HOSTS": " ".join(sorted(hosts.allowed)),
    }


def _python(python: PythonSettings) -> dict[str, str]:
    return {
        "COMFYDOCK_PYTHON_INDEX": python.index,
        "COMFYDOCK_FIND_LINKS": " ".join(python.find_links),
        "COMFYDOCK_TORCH_WHEELS": python.torch_wheels,
        "COMFYDOCK_TORCH_BACKEND": python.torch_backend,
    }


def _with_loopback(hosts: str) -> str:
    return f"{hosts},{_LOOPBACK}" if hosts else _LOOPBACK
