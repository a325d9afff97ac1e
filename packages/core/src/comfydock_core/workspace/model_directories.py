"""Which folders are the model library of a workspace: what its settings name, else its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from comfydock_core.domain.models import ModelRoot
from comfydock_core.domain.settings import Settings
from comfydock_core.storage.config_file import read_settings
from comfydock_core.storage.model_layouts import model_roots, takes_new_models

CONFIG = "config.toml"


class ModelDirectories:
    """A folder with a config.toml, and the model library that it describes."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.process_environment = environment

    @cached_property
    def settings(self) -> Settings:
        """config.toml with the environment variables over it."""
        return read_settings(self.root / CONFIG, self.process_environment)

    @property
    def models_directories(self) -> tuple[Path, ...]:
        """What the user named as the model library: folders of any tool's, and yaml files."""
        chosen = tuple(Path(folder) for folder in self.settings.models_directories)
        return chosen or (self.root / "models",)

    @property
    def model_roots(self) -> tuple[ModelRoot, ...]:
        """The folders of the model library, each with what it holds, as they are now.

        The workspace's own folder stays one of them: models may be there from before the user
        named another one.
        """
        places = self.models_directories
        own = ModelRoot(path=str(self.root / "models"))
        found = dict.fromkeys(root for place in places for root in model_roots(place))
        return (*found, *((own,) if own not in found and Path(own.path).is_dir() else ()))

    @property
    def download_directory(self) -> Path:
        """Where new models go: the first directory, or the workspace's own ``models``.

        The latter where the first is another tool's, without a folder laid out as ComfyUI's.
        """
        roots = filter(takes_new_models, model_roots(self.models_directories[0]))
        return next((Path(root.path) for root in roots), self.root / "models")
