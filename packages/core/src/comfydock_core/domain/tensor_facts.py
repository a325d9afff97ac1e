"""What a model is, guessed from its tensors or, without them, from its file name.

The names of tensors are those of the official releases and of the training scripts (kohya-ss,
diffusers); ``modelspec.architecture`` and ``ss_base_model_version`` are what those write into
``__metadata__``. A guess is shown as a reason and never as a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_PRECISIONS = {
    "F64": "fp64",
    "F32": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
    "I8": "int8",
    "U8": "int8",
}
_NAMED_PRECISIONS = ("fp64", "fp32", "fp16", "bf16", "fp8", "int8")
_FAMILIES = (
    ("flux", r"flux"),
    ("sd3", r"sd[ ._-]?3|stable-diffusion-(?:v)?3"),
    ("sdxl", r"sd[ ._-]?xl|\bxl\b|stable-diffusion-xl|pony|illustrious"),
    ("sd2", r"sd[ ._-]?v?2|v2-1_|stable-diffusion-v2"),
    ("sd15", r"sd[ ._-]?v?1|v1-5|stable-diffusion-v1"),
    ("wan", r"\bwan"),
    ("hunyuan", r"hunyuan"),
    ("ltx", r"\bltxv?"),
    ("qwen", r"\bqwen"),
)
# The first whose every part occurs in some tensor's name; what tells more stands first.
_TENSORS = (
    ("flux", ("double_blocks.", "single_blocks.")),
    ("flux", ("lora_unet_double_blocks",)),
    ("flux", ("single_transformer_blocks.", "lora")),
    ("sd3", ("joint_blocks.",)),
    ("sdxl", ("conditioner.embedders.1.",)),
    ("sdxl", ("lora_te2_",)),
    ("sdxl", ("label_emb.0.0.", "input_blocks.")),
    ("sd2", ("cond_stage_model.model.",)),
    ("sd15", ("cond_stage_model.transformer.",)),
    ("sd15", ("lora_te_text_model",)),
    ("controlnet", ("controlnet_cond_embedding.",)),
    ("controlnet", ("input_hint_block.",)),
    ("t5", ("encoder.block.0.layer.0.SelfAttention",)),
    ("clip", ("text_model.encoder.layers.",)),
    ("vae", ("decoder.conv_in.", "encoder.conv_in.")),
    ("esrgan", ("conv_first.", "conv_last.")),
    ("esrgan", ("model.1.sub.",)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorFacts:
    """A guess at the ``architecture`` (``sdxl``) and the ``precision`` (``fp16``) of a model.

    Both are empty where nothing tells; ``tensors`` is how many there are, 0 without a header.
    """

    architecture: str = ""
    precision: str = ""
    tensors: int = 0


def facts_of_tensors(dtypes: Mapping[str, tuple[str, int]], told: Iterable[str]) -> TensorFacts:
    """Guess from tensors, each with its dtype and its size in bytes, and from what metadata says.

    The precision is that of most bytes.
    """
    weights: dict[str, int] = {}
    for dtype, size in dtypes.values():
        weights[dtype] = weights.get(dtype, 0) + size
    most = max(weights, key=lambda dtype: weights[dtype], default="")
    said = next(filter(None, map(_family, told)), "")
    return TensorFacts(
        architecture=said or _by_tensors(dtypes.keys()),
        precision=_PRECISIONS.get(most, most.lower()),
        tensors=len(dtypes),
    )


def facts_of_name(filename: str) -> TensorFacts:
    """Guess from a file name: ``sdxl_lightning_fp16.safetensors``."""
    lowered = filename.lower()
    precision = next((word for word in _NAMED_PRECISIONS if word in lowered), "")
    return TensorFacts(architecture=_family(lowered), precision=precision)


def _family(text: str) -> str:
    lowered = text.lower()
    return next((name for name, form in _FAMILIES if re.search(form, lowered)), "")


def _by_tensors(names: Iterable[str]) -> str:
    everything = "\n".join(names)
    return next((name for name, parts in _TENSORS if all(part in everything for part in parts)), "")
