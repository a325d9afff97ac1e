"""Which widget of which node class names a model file, and in which model folder it looks.

The table is the fall-back for classes whose code is not at hand or computes its choices. Core
classes are as ComfyUI 0.3.75 defines them, newer ones as the official templates 0.1.123 save them;
the others as the code of their packs defines them (read in 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from comfydock_core.domain.models import canonical_category
from comfydock_core.domain.names import MODEL_EXTENSIONS


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderWidget:
    """A widget that names a file below ``folder``.

    ``index`` counts in ``widgets_values``. None means: wherever an entry of the widgets is an
    object with the key ``name`` (nodes with rows that are added by the user); NO_INDEX that only
    the name tells. ``fixed`` are choices beside the files: they are files only if they look so.
    """

    name: str
    index: int | None
    folder: str
    fixed: tuple[str, ...] = ()


Loaders = Mapping[str, tuple[LoaderWidget, ...]]
"""The loader widgets of node classes by name."""

NO_INDEX = -1

INPUT_FOLDER = "input"
"""The ``folder`` of widgets that name no model but a file of ComfyUI's input folder."""


def _widgets(*columns: tuple[str, int | None, str]) -> tuple[LoaderWidget, ...]:
    return tuple(LoaderWidget(name=n, index=i, folder=f) for n, i, f in columns)


def _text_encoders(count: int) -> tuple[LoaderWidget, ...]:
    return _widgets(*((f"clip_name{i + 1}", i, "text_encoders") for i in range(count)))


_CHECKPOINT = _widgets(("ckpt_name", 0, "checkpoints"))
_LORA = _widgets(("lora_name", 0, "loras"))
_UNET = _widgets(("unet_name", 0, "diffusion_models"))
_CONTROLNET = _widgets(("control_net_name", 0, "controlnet"))
_MODEL_NAME = "model_name"

CORE_LOADERS: Loaders = {
    "AudioEncoderLoader": _widgets(("audio_encoder_name", 0, "audio_encoders")),
    "CLIPLoader": _widgets(("clip_name", 0, "text_encoders")),
    "CLIPVisionLoader": _widgets(("clip_name", 0, "clip_vision")),
    "CheckpointLoader": _widgets(("ckpt_name", 1, "checkpoints")),
    "CheckpointLoaderSimple": _CHECKPOINT,
    "ConditioningLoader": _widgets(("conditioning_name", 0, "embeddings")),
    "ControlNetLoader": _CONTROLNET,
    "CreateHookLora": _LORA,
    "CreateHookLoraModelOnly": _LORA,
    "CreateHookModelAsLora": _CHECKPOINT,
    "CreateHookModelAsLoraModelOnly": _CHECKPOINT,
    "DiffControlNetLoader": _CONTROLNET,
    "DualCLIPLoader": _text_encoders(2),
    "FrameInterpolationModelLoader": _widgets((_MODEL_NAME, 0, "frame_interpolation")),
    "GLIGENLoader": _widgets(("gligen_name", 0, "gligen")),
    "HypernetworkLoader": _widgets(("hypernetwork_name", 0, "hypernetworks")),
    "ImageOnlyCheckpointLoader": _CHECKPOINT,
    "LTXAVTextEncoderLoader": _widgets(
        ("text_encoder", 0, "text_encoders"), ("ckpt_name", 1, "checkpoints")
    ),
    "LTXVAudioVAELoader": _CHECKPOINT,
    "LatentUpscaleModelLoader": _widgets((_MODEL_NAME, 0, "latent_upscale_models")),
    "LoadBackgroundRemovalModel": _widgets(("bg_removal_name", 0, "background_removal")),
    "LoadDA3Model": _widgets((_MODEL_NAME, 0, "geometry_estimation")),
    "LoadMoGeModel": _widgets((_MODEL_NAME, 0, "geometry_estimation")),
    "LoraLoader": _LORA,
    "LoraLoaderModelOnly": _LORA,
    "ModelPatchLoader": _widgets(("name", 0, "model_patches")),
    "OpticalFlowLoader": _widgets((_MODEL_NAME, 0, "optical_flow")),
    "PhotoMakerLoader": _widgets(("photomaker_model_name", 0, "photomaker")),
    "QuadrupleCLIPLoader": _text_encoders(4),
    "SAM3DBody_Loader": _widgets((_MODEL_NAME, 0, "detection")),
    "StyleModelLoader": _widgets(("style_model_name", 0, "style_models")),
    "TripleCLIPLoader": _text_encoders(3),
    "UNETLoader": _UNET,
    "UpscaleModelLoader": _widgets((_MODEL_NAME, 0, "upscale_models")),
    "VAELoader": _widgets(("vae_name", 0, "vae")),
    "unCLIPCheckpointLoader": _CHECKPOINT,
}

PACK_LOADERS: Loaders = {
    "ADE_LoadAnimateDiffModel": _widgets((_MODEL_NAME, 0, "animatediff_models")),
    "CLIPLoaderGGUF": _widgets(("clip_name", 0, "text_encoders")),
    "CR LoRA Stack": _widgets(*((f"lora_name_{i + 1}", 1 + 4 * i, "loras") for i in range(3))),
    "CheckpointLoader|pysssss": _CHECKPOINT,
    "ACN_ControlNetLoaderAdvanced": _widgets(("cnet", 0, "controlnet")),
    "ControlNetLoaderAdvanced": _CONTROLNET,
    "DualCLIPLoaderGGUF": _text_encoders(2),
    "IPAdapterModelLoader": _widgets(("ipadapter_file", 0, "ipadapter")),
    "LoraLoader|pysssss": _LORA,
    "Power Lora Loader (rgthree)": _widgets(("lora", None, "loras")),
    "PulidFluxModelLoader": _widgets(("pulid_file", 0, "pulid")),
    "SAMLoader": _widgets((_MODEL_NAME, 0, "sams")),
    "TripleCLIPLoaderGGUF": _text_encoders(3),
    "UltralyticsDetectorProvider": _widgets((_MODEL_NAME, 0, "ultralytics")),
    "UnetLoaderGGUF": _UNET,
    "UnetLoaderGGUFAdvanced": _UNET,
    "WanVideoLoraSelect": _widgets(("lora", 0, "loras")),
    "WanVideoModelLoader": _widgets(("model", 0, "diffusion_models")),
    "WanVideoVAELoader": _widgets((_MODEL_NAME, 0, "vae")),
}

LOADERS: Loaders = {**CORE_LOADERS, **PACK_LOADERS}

_OTHER_FOLDERS = frozenset({"configs", "custom_nodes", INPUT_FOLDER, "vhs_video_formats"})


def holds_models(folder: str) -> bool:
    """Tell whether a folder that nodes list is one of models, not of fonts or settings."""
    lowered = folder.lower()
    return lowered not in _OTHER_FOLDERS and not lowered.endswith(("font", "fonts"))


def known_loaders(learned: Loaders) -> Loaders:
    """Return what code told about its classes, and the shipped table for everything else.

    A class whose code could not be followed to a model folder keeps its row of the table.
    """
    return {**LOADERS, **{name: widgets for name, widgets in learned.items() if widgets}}


NOT_FILES = frozenset(
    {"", "none", "[none]", "null", "undefined", "default", "automatic", "baked vae", "pixel_space"}
)
"""Choices of loaders that stand for no file, in lower case; small preview VAEs are beside them."""
_SMALL_VAES = ("taesd", "taef", "taew", "taehv", "lighttae")
_TEXT_NODES = frozenset({"CLIPTextEncode", "MarkdownNote", "Note", "PrimitiveStringMultiline"})
_LONGEST_FILE_NAME = 512


_MODEL_ENDINGS = tuple(MODEL_EXTENSIONS)
_LONGEST_ENDING = max(map(len, MODEL_EXTENSIONS))


def may_end_as_model(value: str) -> bool:
    """Tell, quickly, whether ``has_model_suffix`` could be true."""
    return value[-_LONGEST_ENDING:].lower().endswith(_MODEL_ENDINGS)


def has_model_suffix(value: str) -> bool:
    """Tell whether a path in either separator ends as a model file does."""
    file_name = value.replace("\\", "/").rpartition("/")[2]
    stem, dot, suffix = file_name.rpartition(".")
    return bool(stem) and f"{dot}{suffix.lower()}" in MODEL_EXTENSIONS


def is_not_a_file(value: str) -> bool:
    """Tell whether a loader's choice stands for no file (``pixel_space``, ``taesd``, ``None``)."""
    lowered = value.strip().lower()
    if lowered in NOT_FILES:
        return True
    return lowered.startswith(_SMALL_VAES) and not has_model_suffix(lowered)


def looks_like_model_file(node_type: str, value: str) -> bool:
    """Tell whether a text of a node that is in no table names a model file.

    Prose and addresses that merely end like one do not count.
    """
    if node_type in _TEXT_NODES or len(value) > _LONGEST_FILE_NAME:
        return False
    return has_model_suffix(value) and "\n" not in value and "://" not in value


def loader_value(category: str, relative_path: str, *, separator: str) -> str | None:
    """Return what a loader of ``category`` must be told to find ``relative_path``.

    ``relative_path`` is POSIX, below a models directory; ``separator`` is that of the machine
    that will load it. ``loras/sub/x.safetensors`` becomes ``sub/x.safetensors``. None: that
    loader does not look there, or where it looks is unknown.
    """
    folder, _, rest = relative_path.partition("/")
    if not category or not rest or canonical_category(folder) != canonical_category(category):
        return None
    return rest.replace("/", separator)
