"""Names that come from elsewhere and become folders, keys or addresses on this machine."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from comfydock_core.domain.path_rules import broken_rule
from comfydock_core.errors import UsageError

MODEL_EXTENSIONS = frozenset(
    {".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".onnx", ".pkl"}
)
PICKLES = (".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl")
"""Extensions of model files that can run code when they are loaded."""
NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,98}[A-Za-z0-9]|[A-Za-z0-9]")
MAX_ENVIRONMENT_NAME = 63
ENVIRONMENT_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_ENVIRONMENT_NAME - 1}}}")
PYTHON_VERSION = re.compile(r"3\.[0-9]{1,2}(\.[0-9]{1,2})?")
COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
_TORCH_BACKEND = re.compile(r"auto|cpu|none|xpu|cu[0-9]{2,4}|rocm[0-9]+(\.[0-9]+){0,2}")
MODEL_KEY = re.compile(r"[0-9a-f]{8,64}")
FOREIGN_MODEL_KEY = re.compile(r"[0-9a-f]{16}")
"""The short hash of ComfyDock 1.x and ComfyGit (``storage.foreign_hashes``); ours is longer."""
_SSH = re.compile(
    r"ssh://([A-Za-z0-9_][\w.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?/[\w./~-]{1,500}"
)
_ADDRESS = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]{1,2000}")


def model_path_problem(path: str) -> str:
    """Say why ``path`` may not become a file below a models directory; ``""`` when it may."""
    problem = broken_rule(path)
    if problem:
        return problem
    _, dot, extension = path.rpartition("/")[2].rpartition(".")
    if dot + extension.lower() in MODEL_EXTENSIONS:
        return ""
    return f"ends with `{dot}{extension}`, which no model does" if dot else "ends as no model does"


def node_name_problem(name: str) -> str:
    """Say why ``name`` may not become a folder in ``custom_nodes``; ``""`` when it may."""
    if not NODE_NAME.fullmatch(name):
        return "is no name for a node's folder"
    if name.lower().endswith(".disabled") or name == "__pycache__":
        return "is a name that ComfyUI passes over"
    return broken_rule(name)


def url_problem(url: str) -> str:
    """Say why ``url`` is no http(s) address that may be kept or asked; ``""`` when it is."""
    if not _ADDRESS.fullmatch(url):
        return "has a character that no address has, or is too long for one"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not host:
        return "is no http or https address"
    return "carries a user name or password" if "@" in parts.netloc else ""


def repository_problem(url: str) -> str:
    """Say why ``url`` is no address of a git repository that may be kept; ``""`` when it is.

    ssh addresses carry a user name (``ssh://git@host/…``), which is no secret.
    """
    if not url.startswith("ssh://"):
        return url_problem(url)
    return "" if _SSH.fullmatch(url) else "is no ssh address"


def is_environment_name(name: str) -> bool:
    """Whether ``name`` can be an environment's folder."""
    return bool(ENVIRONMENT_NAME.fullmatch(name)) and not broken_rule(name)


def checked_environment_name(name: str) -> str:
    """Return ``name`` if it can be an environment's folder; raise UsageError otherwise."""
    if not is_environment_name(name):
        raise UsageError(
            f"`{ascii(name)[1:-1]}` is no name for an environment",
            hint=_name_hint(name),
            subject=name,
        )
    return name


def _name_hint(name: str) -> str:
    if len(name) > MAX_ENVIRONMENT_NAME:
        return f"use at most {MAX_ENVIRONMENT_NAME} characters"
    if ENVIRONMENT_NAME.fullmatch(name):
        return f"it {broken_rule(name)}; use another one"
    return "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit"


def checked_python_version(version: str) -> str:
    """Return ``version``, or ``""`` for the default, if it names a Python; UsageError otherwise."""
    if version and not PYTHON_VERSION.fullmatch(version):
        raise UsageError(
            f"`{ascii(version)[1:-1]}` is no Python version",
            hint="write it as 3.12 or 3.12.4",
            subject=version,
        )
    return version


def checked_torch_backend(name: str) -> str:
    """Return ``name``, or ``""`` for the default, if uv can know it; raise UsageError otherwise.

    A wrong one would only fail after everything else was installed.
    """
    if name and not _TORCH_BACKEND.fullmatch(name):
        raise UsageError(
            f"`{ascii(name)[1:-1]}` is no torch backend",
            hint="it is auto, cpu, none, xpu, cu and a version (cu128) or rocm and one (rocm6.4)",
            subject=name,
        )
    return name
