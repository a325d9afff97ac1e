"""One environment: a ComfyUI checkout, its ``.venv`` and the committed truth in ``.cec``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.manifest import Manifest
from comfydock_core.errors import NotReadyError
from comfydock_core.storage.durable_files import UNFINISHED
from comfydock_core.storage.git import Git
from comfydock_core.storage.processes import python_of
from comfydock_core.storage.project_file import read_project, write_project
from comfydock_core.workspace.journal import Journal

_INTERRUPTED = {
    "create": ("creation", "delete"),
    "import": ("import", "import --resume"),
    "update": ("update", "update --resume"),
}
_AUTHOR = ("-c", "user.name=comfydock", "-c", "user.email=comfydock@localhost")


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitEntry:
    """One commit of ``.cec``: short hash, ISO time, first line of the message."""

    commit: str
    time: str
    message: str


class Environment:
    """Paths, manifest and history of one environment; knows nothing of other environments."""

    def __init__(self, name: str, path: Path, git: Git) -> None:
        self.name = name
        self.path = path
        self._git = git

    @property
    def cec_path(self) -> Path:
        """The tracked state, a git repository of ours."""
        return self.path / ".cec"

    @property
    def comfyui_path(self) -> Path:
        """The ComfyUI checkout."""
        return self.path / "ComfyUI"

    @property
    def custom_nodes_path(self) -> Path:
        """Where node packs lie."""
        return self.comfyui_path / "custom_nodes"

    @property
    def workflows_path(self) -> Path:
        """Where ComfyUI keeps the user's workflows."""
        return self.comfyui_path / "user" / "default" / "workflows"

    @property
    def workflows_cec_path(self) -> Path:
        """Where the committed workflows are."""
        return self.cec_path / "workflows"

    @property
    def venv_path(self) -> Path:
        """The virtual environment."""
        return self.path / ".venv"

    @property
    def python(self) -> Path:
        """The environment's own Python."""
        return python_of(self.venv_path)

    @property
    def pyproject_path(self) -> Path:
        """The manifest's file."""
        return self.cec_path / "pyproject.toml"

    @property
    def lock_path(self) -> Path:
        """uv's lock."""
        return self.cec_path / "uv.lock"

    def manifest(self) -> Manifest:
        """Read what the environment consists of."""
        return read_project(self.pyproject_path)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write what the environment consists of."""
        write_project(self.pyproject_path, manifest)

    def check_complete(self, journal: Journal | None) -> None:
        """Raise NotReadyError while the environment is being made or changed."""
        if journal is None and self.pyproject_path.exists():
            return
        work = journal.work if journal else "create"
        interrupted, hint = _INTERRUPTED[work]
        if journal and work == "import" and journal.plan is None:
            # Nobody knows what it was to become, so it cannot go on.
            hint = "delete"
        raise NotReadyError(
            f"`{self.name}` is not complete: its {interrupted} was interrupted",
            hint=f"comfydock {hint} {self.name}",
            subject=self.name,
        )


class History:
    """The git history of an environment's ``.cec``."""

    def __init__(self, environment: Environment, git: Git) -> None:
        self._folder = environment.cec_path
        self._git = git

    def start(self) -> None:
        """Make the repository if it is not there; it is always made by us, never unpacked."""
        if not (self._folder / ".git" / "HEAD").exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._git.checked("init", "--quiet", "--template=", ".", folder=self._folder)
            exclude = self._folder / ".git" / "info" / "exclude"
            exclude.parent.mkdir(exist_ok=True)
            exclude.write_text(f"*{UNFINISHED}\n", encoding="utf-8")

    def changes(self) -> tuple[str, ...]:
        """Return the uncommitted paths below ``.cec``."""
        output = self._git.checked(
            *("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"),
            folder=self._folder,
        )
        return tuple(entry[3:] for entry in output.split("\0") if entry)

    def commit(self, message: str, *, even_if_empty: bool = False) -> str:
        """Commit everything and return the commit, or ``""`` when there was nothing to commit."""
        self._git.checked("add", "--all", ".", folder=self._folder)
        if not even_if_empty and self.head() and not self.changes():
            return ""
        known = self._git.run("config", "user.email", folder=self._folder).exit_code == 0
        self._git.checked(
            *(() if known else _AUTHOR),
            *("commit", "--quiet", "--allow-empty", "--no-verify", "-m", message),
            folder=self._folder,
        )
        return self.head()

    def head(self) -> str:
        """Return the current commit, ``""`` before the first one."""
        done = self._git.run("rev-parse", "--verify", "--quiet", "HEAD", folder=self._folder)
        return done.output.strip()

    def head_time(self) -> int:
        """Return the current commit's time in seconds since 1970."""
        return int(
            self._git.checked("show", "--no-patch", "--format=%ct", "HEAD", folder=self._folder)
        )

    def entries(self, limit: int = 20) -> tuple[CommitEntry, ...]:
        """Return the newest commits first."""
        if not self.head():
            return ()
        output = self._git.checked(
            "log", f"--max-count={limit}", "--format=%h%x00%cI%x00%s", folder=self._folder
        )
        rows = (line.split("\0", 2) for line in output.split("\n"))
        return tuple(CommitEntry(commit=c, time=t, message=m) for c, t, m in rows)
