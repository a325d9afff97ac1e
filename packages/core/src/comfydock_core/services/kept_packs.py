"""Packs that an update put aside, for their user had changed them: found for the way back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.environment_difference import node_identity
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.storage.durable_files import staging_folder
from comfydock_core.storage.project_file import read_project
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.recorded_states import RecordedStates
from comfydock_core.workspace.update_folder import replaced_folder, same_source


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptPacks:
    """Looks at what was put aside since ``commit``; ``staging`` is a folder for scratch files."""

    environment: Environment
    states: RecordedStates
    commit: str
    staging: Path

    def returning(self, to_come: Iterable[NodeInfo]) -> dict[str, Path]:
        """Find the folders that packs of that state had then, by name, where a user changed them.

        What was first put aside after that state is what it had, if it was the same version.
        """
        found: dict[str, Path] = {}
        for node in to_come:
            if node.source == "development":
                continue
            for state in self.states.since(self.commit):
                folder = replaced_folder(self.environment, state) / node.name
                if folder.is_dir():
                    if self._had(state, node):
                        found[node.name] = folder
                    break
        return found

    def _had(self, state: str, node: NodeInfo) -> bool:
        with staging_folder(self.staging, "state-") as aside:
            self.states.lay_out(state, aside / "files")
            then = read_project(aside / "files" / "pyproject.toml")
        same = (other for other in then.nodes.values() if other.name == node.name)
        return node_identity(node) in map(node_identity, same)

    def left(self, taken: Collection[Path], coming: Mapping[str, object]) -> tuple[str, ...]:
        """Name the folders that stay aside, and whose files are not in place either.

        ``taken`` are folders that are brought back, ``coming`` has the names of packs that change.
        """
        folders = (replaced_folder(self.environment, s) for s in self.states.since(self.commit))
        packs = (pack for folder in folders if folder.is_dir() for pack in sorted(folder.iterdir()))
        return tuple(
            str(pack)
            for pack in packs
            if pack not in taken and (pack.name in coming or not self._in_place(pack))
        )

    def _in_place(self, pack: Path) -> bool:
        place = self.environment.custom_nodes_path / pack.name
        return place.is_dir() and pack.is_dir() and same_source(pack, place)
