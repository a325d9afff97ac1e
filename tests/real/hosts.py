"""The hosts that a journey talks to, on loopback, reached by production URLs and configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hub.git_http import git_host
from tests.hub.model_host import ModelHost, model_host
from tests.hub.registry import Pack, PackVersion, Registry, node_registry
from tests.hub.serving import Served
from tests.real.building_blocks import COMFYUI_PATH, BuildingBlocks
from tests.real.nodes import GIT_NODE, REGISTRY_NODE, WITHDRAWN_NODE, NodePack

GIT_NODE_URL = f"https://github.com/example/{GIT_NODE.name}"
MODELS_URL = "https://huggingface.co/example/tiny-models/resolve/main"
ARCHIVES_URL = "https://cdn.comfy.org"
WRITTEN = {"GIT_AUTHOR_DATE": "1764000000 +0000", "GIT_COMMITTER_DATE": "1764000000 +0000"}
IDENTITY = ("-c", "user.name=Example", "-c", "user.email=example@example.invalid")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hosts:
    """ComfyUI's forge, the node registry and the host of the models; ``wheels`` hold torch.

    ``trained_weights`` is a file that the host of the models has.
    """

    git: Served
    registry: Registry
    models: ModelHost
    wheels: Path
    trained_weights: Path

    def configuration(self) -> dict[str, str]:
        """What a user behind a proxy sets in the environment: hosts, mirrors, torch's wheels."""
        mirrors = {
            "https://github.com/": f"{self.git.url}/",
            "https://huggingface.co/": f"{self.models.url}/hf/",
            f"{ARCHIVES_URL}/": f"{self.registry.url}/zips/",
        }
        return {
            "COMFYDOCK_MIRRORS": " ".join(f"{url}={to}" for url, to in mirrors.items()),
            "COMFYDOCK_REGISTRY": self.registry.url,
            "COMFYDOCK_ALLOWED_HOSTS": "127.0.0.1",
            "COMFYDOCK_TORCH_WHEELS": str(self.wheels),
        }


@contextmanager
def hosts(blocks: BuildingBlocks, models: Path, folder: Path) -> Iterator[Hosts]:
    """Serves ComfyUI, the node packs and the files below ``models`` until the block ends.

    ``folder`` takes the repositories.
    """
    repositories = folder / "git"
    lay_out_repositories(repositories, blocks)
    with ExitStack() as stack:
        yield Hosts(
            git=stack.enter_context(git_host(repositories)),
            registry=stack.enter_context(node_registry(_published(), ARCHIVES_URL)),
            models=stack.enter_context(model_host(models)),
            wheels=blocks.wheels.folder,
            trained_weights=blocks.trained_weights,
        )


def lay_out_repositories(folder: Path, blocks: BuildingBlocks) -> None:
    """Makes ``OWNER/NAME`` of ComfyUI, which is a link, and of the git node in ``folder``."""
    comfyui = folder / COMFYUI_PATH
    comfyui.parent.mkdir(parents=True)
    comfyui.symlink_to(blocks.comfyui, target_is_directory=True)
    _publish(GIT_NODE, folder / "example" / GIT_NODE.name)


def _published() -> list[Pack]:
    return [
        registry_pack(node, PackVersion(version=node.version, files=node.files))
        for node in (REGISTRY_NODE, WITHDRAWN_NODE)
    ]


def registry_pack(node: NodePack, *versions: PackVersion) -> Pack:
    """What the registry says of a node pack, the newest version last."""
    return Pack(
        node_id=node.name,
        versions=versions,
        classes=node.classes,
        repository=f"https://github.com/example/{node.name}",
    )


def _publish(pack: NodePack, repository: Path) -> None:
    """A repository with a work tree serves as well as a bare one."""
    pack.write(repository)
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "First")):
        _git(*words, folder=repository, variables=WRITTEN)


def _git(*words: str, folder: Path, variables: Mapping[str, str]) -> None:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", *IDENTITY, *words],
        cwd=folder,
        env=os.environ | settings | dict(variables),
        check=True,
        capture_output=True,
    )
