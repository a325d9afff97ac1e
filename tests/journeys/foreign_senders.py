"""Where the bundles of other tools lead to: their hosts on loopback, and their models' files.

The samples are imported as those tools wrote them but for what no loopback host can have: the
commits of repositories that nobody published, and the ComfyUI whose requirements they list.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hub.git_http import git_host
from tests.hub.model_host import ModelHost, model_host
from tests.hub.registry import Pack, PackVersion, Registry, node_registry
from tests.hub.serving import Served
from tests.journeys.machines import Machine
from tests.journeys.town import SMALL_COMFYUI, git, make_repository, pack_files, write_files

SAMPLES = Path(__file__).parents[1] / "samples"
DOCK, GIT, GIT_DEVELOPMENT = "comfydock-1.0.11", "comfygit-0.7.1", "comfygit-0.7.1-devnode-git"
TEXT_NODE = """class {name}:
    @classmethod
    def INPUT_TYPES(cls):
        return {{"required": {{"x": ("STRING", {{"default": "a"}})}}}}
    RETURN_TYPES = ("STRING",)
    FUNCTION = "work"
    CATEGORY = "acme"
    OUTPUT_NODE = True
    def work(self, x):
        return (x,)

NODE_CLASS_MAPPINGS = {{"{name}": {name}}}
"""
_COMFYUI, _ACME, _DEVELOPMENT = (
    "3a29afd8180aa4426e3e8dcaeb69c63965b6e504",
    "f5c3ce084db9b34fe8210f7a2360f84106521238",
    "7aedfca2486eabeed946a469f078003c6efd66e9",
)
_REQUIREMENTS = re.compile(r"^dependencies = \[.*?^\]", re.DOTALL | re.MULTILINE)
_SMALL_REQUIREMENTS = 'dependencies = ["packaging>=24", "torch", "typing-extensions>=4.12"]'


@dataclass(frozen=True, kw_only=True, slots=True)
class TheirModel:
    """A model of the samples: where its author had it, and the seed and size of its bytes."""

    path: str
    seed: int
    size: int

    @property
    def content(self) -> bytes:
        """The file."""
        return random.Random(self.seed).randbytes(self.size)


MODELS = (
    TheirModel(path="checkpoints/sd15_tiny.safetensors", seed=1, size=3_000_000),
    TheirModel(path="loras/lora_a.safetensors", seed=2, size=2_000_000),
    TheirModel(path="vae/vae_x.safetensors", seed=3, size=1_500_000),
    TheirModel(path="upscale_models/upscale_x4.pth", seed=5, size=1_000_000),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Senders:
    """The hosts, the variables by which a machine reaches them, and the bundles by sample."""

    git: Served
    registry: Registry
    models: ModelHost
    commits: Mapping[str, str]
    bundles: Mapping[str, Path]
    variables: Mapping[str, str]

    @property
    def comfyui_commit(self) -> str:
        """The commit that ComfyGit's bundles name, and where the tag of ComfyDock's points to."""
        return self.commits[_COMFYUI]


def own_models(one: Machine, folder: Path) -> None:
    """Give a machine the samples' models, each under another name and in a library of its own."""
    for model in MODELS:
        place = folder / model.path.replace("/", "/mine/my ")
        place.parent.mkdir(parents=True)
        place.write_bytes(model.content)
    one.ok("model", "index", "dir", str(folder))


@contextmanager
def senders(folder: Path) -> Iterator[Senders]:
    """Build and serve what the samples name below ``folder``."""
    repositories, models, bundles = folder / "git", folder / "models", folder / "bundles"
    for path in ("acme/models/resolve/main", "files"):
        for model in MODELS:
            place = models / path / model.path.rpartition("/")[2]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(model.content)
    commits = {
        _COMFYUI: _comfyui(repositories),
        _ACME: _pack(repositories, "acme-git", "AcmeGit", "colorama"),
        _DEVELOPMENT: _pack(repositories, "my-dev-node", "MyDev", "tabulate"),
    }
    bundles.mkdir()
    files = {
        **pack_files("AcmeText", "humanize>=4"),
        "__init__.py": _source("AcmeText", "humanize"),
    }
    pack = Pack(node_id="acme-text", versions=(PackVersion(version="1.2.0", files=files),))
    with (
        git_host(repositories) as git_served,
        node_registry([pack]) as registry,
        model_host(models) as host,
    ):
        public = {
            "https://github.com/": git_served.url,
            "https://huggingface.co/": host.url,
            "https://models.example.com/": host.url,
        }
        yield Senders(
            git=git_served,
            registry=registry,
            models=host,
            commits=commits,
            bundles={
                sample: as_served(sample, bundles, commits)
                for sample in (DOCK, GIT, GIT_DEVELOPMENT)
            },
            variables={
                "COMFYDOCK_MIRRORS": " ".join(
                    f"{name}={url.rstrip('/')}/" for name, url in public.items()
                ),
                "COMFYDOCK_REGISTRY": registry.url,
                "COMFYDOCK_ALLOWED_HOSTS": "127.0.0.1",
            },
        )


def _source(class_name: str, module: str) -> str:
    return f"import {module}\n\n{TEXT_NODE.format(name=class_name)}"


def _comfyui(repositories: Path) -> str:
    """Serve ComfyUI at the address of either tool: the two have one history."""
    theirs = repositories / "Comfy-Org/ComfyUI"
    shutil.copytree(SMALL_COMFYUI, theirs, ignore=shutil.ignore_patterns("__pycache__"))
    commit = make_repository(theirs, "v0.3.75")
    shutil.copytree(theirs, repositories / "comfyanonymous/ComfyUI")
    return commit


def _pack(repositories: Path, name: str, class_name: str, module: str) -> str:
    folder = repositories / "acme" / name
    files = {**pack_files(class_name, module), "__init__.py": _source(class_name, module)}
    commit = make_repository(write_files(folder, files), "v1")
    write_files(folder, {"later.py": "raise RuntimeError\n"})
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "later")
    return commit


def as_served(sample: str, folder: Path, commits: Mapping[str, str]) -> Path:
    """Write a sample again with the commits and the requirements that can be had here."""

    def change(name: str, data: bytes) -> bytes:
        if name != "pyproject.toml":
            return data
        text = _REQUIREMENTS.sub(_SMALL_REQUIREMENTS, data.decode())
        for theirs, ours in commits.items():
            text = text.replace(theirs, ours)
        return text.encode()

    target = folder / f"{sample}.tar.gz"
    with tarfile.open(SAMPLES / target.name) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            data = change(member.name, file.read()) if file else b""
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return target
