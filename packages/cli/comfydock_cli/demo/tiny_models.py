"""Three upscalers of a few kB that ComfyUI loads, the real one too; the same bytes everywhere."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping

FOLDER = "upscale_models"
_WIDTH, _SCALE = 4, 2
_PIXELS = _SCALE * _SCALE
_TINTS = {
    "plain-2x.safetensors": (0.0, 0.0, 0.0),
    "warm-2x.safetensors": (0.2, 0.05, 0.0),
    "cool-2x.safetensors": (0.0, 0.05, 0.2),
}
# SRVGGNetCompact with one layer in the body; a convolution's last two numbers are its window.
_SHAPES: Mapping[str, tuple[int, ...]] = {
    "body.0.weight": (_WIDTH, 3, 3, 3),
    "body.0.bias": (_WIDTH,),
    "body.1.weight": (_WIDTH,),
    "body.2.weight": (_WIDTH, _WIDTH, 3, 3),
    "body.2.bias": (_WIDTH,),
    "body.3.weight": (_WIDTH,),
    "body.4.weight": (3 * _PIXELS, _WIDTH, 3, 3),
    "body.4.bias": (3 * _PIXELS,),
}


def tiny_models() -> dict[str, bytes]:
    """Return the files by name: each doubles an image's size and adds its tint to it."""
    return {name: _safetensors(tint) for name, tint in _TINTS.items()}


def _safetensors(tint: tuple[float, float, float]) -> bytes:
    """Write the safetensors format: header length (u64), header padded to 8 bytes, tensors (F32).

    All weights are zero, so that only the enlarged input and the last layer's bias remain.
    """
    tensors = {name: [0.0] * math.prod(shape) for name, shape in _SHAPES.items()}
    tensors["body.4.bias"] = [part for part in tint for _ in range(_PIXELS)]
    header: dict[str, object] = {}
    content = b""
    for name, values in tensors.items():
        data = struct.pack(f"<{len(values)}f", *values)
        span = [len(content), len(content) + len(data)]
        header[name] = {"dtype": "F32", "shape": _SHAPES[name], "data_offsets": span}
        content += data
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + content
