"""One folder with environments, the models library, caches, logs and the model index."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from comfydock_core.domain.names import checked_environment_name, is_environment_name
from comfydock_core.errors import BusyError, NotFoundError, StorageError
from comfydock_core.events import Reporter, SilentReporter
from comfydock_core.storage.config_file import change_settings
from comfydock_core.storage.durable_files import storage_error, storage_errors
from comfydock_core.storage.model_layouts import model_roots
from comfydock_core.storage.model_scan import ScanResult
from comfydock_core.storage.user_paths import user_path
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.model_directories import CONFIG, ModelDirectories
from comfydock_core.workspace.tools import Tools
from comfydock_core.workspace.work_log import LoggingReporter


def default_root(environment: Mapping[str, str]) -> Path:
    """Return where the workspace lies when nobody says: ``$COMFYDOCK_HOME`` or ~/.comfydock."""
    chosen = environment.get("COMFYDOCK_HOME")
    return user_path(chosen).absolute() if chosen else Path.home() / ".comfydock"


class Workspace(ModelDirectories):
    """The root of everything; the services of this machine hang from it, made when first used.

    ``created`` tells whether opening it made it, so that a front end can say where it is.
    """

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str],
        reporter: Reporter | None = None,
    ) -> None:
        super().__init__(root, environment)
        self.reporter = LoggingReporter(reporter or SilentReporter())
        self.created = False
        self._locks: dict[Path, FileLock] = {}

    @classmethod
    def open(
        cls,
        root: Path | None,
        environment: Mapping[str, str] | None = None,
        reporter: Reporter | None = None,
    ) -> Workspace:
        """Open the workspace at ``root`` (or the default place), making what is missing."""
        environment = os.environ if environment is None else environment
        place = default_root(environment) if root is None else user_path(root).absolute()
        workspace = cls(place, environment, reporter)
        workspace.created = not (place / "environments").is_dir()
        if place.exists() and not place.is_dir():
            raise StorageError(f"`{place}` is no folder", subject=str(place))
        for folder in ("environments", "cache/git", "cache/nodes", "logs", "locks"):
            with storage_errors(place):
                (place / folder).mkdir(parents=True, exist_ok=True)
        return workspace

    @property
    def environments_path(self) -> Path:
        """The folder of the environments."""
        return self.root / "environments"

    @property
    def staging_path(self) -> Path:
        """Where things are built aside; same file system as the environments."""
        return self.environments_path / ".staging"

    def log_path(self, name: str) -> Path:
        """The log of an environment's last creation or import, in detail."""
        return self.root / "logs" / f"{name}.log"

    def change_settings(self, changes: Mapping[str, object]) -> None:
        """Set keys of config.toml and read it again."""
        change_settings(self.root / CONFIG, changes)
        self.__dict__.pop("settings", None)
        self.__dict__.pop("tools", None)

    @cached_property
    def tools(self) -> Tools:
        """git, uv, HTTP, the registry and the model index, for the settings as they are now."""
        return Tools(self.root, self.settings, self.process_environment, self.reporter)

    def add_models_directory(self, folder: Path) -> bool:
        """Add a folder to the library; the first one added becomes the default. False if known.

        An extra_model_paths.yaml may stand for the folders that it names; StorageError if ComfyUI
        could not read it.
        """
        place = str(user_path(folder).resolve())
        known = self.settings.models_directories
        if place in known:
            return False
        model_roots(Path(place))
        self.change_settings({"models.directories": [*known, place]})
        return True

    def scan_models(self) -> ScanResult:
        """Bring the index up to date with what lies in the model library."""
        return self.tools.models.scan(self.model_roots, self.reporter)

    def environment_names(self) -> tuple[str, ...]:
        """Return the names of the environments, complete or not, sorted.

        What somebody else put beside them is passed over.
        """
        return tuple(
            sorted(
                place.name
                for place in self.environments_path.iterdir()
                if place.is_dir() and is_environment_name(place.name)
            )
        )

    def has_environment(self, name: str) -> bool:
        """Whether something of that name is there, complete or not."""
        return (self.environments_path / checked_environment_name(name)).exists()

    def environment(self, name: str) -> Environment:
        """Return the environment, complete or not; NotFoundError otherwise."""
        if not self.has_environment(name):
            there = ", ".join(f"`{known}`" for known in self.environment_names())
            raise NotFoundError(
                f"there is no environment `{name}`",
                hint=f"there are: {there}" if there else "comfydock create NAME",
                subject=name,
            )
        return Environment(name, self.environments_path / name, self.tools.git)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold an environment for one process; BusyError when another one has it.

        Who holds it through this workspace may take it again, as an export does that resolves
        workflows.
        """
        path = self.root / "locks" / f"{checked_environment_name(name)}.lock"
        lock = self._locks.setdefault(path, FileLock(path))
        try:
            lock.acquire(timeout=0.2)
        except Timeout as error:
            raise BusyError(
                f"another comfydock is working on `{name}`",
                hint="wait until it is done, then run the same command again",
                subject=name,
            ) from error
        except OSError as error:
            raise storage_error(path, error) from error
        try:
            yield
        finally:
            lock.release()
