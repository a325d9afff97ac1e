"""What a folder of models is -> the folders in it, each with ComfyUI's name for what it holds.

Understood are a ComfyUI (its ``models`` and what its extra_model_paths.yaml names), a bare
``models`` folder, A1111 and Forge, Stability Matrix, a cache of the Hugging Face client and an
extra_model_paths.yaml by itself. Found by listing a few folders; nothing is read but that file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from comfydock_core.domain.models import ModelRoot
from comfydock_core.storage.extra_model_paths import (
    EXTRA_MODEL_PATHS,
    extra_model_roots,
    is_extra_model_paths,
)
from comfydock_core.storage.hugging_face_cache import is_hub_cache

# The names are compared as they are spelt: on systems that ignore case `Lora` would be `lora` too.
# Both tools make the first folder of their table themselves; it tells that the tool is there.
_WEBUI_MODELS = {
    "Stable-diffusion": "checkpoints",
    "Lora": "loras",
    "LyCORIS": "loras",
    "VAE": "vae",
    "VAE-approx": "vae_approx",
    "ESRGAN": "upscale_models",
    "RealESRGAN": "upscale_models",
    "SwinIR": "upscale_models",
    "ScuNET": "upscale_models",
    "DAT": "upscale_models",
    "BSRGAN": "upscale_models",
    "GFPGAN": "facerestore_models",
    "Codeformer": "facerestore_models",
    "hypernetworks": "hypernetworks",
    "ControlNet": "controlnet",
    "controlnet": "controlnet",
    "embeddings": "embeddings",
    "text_encoder": "text_encoders",
    "diffusers": "diffusers",
    "svd": "checkpoints",
}
_WEBUI_ELSEWHERE = {
    "embeddings": "embeddings",
    "extensions/sd-webui-controlnet/models": "controlnet",
}
_STABILITY_MATRIX_MODELS = {
    "StableDiffusion": "checkpoints",
    "Lora": "loras",
    "LyCORIS": "loras",
    "VAE": "vae",
    "ApproxVAE": "vae_approx",
    "TextEncoders": "text_encoders",
    "CLIP": "text_encoders",
    "DiffusionModels": "diffusion_models",
    "Unet": "diffusion_models",
    "ClipVision": "clip_vision",
    "InvokeClipVision": "clip_vision",
    "Embeddings": "embeddings",
    "TextualInversion": "embeddings",
    "Hypernetwork": "hypernetworks",
    "ControlNet": "controlnet",
    "T2IAdapter": "controlnet",
    "ESRGAN": "upscale_models",
    "RealESRGAN": "upscale_models",
    "SwinIR": "upscale_models",
    "BSRGAN": "upscale_models",
    "ScuNET": "upscale_models",
    "GFPGAN": "facerestore_models",
    "Codeformer": "facerestore_models",
    "GLIGEN": "gligen",
    "Diffusers": "diffusers",
    "IpAdapter": "ipadapter",
    "IpAdapters15": "ipadapter",
    "IpAdaptersXl": "ipadapter",
    "InvokeIpAdapters15": "ipadapter",
    "InvokeIpAdaptersXl": "ipadapter",
    "SVD": "checkpoints",
    "StyleModels": "style_models",
    "AudioEncoders": "audio_encoders",
    "ModelPatches": "model_patches",
    "BackgroundRemoval": "background_removal",
    "Ultralytics": "ultralytics",
    "Sams": "sams",
    "PromptExpansion": "prompt_expansion",
}
_WEBUI_MARK = "Stable-diffusion"
_STABILITY_MATRIX_MARK = "StableDiffusion"
_STABILITY_MATRIX_PLACES = (".", "Models", "Data/Models")


def model_roots(directory: Path) -> tuple[ModelRoot, ...]:
    """Return the folders of models in ``directory``, which may be an extra_model_paths.yaml too.

    What is none of the known layouts, or is not there, is a folder with categories of its own.
    Raises StorageError for an extra_model_paths.yaml that ComfyUI could not read either.
    """
    place = Path(os.path.normpath(directory.absolute()))
    if is_extra_model_paths(place):
        return extra_model_roots(place)
    return (
        _of_comfyui(place)
        or _of_webui(place)
        or _of_stability_matrix(place)
        or _of_hub_cache(place)
        or (ModelRoot(path=str(place)),)
    )


def takes_new_models(root: ModelRoot) -> bool:
    """Whether a model of any category can be put into ``root`` so that ComfyUI finds it there."""
    return not root.category and not is_hub_cache(Path(root.path))


def _of_comfyui(place: Path) -> tuple[ModelRoot, ...]:
    """Recognise a checkout, the portable folder around one, and the Desktop's base folder."""
    for checkout in (place, place / "ComfyUI"):
        names = _names_in(checkout)
        if "models" in names and ("main.py" in names or "custom_nodes" in names):
            own = ModelRoot(path=str(checkout / "models"))
            named = checkout / EXTRA_MODEL_PATHS
            return (own, *(extra_model_roots(named) if is_extra_model_paths(named) else ()))
    return ()


def _of_webui(place: Path) -> tuple[ModelRoot, ...]:
    if _is_marked(place, _WEBUI_MARK):
        return tuple(_categories_in(place, _WEBUI_MODELS))
    models = place / "models"
    if not _is_marked(models, _WEBUI_MARK):
        return ()
    elsewhere = (
        ModelRoot(path=str(place / name), category=category)
        for name, category in _WEBUI_ELSEWHERE.items()
        if (place / name).is_dir()
    )
    return (*_categories_in(models, _WEBUI_MODELS), *elsewhere)


def _of_stability_matrix(place: Path) -> tuple[ModelRoot, ...]:
    for name in _STABILITY_MATRIX_PLACES:
        if _is_marked(place / name, _STABILITY_MATRIX_MARK):
            return tuple(_categories_in(place / name, _STABILITY_MATRIX_MODELS))
    return ()


def _of_hub_cache(place: Path) -> tuple[ModelRoot, ...]:
    inner = place / "hub"
    return (ModelRoot(path=str(inner)),) if is_hub_cache(inner) and inner.is_dir() else ()


def _is_marked(models: Path, mark: str) -> bool:
    """Whether a tool's folder lies there, in a folder that has none of ComfyUI's own beside it."""
    names = _names_in(models)
    return mark in names and "checkpoints" not in names


def _categories_in(models: Path, categories: Mapping[str, str]) -> Iterator[ModelRoot]:
    """Yield the tool's folders that are there and hold what ComfyUI has a name for."""
    names = _names_in(models)
    for name, category in categories.items():
        if name in names and (models / name).is_dir():
            yield ModelRoot(path=str(models / name), category=category)


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()
