"""A small world on loopback: ComfyUI's repository, a node registry, a git node, Hugging Face."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import comfydock_cli.demo

from tests.hub.git_http import git_host
from tests.hub.hugging_face import HuggingFace, hugging_face
from tests.hub.registry import Pack, PackVersion, Registry, node_registry
from tests.hub.serving import Served
from tests.hub.signed_storage import SignedStorage, signed_storage

SMALL_COMFYUI = Path(comfydock_cli.demo.__path__[0]) / "small_comfyui"
MODELS = {
    "upscale_models/tiny-2x.safetensors": "required",
    "loras/styles/tiny-style.safetensors": "flexible",
    "vae/tiny-vae.safetensors": "optional",
}
REPOSITORY = "town/models"
GATED = "gated/models"
UNSORTED = "of-no-folder.safetensors"
SPOILED = "vae/spoiled.safetensors"
TWIN = "upscale_models/twin.safetensors"
TWIN_REPEATS = 65_536
CLASS = """class {name}:
    @classmethod
    def INPUT_TYPES(cls):
        return {{"required": {{"image": ("IMAGE",)}}}}
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "work"
    CATEGORY = "town"
    def work(self, image):
        return (image[::-1],)

NODE_CLASS_MAPPINGS = {{"{name}": {name}}}
"""


def pack_files(class_name: str, requirement: str, **more: str) -> dict[str, str]:
    """Return the files of a node pack that imports what it requires."""
    module = requirement.split(">", maxsplit=1)[0].split("=", maxsplit=1)[0]
    return {
        "__init__.py": f"import {module}\n\n" + CLASS.format(name=class_name),
        "requirements.txt": f"{requirement}\n",
        **more,
    }


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write text files below a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def git(folder: Path, *words: str) -> str:
    """Run git with a fixed author and date, so that commits are the same every time."""
    variables = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_DATE": "2025-12-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2025-12-01T00:00:00Z",
    }
    names = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(
        ["git", *names, *words],
        cwd=folder,
        env=os.environ | variables,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def make_repository(folder: Path, tag: str) -> str:
    """Turn a folder into a repository with one commit and tag; return the commit."""
    git(folder, "init", "-q", "-b", "master", ".")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "all of it")
    git(folder, "tag", tag)
    return git(folder, "rev-parse", "HEAD")


def content_name(data: bytes) -> str:
    """Return the sha256 under which a content is stored."""
    return hashlib.sha256(data).hexdigest()


def tensor_file(seed: str, repeats: int = 256) -> bytes:
    """Return a valid safetensors file of 32 bytes ``repeats`` times, which depend on ``seed``."""
    data = hashlib.sha256(seed.encode()).digest() * repeats
    shape = [len(data) // 4]
    header = json.dumps(
        {"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, len(data)]}}
    ).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


@dataclass(frozen=True, kw_only=True, slots=True)
class Town:
    """The servers, the git host's folder, and the variables by which a machine reaches them.

    What ``models`` publishes comes from ``storage``.
    """

    git: Served
    repositories: Path
    registry: Registry
    models: HuggingFace
    storage: SignedStorage
    git_node_commit: str
    comfyui_commit: str
    variables: Mapping[str, str]

    def model_url(self, path: str, repository: str = REPOSITORY) -> str:
        """Return the public address of a model."""
        return f"https://huggingface.co/{repository}/resolve/main/{path}"


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """Build and serve the town below ``folder``."""
    repositories = folder / "git"
    ignored = shutil.ignore_patterns("__pycache__")
    comfyui = repositories / "comfyanonymous" / "ComfyUI"
    shutil.copytree(SMALL_COMFYUI, comfyui, ignore=ignored)
    comfyui_commit = make_repository(comfyui, "v0.3.75")
    git_node = write_files(repositories / "acme" / "acme-git", pack_files("AcmeGit", "colorama"))
    git_node_commit = make_repository(git_node, "v1")
    published = {path: tensor_file(path) for path in (*MODELS, UNSORTED, SPOILED)}
    published[TWIN] = tensor_file(TWIN, TWIN_REPEATS)
    stored = {content_name(data): data for data in published.values()}
    stored[content_name(published[SPOILED])] = tensor_file("another file of the same size")
    versions = tuple(
        PackVersion(version=version, files=pack_files("AcmeText", "tabulate>=0.9"))
        for version in ("1.1.0", "1.2.0")
    )
    clash = PackVersion(version="1.0.0", files=pack_files("Clash", "humanize<4"))
    packs = (
        Pack(node_id="acme-text", versions=versions, classes=("AcmeText",)),
        Pack(node_id="acme-clash", versions=(clash,), classes=("Clash",)),
    )
    with (
        git_host(repositories) as git_served,
        node_registry(packs) as registry,
        signed_storage(stored) as storage,
        hugging_face(dict.fromkeys((REPOSITORY, GATED), published), storage) as host,
    ):
        mirrors = {"https://github.com/": git_served.url, "https://huggingface.co/": host.url}
        yield Town(
            git=git_served,
            repositories=repositories,
            registry=registry,
            models=host,
            storage=storage,
            git_node_commit=git_node_commit,
            comfyui_commit=comfyui_commit,
            variables={
                "COMFYDOCK_MIRRORS": " ".join(
                    f"{public}={url.rstrip('/')}/" for public, url in mirrors.items()
                ),
                "COMFYDOCK_REGISTRY": registry.url,
                "COMFYDOCK_ALLOWED_HOSTS": "127.0.0.1",
            },
        )
