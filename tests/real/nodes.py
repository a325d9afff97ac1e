"""Small node packs, one for each source and one that is withdrawn, and workflows need them all.

Each imports a package of its own at the top, so that a pack whose requirements did not arrive does
not load. torch is imported inside the methods: the packs load where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePack:
    """``files`` are text by relative path; ``classes`` the node types that the pack provides."""

    name: str
    version: str
    classes: tuple[str, ...]
    requirement: str
    files: Mapping[str, str]

    def write(self, folder: Path) -> Path:
        """Writes the pack's files into ``folder``, which is made when absent."""
        for relative, text in self.files.items():
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        return folder


INVERT = '''"""Turns an image's colours around."""

from tabulate import tabulate


class TinyInvert:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "invert"
    CATEGORY = "tiny"

    def invert(self, image):
        batch, height, width, channels = image.shape
        print(tabulate([[batch, height, width, channels]], headers=["batch", "h", "w", "channels"]))
        return ((1.0 - image).flip(-1),)


NODE_CLASS_MAPPINGS = {"TinyInvert": TinyInvert}
NODE_DISPLAY_NAME_MAPPINGS = {"TinyInvert": "Tiny Invert"}
'''

INVERT_PROJECT = """[project]
name = "tiny-invert"
version = "1.2.0"
description = "Turns an image's colours around"
license = { text = "Apache-2.0" }
dependencies = ["tabulate>=0.9"]

[project.urls]
Repository = "https://github.com/example/tiny-invert"

[tool.comfy]
PublisherId = "example"
DisplayName = "Tiny Invert"
"""

PHRASE = '''"""A phrase and a seed out of a subject and a count."""

import hashlib

from colorama import Fore


class TinyPhrase:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "subject": ("STRING", {"default": "fox"}),
                "count": ("INT", {"default": 3, "min": 1, "max": 99}),
            }
        }

    RETURN_TYPES = ("STRING", "INT")
    RETURN_NAMES = ("phrase", "seed")
    FUNCTION = "phrase"
    CATEGORY = "tiny"

    def phrase(self, subject, count):
        text = f"{count} x {subject}"
        print(f"{Fore.GREEN}{text}{Fore.RESET}")
        return (text, int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big"))


NODE_CLASS_MAPPINGS = {"TinyPhrase": TinyPhrase}
NODE_DISPLAY_NAME_MAPPINGS = {"TinyPhrase": "Tiny Phrase"}
'''

CONDITIONING = '''"""Text to conditioning without a text encoder's file."""

import hashlib

import humanize


class TinyConditioning:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "text": ("STRING", {"multiline": True, "default": ""}),
                "context_width": ("INT", {"default": 32, "min": 1}),
                "pooled_width": ("INT", {"default": 64, "min": 1}),
            }
        }

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "encode"
    CATEGORY = "tiny"

    def encode(self, text, context_width, pooled_width):
        import torch

        print(f"encoding {humanize.naturalsize(len(text))} of text")
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
        random = torch.Generator().manual_seed(seed)
        tokens = torch.randn((1, 8, context_width), generator=random)
        pooled = torch.randn((1, pooled_width), generator=random)
        return ([[tokens, {"pooled_output": pooled}]],)


NODE_CLASS_MAPPINGS = {"TinyConditioning": TinyConditioning}
NODE_DISPLAY_NAME_MAPPINGS = {"TinyConditioning": "Tiny Conditioning"}
'''

FRAME = '''"""Draws a white frame into an image."""

from toolz import compose

WIDTH = 4


class TinyFrame:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "frame"
    CATEGORY = "tiny"

    def frame(self, image):
        return (compose(_rows, _columns)(image.clone()),)


def _rows(image):
    image[:, :WIDTH], image[:, -WIDTH:] = 1.0, 1.0
    return image


def _columns(image):
    image[:, :, :WIDTH], image[:, :, -WIDTH:] = 1.0, 1.0
    return image


NODE_CLASS_MAPPINGS = {"TinyFrame": TinyFrame}
NODE_DISPLAY_NAME_MAPPINGS = {"TinyFrame": "Tiny Frame"}
'''

REGISTRY_NODE = NodePack(
    name="tiny-invert",
    version="1.2.0",
    classes=("TinyInvert",),
    requirement="tabulate",
    files={
        "__init__.py": INVERT,
        "pyproject.toml": INVERT_PROJECT,
        "requirements.txt": "tabulate>=0.9\n",
    },
)
GIT_NODE = NodePack(
    name="tiny-phrase",
    version="",
    classes=("TinyPhrase",),
    requirement="colorama",
    files={
        "__init__.py": (
            "from .phrase import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS\n\n"
            '__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]\n'
        ),
        "phrase.py": PHRASE,
        "requirements.txt": "colorama>=0.4\n",
    },
)
DEVELOPMENT_NODE = NodePack(
    name="tiny-conditioning",
    version="",
    classes=("TinyConditioning",),
    requirement="humanize",
    files={
        "__init__.py": CONDITIONING,
        "requirements.txt": "humanize>=4\n",
        ".gitignore": "__pycache__/\nscratch/\n",
    },
)
WITHDRAWN_NODE = NodePack(
    name="tiny-frame",
    version="1.0.0",
    classes=("TinyFrame",),
    requirement="toolz",
    files={"__init__.py": FRAME, "requirements.txt": "toolz>=0.12\n"},
)
"""Its publisher takes the version back before the last import."""

NODE_PACKS = (REGISTRY_NODE, GIT_NODE, DEVELOPMENT_NODE, WITHDRAWN_NODE)
