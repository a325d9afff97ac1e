"""Which well-known pack has a node class: the last hint, for classes that nothing else tells of.

Packs are given as ``owner/repository`` on GitHub. Several packs may define one class, so this is
a hypothesis to show and never an answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from comfydock_core.domain.manifest import NodeInfo

_CLASSES_OF = {
    "Kosinkadink/ComfyUI-Advanced-ControlNet": (
        "ACN_ControlNetLoaderAdvanced",
        "ControlNetLoaderAdvanced",
    ),
    "Kosinkadink/ComfyUI-AnimateDiff-Evolved": ("ADE_LoadAnimateDiffModel",),
    "Kosinkadink/ComfyUI-VideoHelperSuite": ("VHS_LoadVideo", "VHS_VideoCombine"),
    "Suzie1/ComfyUI_Comfyroll_CustomNodes": ("CR LoRA Stack",),
    "balazik/ComfyUI-PuLID-Flux": ("PulidFluxModelLoader",),
    "city96/ComfyUI-GGUF": (
        "CLIPLoaderGGUF",
        "DualCLIPLoaderGGUF",
        "TripleCLIPLoaderGGUF",
        "UnetLoaderGGUF",
        "UnetLoaderGGUFAdvanced",
    ),
    "cubiq/ComfyUI_IPAdapter_plus": ("IPAdapterAdvanced", "IPAdapterModelLoader"),
    "kijai/ComfyUI-KJNodes": ("ImageResizeKJ",),
    "kijai/ComfyUI-WanVideoWrapper": (
        "WanVideoLoraSelect",
        "WanVideoModelLoader",
        "WanVideoSampler",
        "WanVideoVAELoader",
    ),
    "ltdrdata/ComfyUI-Impact-Pack": ("FaceDetailer", "SAMLoader"),
    "ltdrdata/ComfyUI-Impact-Subpack": ("UltralyticsDetectorProvider",),
    "pythongosssss/ComfyUI-Custom-Scripts": ("CheckpointLoader|pysssss", "LoraLoader|pysssss"),
    "rgthree/rgthree-comfy": ("Any Switch (rgthree)", "Power Lora Loader (rgthree)"),
}
KNOWN_PACKS: Mapping[str, str] = {
    name: pack for pack, names in _CLASSES_OF.items() for name in names
}

_OWNERS = {pack.rpartition("/")[2].lower(): pack for pack in _CLASSES_OF}


def shadowed_pack(node: NodeInfo) -> str:
    """Return the well-known pack whose name a node bears that comes from elsewhere, else ``""``.

    The registry vouches for its own names.
    """
    pack = _OWNERS.get(node.name.lower(), "")
    home = f"https://github.com/{pack}".lower()
    is_it = node.repository.lower().removesuffix(".git").rstrip("/") == home
    return "" if node.source == "registry" or is_it else pack
