"""Where models, node packs, inputs and outputs lie: names and calls as custom nodes know them."""

from __future__ import annotations

import os

supported_pt_extensions = {".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"}

# Folder names below models/ by model type; an alias is searched before the type's own name.
MODEL_FOLDERS = {
    "checkpoints": ["checkpoints"],
    "configs": ["configs"],
    "loras": ["loras"],
    "vae": ["vae"],
    "text_encoders": ["text_encoders", "clip"],
    "diffusion_models": ["unet", "diffusion_models"],
    "clip_vision": ["clip_vision"],
    "style_models": ["style_models"],
    "embeddings": ["embeddings"],
    "diffusers": ["diffusers"],
    "vae_approx": ["vae_approx"],
    "controlnet": ["controlnet", "t2i_adapter"],
    "gligen": ["gligen"],
    "upscale_models": ["upscale_models"],
    "hypernetworks": ["hypernetworks"],
    "photomaker": ["photomaker"],
    "classifiers": ["classifiers"],
    "model_patches": ["model_patches"],
    "audio_encoders": ["audio_encoders"],
}

folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {}
base_path = ""
models_dir = ""
output_directory = ""
input_directory = ""
user_directory = ""
temp_directory = ""


def use_base_directory(folder: str | None) -> None:
    """Puts everything below ``folder``, else beside this file, and makes the standard folders."""
    global base_path, models_dir
    base_path = folder or os.path.dirname(os.path.realpath(__file__))
    models_dir = os.path.join(base_path, "models")
    folder_names_and_paths.clear()
    for kind, names in MODEL_FOLDERS.items():
        extensions = {".yaml"} if kind == "configs" else set(supported_pt_extensions)
        paths = [os.path.join(models_dir, name) for name in names]
        folder_names_and_paths[kind] = (paths, extensions)
        os.makedirs(os.path.join(models_dir, kind), exist_ok=True)
    packs = os.path.join(base_path, "custom_nodes")
    folder_names_and_paths["custom_nodes"] = ([packs], set())
    os.makedirs(packs, exist_ok=True)


def use_directories(
    *, output: str | None, input: str | None, user: str | None, temp: str | None
) -> None:
    """Sets the folders; None is the standard one below the base directory. All but temp are made."""
    global output_directory, input_directory, user_directory, temp_directory
    output_directory = output or os.path.join(base_path, "output")
    input_directory = input or os.path.join(base_path, "input")
    user_directory = user or os.path.join(base_path, "user")
    temp_directory = os.path.join(temp or base_path, "temp")
    for folder in (output_directory, input_directory, user_directory):
        os.makedirs(folder, exist_ok=True)


def map_legacy(folder_name: str) -> str:
    return {"unet": "diffusion_models", "clip": "text_encoders"}.get(folder_name, folder_name)


def add_model_folder_path(
    folder_name: str, full_folder_path: str, is_default: bool = False
) -> None:
    kind = map_legacy(folder_name)
    paths, _ = folder_names_and_paths.setdefault(kind, ([], set(supported_pt_extensions)))
    if full_folder_path in paths:
        paths.remove(full_folder_path)
    paths.insert(0 if is_default else len(paths), full_folder_path)


def get_folder_paths(folder_name: str) -> list[str]:
    return list(folder_names_and_paths[map_legacy(folder_name)][0])


def get_filename_list(folder_name: str) -> list[str]:
    """Model files of a type, relative to the folder that holds them, links followed."""
    paths, extensions = folder_names_and_paths[map_legacy(folder_name)]
    return sorted({name for folder in paths for name in _files_below(folder, extensions)})


def _files_below(folder: str, extensions: set[str]) -> list[str]:
    found = []
    for root, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name != ".git"]
        for name in files:
            if not extensions or os.path.splitext(name)[1].lower() in extensions:
                found.append(os.path.relpath(os.path.join(root, name), folder))
    return found


def get_full_path(folder_name: str, filename: str) -> str | None:
    for folder in get_folder_paths(folder_name):
        path = os.path.join(folder, filename)
        if os.path.isfile(path):
            return path
    return None


def get_full_path_or_raise(folder_name: str, filename: str) -> str:
    path = get_full_path(folder_name, filename)
    if path is None:
        raise FileNotFoundError(
            f"Model in folder '{folder_name}' with filename '{filename}' not found."
        )
    return path


def get_input_files() -> list[str]:
    return sorted(entry.name for entry in os.scandir(input_directory) if entry.is_file())


def get_output_directory() -> str:
    return output_directory


def get_input_directory() -> str:
    return input_directory


def get_user_directory() -> str:
    return user_directory


def get_temp_directory() -> str:
    return temp_directory
