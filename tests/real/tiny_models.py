"""Tiny weights that unmodified ComfyUI loads on a CPU; every byte is a function of this file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

SD3_WIDTH = 64
SD3_CONTEXT = 32
SD3_POOLED = 64
LATENT_CHANNELS = 16
VAE_WIDTH = 64
CODE_OF = {"F32": "f", "F16": "e"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """Values in row-major order; ``dtype`` is safetensors' name (F32 or F16)."""

    shape: tuple[int, ...]
    values: tuple[float, ...]
    dtype: str = "F32"

    def content(self) -> bytes:
        return struct.pack(f"<{len(self.values)}{CODE_OF[self.dtype]}", *self.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class TinyModel:
    """A model file: its place below a models directory, and how its tensors are made."""

    folder: str
    filename: str
    tensors: Callable[[], dict[str, Tensor]]

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.filename}"


def write_tiny_models(models_directory: Path) -> dict[str, Path]:
    """Writes TINY_MODELS below ``models_directory``; the files by ``folder/filename``."""
    written = {}
    for model in TINY_MODELS:
        target = models_directory / model.folder / model.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(safetensors(model.tensors()))
        written[model.path] = target
    return written


def safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """The safetensors format: header length (u64 LE), JSON header padded to 8 bytes, tensors."""
    header: dict[str, object] = {}
    contents: list[bytes] = []
    offset = 0
    for name, tensor in tensors.items():
        content = tensor.content()
        span = [offset, offset + len(content)]
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": span}
        contents.append(content)
        offset += len(content)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(contents)


def filled(*shape: int, value: float = 0.0, dtype: str = "F32") -> Tensor:
    """A tensor of one value; no shape makes a scalar."""
    return Tensor(shape=shape, values=(value,) * _count(shape), dtype=dtype)


def noise(random: Random, *shape: int, scale: float = 1.0) -> Tensor:
    """Roughly normal values, mean 0, deviation ``scale``.

    A sum of uniforms needs no libm, whose last bit differs between platforms.
    """
    draw = random.random
    wide = scale * 3**0.5
    values = tuple(wide * (draw() + draw() + draw() + draw() - 2.0) for _ in range(_count(shape)))
    return Tensor(shape=shape, values=values)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def _upscaler(red: float = 0.0) -> dict[str, Tensor]:
    """SRVGGNetCompact x2 whose body is zero: nearest-neighbour enlargement, plus ``red``."""
    width, scale = 4, 2
    pixels = scale * scale
    tint = (red,) * pixels + (0.0,) * (2 * pixels)
    return {
        "body.0.weight": filled(width, 3, 3, 3),
        "body.0.bias": filled(width),
        "body.1.weight": filled(width),
        "body.2.weight": filled(width, width, 3, 3),
        "body.2.bias": filled(width),
        "body.3.weight": filled(width),
        "body.4.weight": filled(3 * pixels, width, 3, 3),
        "body.4.bias": Tensor(shape=(3 * pixels,), values=tint),
    }


def _red_upscaler() -> dict[str, Tensor]:
    return _upscaler(red=0.25)


def _sd3() -> dict[str, Tensor]:
    """An MMDiT of one block, width 64: UNETLoader takes it for Stable Diffusion 3."""
    random = Random(7)
    patch = LATENT_CHANNELS * 2 * 2
    shapes: dict[str, tuple[int, ...]] = {
        "pos_embed": (1, 64, SD3_WIDTH),
        "x_embedder.proj.weight": (SD3_WIDTH, LATENT_CHANNELS, 2, 2),
        "x_embedder.proj.bias": (SD3_WIDTH,),
    }
    shapes |= _linear("t_embedder.mlp.0", 256, SD3_WIDTH)
    shapes |= _linear("t_embedder.mlp.2", SD3_WIDTH, SD3_WIDTH)
    shapes |= _linear("y_embedder.mlp.0", SD3_POOLED, SD3_WIDTH)
    shapes |= _linear("y_embedder.mlp.2", SD3_WIDTH, SD3_WIDTH)
    shapes |= _linear("context_embedder", SD3_CONTEXT, SD3_WIDTH)
    shapes |= _sd3_block()
    shapes |= _linear("final_layer.linear", SD3_WIDTH, patch)
    shapes |= _linear("final_layer.adaLN_modulation.1", SD3_WIDTH, 2 * SD3_WIDTH)
    return {name: noise(random, *shape, scale=0.05) for name, shape in shapes.items()}


def _sd3_block() -> dict[str, tuple[int, ...]]:
    width, context, image = SD3_WIDTH, "joint_blocks.0.context_block.", "joint_blocks.0.x_block."
    return (
        _linear(context + "attn.qkv", width, 3 * width)
        | _linear(context + "adaLN_modulation.1", width, 2 * width)
        | _linear(image + "attn.qkv", width, 3 * width)
        | _linear(image + "attn.proj", width, width)
        | _linear(image + "mlp.fc1", width, 4 * width)
        | _linear(image + "mlp.fc2", 4 * width, width)
        | _linear(image + "adaLN_modulation.1", width, 6 * width)
    )


def _linear(name: str, wide_in: int, wide_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (wide_out, wide_in), f"{name}.bias": (wide_out,)}


def _sd3_lora() -> dict[str, Tensor]:
    """A LoRA of rank 2 on one layer of the model above."""
    random, rank = Random(11), 2
    layer = "diffusion_model.joint_blocks.0.x_block.mlp.fc1."
    return {
        layer + "lora_up.weight": noise(random, 4 * SD3_WIDTH, rank),
        layer + "lora_down.weight": noise(random, rank, SD3_WIDTH),
        layer + "alpha": filled(value=float(rank)),
    }


def _vae() -> dict[str, Tensor]:
    """A TAESD decoder for 16 channels whose body is the identity: a latent shows as colours."""
    prefix, wide = "taesd_decoder.", VAE_WIDTH
    tensors = {f"{prefix}1.weight": _split_signs(), f"{prefix}1.bias": _half(wide)}
    for residual in (3, 4, 5, 8, 9, 10, 13, 14, 15, 18):
        for layer in (0, 2, 4):
            tensors[f"{prefix}{residual}.conv.{layer}.weight"] = _half(wide, wide, 3, 3)
            tensors[f"{prefix}{residual}.conv.{layer}.bias"] = _half(wide)
    for after_enlarging in (7, 12, 17):
        same = {(channel, channel): 1.0 for channel in range(wide)}
        tensors[f"{prefix}{after_enlarging}.weight"] = _centred(wide, wide, same)
    tensors[f"{prefix}19.weight"] = _colours()
    tensors[f"{prefix}19.bias"] = _half(3, value=0.5)
    tensors["vae_scale"] = filled(value=1.5305)
    tensors["vae_shift"] = filled(value=0.0609)
    return tensors


def _half(*shape: int, value: float = 0.0) -> Tensor:
    return filled(*shape, value=value, dtype="F16")


def _split_signs() -> Tensor:
    """+x and -x in channels of their own, so that both survive the decoder's ReLUs."""
    weights = {}
    for channel in range(LATENT_CHANNELS):
        weights[channel, channel] = 1.0
        weights[LATENT_CHANNELS + channel, channel] = -1.0
    return _centred(VAE_WIDTH, LATENT_CHANNELS, weights)


def _colours() -> Tensor:
    mixture = noise(Random(3), 3, LATENT_CHANNELS, scale=0.12).values
    weights = {}
    for position, weight in enumerate(mixture):
        colour, channel = divmod(position, LATENT_CHANNELS)
        weights[colour, channel] = weight
        weights[colour, LATENT_CHANNELS + channel] = -weight
    return _centred(3, VAE_WIDTH, weights)


def _centred(wide_out: int, wide_in: int, weights: Mapping[tuple[int, int], float]) -> Tensor:
    """A 3x3 convolution that mixes channels by (out, in) and looks at no neighbour."""
    values = [0.0] * (wide_out * wide_in * 9)
    for (to, source), weight in weights.items():
        values[(to * wide_in + source) * 9 + 4] = weight
    return Tensor(shape=(wide_out, wide_in, 3, 3), values=tuple(values), dtype="F16")


UPSCALER = TinyModel(
    folder="upscale_models", filename="tiny-compact-2x.safetensors", tensors=_upscaler
)
RED_UPSCALER = TinyModel(
    folder="upscale_models", filename="tiny-compact-2x-red.safetensors", tensors=_red_upscaler
)
DIFFUSION_MODEL = TinyModel(
    folder="diffusion_models", filename="tiny-sd3.safetensors", tensors=_sd3
)
LORA = TinyModel(folder="loras", filename="tiny-sd3-lora.safetensors", tensors=_sd3_lora)
VAE = TinyModel(folder="vae", filename="tiny-taesd3.safetensors", tensors=_vae)
TINY_MODELS = (UPSCALER, RED_UPSCALER, DIFFUSION_MODEL, LORA, VAE)
