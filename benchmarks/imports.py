"""Importing with everything at hand, against what git, a copy and uv take for the same by hand."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import uv

from benchmarks.import_material import (
    TAG,
    Machine,
    bench_hosts,
    exported_bundles,
    node_packs,
    run_git,
    scratch_folder,
)
from benchmarks.material import comfyui_checkout
from benchmarks.rows import Row, medians

_ROUNDS = 7
_IMPORT = ("import", "--yes", "--no-verify", "--skip-models", "--trust-code", "--name")
_MOST_MORE = 3.0


def run() -> list[Row]:
    """Hold an import of one workflow against its floor, and one of 644 against that of one."""
    scratch = scratch_folder()
    packs = node_packs(scratch / "packs")
    with bench_hosts(scratch / "hosts", packs) as variables:
        machine = Machine(home=scratch / "home", variables=variables)
        one, every = exported_bundles(machine, packs)
        names = (f"imported-{number}" for number in range(1_000))

        def import_it(bundle: Path) -> None:
            machine.run(*_IMPORT, next(names), str(bundle))

        import_it(every)
        seconds = medians(
            _ROUNDS,
            {
                **_floor(machine, packs, scratch / "by-hand"),
                "one": lambda: import_it(one),
                "every": lambda: import_it(every),
            },
        )
    return _rows(seconds)


def _floor(
    machine: Machine, packs: Mapping[str, Path], folder: Path
) -> dict[str, Callable[[], object]]:
    """Return what has to be done at the least: a work tree, the nodes' files, the packages."""
    new_paths = (folder / str(number) for number in range(1_000))
    mirror = folder / "ComfyUI.git"
    mirror.parent.mkdir()
    run_git("clone", "--quiet", "--bare", str(comfyui_checkout()), str(mirror), cwd=folder)
    recorded = machine.environment("sender") / ".cec"

    def check_out() -> None:
        run_git("worktree", "add", "--quiet", "--detach", str(next(new_paths)), TAG, cwd=mirror)

    def copy_nodes() -> None:
        target = next(new_paths)
        for name, pack in packs.items():
            shutil.copytree(pack, target / name)

    def install_packages() -> None:
        project = next(new_paths)
        project.mkdir()
        for name in ("pyproject.toml", "uv.lock"):
            shutil.copy(recorded / name, project)
        _run_uv(machine, project)

    return {"check out": check_out, "copy": copy_nodes, "uv": install_packages}


def _run_uv(machine: Machine, project: Path) -> None:
    """Lock anew and install, as an import must: a bundle's own lock is nothing to install from."""
    kept = ("UV_", "COMFYDOCK_")
    variables = {key: value for key, value in machine.variables.items() if not key.startswith(kept)}
    variables["UV_CACHE_DIR"] = machine.variables["COMFYDOCK_UV_CACHE"]
    index = machine.variables["COMFYDOCK_PYTHON_INDEX"]
    program = uv.find_uv_bin()
    general = ("--quiet", "--no-config", "--default-index", index, "--python", sys.executable)
    for words in (("lock", "--upgrade", "--offline"), ("sync", "--frozen", "--all-groups")):
        subprocess.run([program, *words, *general], cwd=project, env=variables, check=True)


def _rows(seconds: Mapping[str, float]) -> list[Row]:
    floor = seconds["check out"] + seconds["copy"] + seconds["uv"]
    more = seconds["every"] - seconds["one"]
    parts = ", ".join(f"{name} {seconds[name]:.2f}" for name in ("check out", "copy", "uv"))
    return [
        Row(
            name="import 1 workflow and 3 nodes, all at hand",
            figure=f"{seconds['one']:.2f} s",
            floor=f"{floor:.2f} s ({parts})",
            ratio=f"{seconds['one'] / floor:.2f}",
            target="<= 1.5",
        ),
        Row(
            name="import 644 workflows, more than 1",
            figure=f"{more:.2f} s",
            floor=f"{_MOST_MORE:.0f} s",
            ratio=f"{more / _MOST_MORE:.2f}",
            target="<= 1",
        ),
    ]
