"""Models as they lie on this machine, where URLs point, and what folders are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

UrlType = Literal["civitai", "huggingface", "github", "custom"]

_HOSTS: dict[str, UrlType] = {
    "civitai.com": "civitai",
    "civitai.red": "civitai",
    "huggingface.co": "huggingface",
    "hf.co": "huggingface",
    "github.com": "github",
    "githubusercontent.com": "github",
}
_CATEGORY_ALIASES = {
    "unet": "diffusion_models",
    "clip": "text_encoders",
    "unet_gguf": "diffusion_models",
    "clip_gguf": "text_encoders",
    "t2i_adapter": "controlnet",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelWithLocation:
    """A model and one place where it lies.

    ``hash`` is its key in the index, ``size`` is in bytes, ``relative_path`` is POSIX and below a
    models directory (below ``<category>/`` for a root of one category), ``category`` is that path's
    first folder, ``path`` is absolute. The digests are lower-case hex, empty while nobody asked for
    them.
    """

    hash: str
    filename: str
    size: int
    relative_path: str
    category: str
    path: str
    blake3_hash: str = ""
    sha256_hash: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRoot:
    """A folder of the model library: ``path`` is absolute.

    ``category`` is empty where the folder's own sub-folders are the categories (``models/``), else
    what all of its files are, as with another tool's ``Stable-diffusion`` folder of checkpoints.
    """

    path: str
    category: str = ""


def detect_url_type(url: str) -> UrlType:
    """Say which kind of host a URL points to; what is none of the known ones is ``custom``."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return "custom"
    labels = host.rstrip(".").split(".")
    return _HOSTS.get(".".join(labels[-2:]), "custom")


def canonical_category(name: str) -> str:
    """Return the name a folder has in ComfyUI today: ``unet`` is ``diffusion_models``."""
    return _CATEGORY_ALIASES.get(name, name)
