"""``update/`` in an environment's folder: what comes and what went, while it is being changed.

It is not part of ``.cec``. Once the journal is gone it means nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.manifest import Manifest
from comfydock_core.storage.durable_files import (
    copy_tree,
    remove_folder,
    storage_errors,
    write_durably,
)
from comfydock_core.storage.project_file import read_project
from comfydock_core.workspace.environment import Environment

FOLDER = "update"
RETURNING = "returning"
_BUNDLE, _COMMITTED, _LIVE = "bundle", "before", "live"


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateFolder:
    """``path`` is the folder itself."""

    path: Path

    @classmethod
    def of(cls, environment: Environment) -> UpdateFolder:
        """Return the folder of an environment, which need not exist."""
        return cls(path=environment.path / FOLDER)

    @property
    def bundle(self) -> Path:
        """The files of the bundle, or of the commit that is gone back to."""
        return self.path / _BUNDLE

    @property
    def incoming(self) -> Path:
        """Node packs that are to come."""
        return self.path / "incoming"

    @property
    def outgoing(self) -> Path:
        """Node packs that went."""
        return self.path / "outgoing"

    @property
    def returning(self) -> Path:
        """Packs that come back as their user had changed them, by name."""
        return self.path / RETURNING

    @property
    def target(self) -> Path:
        """``pyproject.toml`` and ``uv.lock`` as they will be."""
        return self.path / "target"

    @property
    def committed(self) -> Path:
        """What ``.cec`` was when it began, without its history."""
        return self.path / _COMMITTED

    def manifest_before(self) -> Manifest:
        """Read what the environment consisted of."""
        return read_project(self.committed / "pyproject.toml")

    def begin(self, environment: Environment, made: Path, trash: Path) -> None:
        """Take over ``made``, a folder with the bundle in it, in the place of an older one."""
        (made / "incoming").mkdir()
        (made / "outgoing").mkdir()
        committed = made / _COMMITTED
        copy_tree(environment.cec_path, committed, (".git",))
        remove_folder(self.path, trash)
        with storage_errors(self.path):
            made.rename(self.path)

    def replace_workflow(self, environment: Environment, name: str, data: bytes | None) -> None:
        """Put a workflow into ComfyUI, or take it out (None); what was there is kept here."""
        live = environment.workflows_path / f"{name}.json"
        kept = self._kept(name)
        with storage_errors(live):
            if not self.has_replaced(name):
                # No workflow is empty, so an empty file says that there was none.
                write_durably(kept, live.read_bytes() if live.exists() else b"")
            if data is None:
                live.unlink(missing_ok=True)
            elif not live.exists() or live.read_bytes() != data:
                write_durably(live, data)

    def has_replaced(self, name: str) -> bool:
        """Tell whether a workflow was put in or taken out already."""
        return self._kept(name).exists()

    def _kept(self, name: str) -> Path:
        return self.path / _LIVE / f"{name}.json"

    def restore_workflows(self, environment: Environment) -> None:
        """Put every workflow back that ``replace_workflow`` changed."""
        folder = self.path / _LIVE
        with storage_errors(folder):
            for kept in sorted(folder.rglob("*.json")) if folder.is_dir() else []:
                live = environment.workflows_path / kept.relative_to(folder)
                if data := kept.read_bytes():
                    write_durably(live, data)
                else:
                    live.unlink(missing_ok=True)


def replaced_folder(environment: Environment, commit: str) -> Path:
    """Return where packs are kept that an update or rollback replaced and that no history has.

    ``commit`` is the state that they were part of.
    """
    return environment.path / "replaced" / commit[:12]


def same_source(bundled: Path, installed: Path) -> bool:
    """Tell whether a development node here has the same files as a bundle's."""
    if not bundled.is_dir():
        return True
    theirs, ours = _source_files(bundled), _source_files(installed)
    return theirs.keys() == ours.keys() and all(
        path.read_bytes() == ours[name].read_bytes() for name, path in theirs.items()
    )


def _source_files(folder: Path) -> dict[str, Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path
        for path in files
        if not {"__pycache__", ".git"} & set(path.relative_to(folder).parts)
    }
