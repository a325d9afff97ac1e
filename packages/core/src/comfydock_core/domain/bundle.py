"""manifest.json and the places of a bundle: what it must hold and what it may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from comfydock_core.domain.names import model_path_problem

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
PYPROJECT = "pyproject.toml"
LOCK = "uv.lock"
PYTHON_VERSION = ".python-version"
WORKFLOWS = "workflows"
DEV_NODES = "dev_nodes"
INPUTS = "inputs"
MODELS = "models"
PROFILES = ("minimal", "full", "workflow-only")

_IMAGES = ".png .jpg .jpeg .webp .gif .bmp .tif .tiff .avif .heic .exr .hdr .tga"
_SOUNDS = ".wav .mp3 .flac .ogg .oga .opus .m4a .aac .aif .aiff"
_VIDEOS = ".mp4 .m4v .webm .mov .mkv .avi .mpg .mpeg"
_SOLIDS = ".glb .gltf .obj .mtl .stl .ply .fbx .usdz .splat .ksplat .spz"
_TEXTS = ".txt .md .csv .tsv .json .srt .vtt .cube"
INPUT_EXTENSIONS = frozenset(
    " ".join((_IMAGES, _SOUNDS, _VIDEOS, _SOLIDS, _TEXTS, ".latent")).split()
)
"""How files in ``inputs/`` may end.

Left out on purpose: what can be a pickle (``.npy``, ``.npz``, ``.pt``), and what a browser or
another program runs (``.svg``, ``.html``, ``.blend``); ComfyUI serves its input folder.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleFile:
    """Size in bytes and sha256 (hex) of one member."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownIssue:
    """Something that the exporter knowingly left open, in a sentence for people.

    ``workflow`` is the file's name below ``workflows/``, or empty for the environment as a whole;
    ``subject`` is the bare name of the node, model or file.
    """

    workflow: str
    kind: str
    subject: str
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DevelopmentOrigin:
    """Where the source of a development node stood in git when it was exported.

    ``remote`` is an address without secrets (``domain.names.repository_problem``) and ``commit``
    40 hex digits; either is empty where there is none.
    """

    remote: str = ""
    commit: str = ""
    dirty: bool = False
    unpushed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleManifest:
    """manifest.json. ``files`` covers every member but manifest.json itself.

    A bundle of an older exporter has no ``files``; then it is empty and the reader warns.
    ``missing_inputs`` are the files, by their paths below ComfyUI's input folder, that a workflow
    loads and the bundle does not hold; ``development`` is by the name of the node. ``tool`` names
    another tool that wrote the bundle: it has no manifest.json, and what that would say is empty.
    """

    timestamp: str
    comfydock_version: str
    environment_name: str
    workflows: tuple[str, ...]
    python_version: str
    comfyui_version: str
    platform: str
    total_models: int
    total_nodes: int
    format_version: int = FORMAT_VERSION
    exported_commit: str = ""
    hash_scheme: str = ""
    profile: str = PROFILES[0]
    issues: tuple[KnownIssue, ...] = ()
    missing_inputs: tuple[str, ...] = ()
    development: Mapping[str, DevelopmentOrigin] = field(default_factory=dict)
    files: Mapping[str, BundleFile] = field(default_factory=dict)
    tool: str = ""


def place_of(path: str) -> str:
    """Name the place of the format that ``path`` lies in, or return ``""`` for nowhere.

    Places: the four files by their names, ``workflows`` (any ``.json`` below it), ``dev_nodes``
    (anything below a node's folder), ``inputs`` (``INPUT_EXTENSIONS``) and ``models`` (what may lie
    in a models directory). A path that ends with a slash is a folder, and has a place where its
    files can have one.
    """
    if path in (MANIFEST, PYPROJECT, LOCK, PYTHON_VERSION):
        return path
    first, slash, rest = path.partition("/")
    may_lie_in = _FOLDERS.get(first)
    if may_lie_in and slash and (path.endswith("/") or may_lie_in(rest)):
        return first
    return ""


def _is_input(path: str) -> bool:
    _, dot, extension = path.rpartition(".")
    return dot + extension.lower() in INPUT_EXTENSIONS


_FOLDERS: Mapping[str, Callable[[str], bool]] = {
    WORKFLOWS: lambda path: path.endswith(".json"),
    DEV_NODES: lambda path: "/" in path,
    INPUTS: _is_input,
    MODELS: lambda path: not model_path_problem(path),
}
