"""ComfyUI's input folder: which files of it workflows load, and putting a bundle's there."""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.bundle import INPUTS
from comfydock_core.domain.lenient_json import fast_decoder
from comfydock_core.domain.model_loaders import Loaders, LoaderWidget
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_inputs import InputReference, input_references, known_inputs
from comfydock_core.errors import WorkflowError
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.new_file import new_file
from comfydock_core.storage.node_scan_cache import NodeScanCache
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workflows import workflow_files
from comfydock_core.workspace.workspace import Workspace


def input_folder(environment: Environment) -> Path:
    """Return where ComfyUI looks for inputs; the folder need not exist."""
    return environment.comfyui_path / "input"


def loaded_inputs(
    workspace: Workspace, environment: Environment, names: Collection[str]
) -> tuple[InputReference, ...]:
    """Return the files that the committed workflows of these names load.

    A file that is no workflow loads nothing; validation has named it.
    """
    widgets = _input_widgets(workspace, environment)
    committed = workflow_files(environment.workflows_cec_path)
    found: list[InputReference] = []
    for name in sorted(committed.keys() & set(names)):
        with storage_errors(committed[name]):
            data = committed[name].read_bytes()
        with suppress(WorkflowError):
            found += input_references(parse_workflow(data, name, fast_decoder()), widgets)
    return tuple(found)


def _input_widgets(workspace: Workspace, environment: Environment) -> Loaders:
    """Return which widgets name inputs, by the code of this ComfyUI and of all packs in it."""
    scans = NodeScanCache(workspace.root / "cache" / "node_classes")
    learned: dict[str, tuple[LoaderWidget, ...]] = {}
    if environment.custom_nodes_path.is_dir():
        folders = (path for path in environment.custom_nodes_path.iterdir() if path.is_dir())
        for folder in sorted(folders):
            learned = {**scans.pack(folder).inputs, **learned}
    return known_inputs({**learned, **scans.core(environment.comfyui_path).inputs})


def present_inputs(environment: Environment) -> Mapping[str, int]:
    """Return the sizes in bytes of the files below the input folder, by their POSIX path.

    Links to folders are not followed; a link to a file counts where that lies below it too.
    """
    root = input_folder(environment)
    return dict(_regular_files(root)) if root.is_dir() else {}


def _regular_files(root: Path) -> Iterator[tuple[str, int]]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            with suppress(OSError):
                status = path.stat()
                leads_out = path.is_symlink() and not _stays_below(path, root)
                if stat.S_ISREG(status.st_mode) and not leads_out:
                    yield path.relative_to(root).as_posix(), status.st_size


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedInputs:
    """What became of a bundle's input files, by their POSIX path below the input folder.

    ``kept`` are those in whose place something else lies, which stayed.
    """

    placed: tuple[str, ...]
    kept: tuple[str, ...] = ()


def place_inputs(bundle: Path, environment: Environment) -> PlacedInputs:
    """Copy the input files of an unpacked bundle to where ComfyUI looks for them.

    Each appears whole or not at all, and never in the place of other content. Placing them again
    changes nothing.
    """
    source, target = bundle / INPUTS, input_folder(environment)
    placed: list[str] = []
    kept: list[str] = []
    with storage_errors(target):
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            name = path.relative_to(source).as_posix()
            (placed if _placed(path, target, name) else kept).append(name)
    return PlacedInputs(placed=tuple(placed), kept=tuple(kept))


def _placed(source: Path, root: Path, name: str) -> bool:
    """Tell whether the content is there afterwards; a link is never followed out of ``root``."""
    target = root / name
    if os.path.lexists(target):
        return _is_same(source, target)
    if not _stays_below(target.parent, root):
        return False
    root.mkdir(parents=True, exist_ok=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    with new_file(target, replace=False) as part:
        shutil.copyfile(source, part)
        part.chmod(0o644)
    return True


def _stays_below(path: Path, root: Path) -> bool:
    """Tell whether no link on the way to ``path`` leads out of ``root``."""
    # Path.resolve raises RuntimeError for a link that leads to itself
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _is_same(source: Path, target: Path) -> bool:
    return target.is_file() and filecmp.cmp(source, target, shallow=False)
